from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from types import TracebackType
from typing import TYPE_CHECKING

from . import _logging, _native
from ._native import ReceiptHandle, Received
from ._types import Sql92
from .errors import Error

if TYPE_CHECKING:
    from typing_extensions import Self


class SimpleConsumer(_native.SimpleConsumer):
    """Receives messages when asked, each to be acknowledged; may be used by many threads at once.

    ```python
    with tminus.SimpleConsumer("grpc://127.0.0.1:8081", "billing", "orders") as consumer:
        for received in consumer.receive(10, timedelta(seconds=30)):
            print(received.message.body)
            consumer.ack(received)
    ```

    A received message is hidden from the rest of the group for a while; what is not acknowledged by then comes again.
    Over gRPC and ApsaraMQ HTTP; over remoting the start raises `UnsupportedError`.

    `topics` as for a `PushConsumer`. The other arguments: `await_duration` (15 s) that a `receive` waits when it does
    not say, `orderly` (False; over ApsaraMQ HTTP: the next messages of a message group come when all before them are
    acknowledged), and `credentials`, `tls`, `namespace`, `client_id`, `http_proxy` as for a `Producer`. Calls take a
    message as it was received, or its `receipt` alone.
    """

    def start(self) -> Self:
        """Connects and subscribes now, so that a wrong address or topic is reported here."""
        _logging.start()
        self._start()
        return self

    def receive(self, max: int, invisible: timedelta, *, wait: timedelta | None = None) -> list[Received]:
        """Takes up to `max` (1 to 32) messages, hidden for `invisible` (10 s to 12 h; over ApsaraMQ HTTP the server
        hides them for 300 s, a longer time raises `UnsupportedError`).

        Waits at most `wait` for the first one; an empty list says that there was none. What the server has handed out
        for a call that was interrupted comes again after `invisible`.
        """
        return self._receive(max, invisible, wait)

    def ack(self, receipt: Received | ReceiptHandle) -> None:
        """Tells the server that a message was consumed.

        `InvalidReceiptError`: the handle is expired, was replaced, or is none; the message comes again.
        """
        self._ack(receipt)

    def ack_all(self, receipts: Sequence[Received | ReceiptHandle]) -> list[Error | None]:
        """The same for many, with one request a broker; for each, in their order, its error or `None`."""
        return self._ack_all(receipts)

    def change_invisible(self, receipt: Received | ReceiptHandle, invisible: timedelta) -> ReceiptHandle:
        """Hides a received message until `invisible` from now (0: it comes again at once; at most 12 h).

        Returns the new handle, which a `Received` has from then on; the old one ends.
        """
        return self._change_invisible(receipt, invisible)

    def subscribe(self, topic: str, filter: str | Sql92 = "*") -> None:
        """Adds or replaces a subscription."""
        self._subscribe(topic, filter)

    def unsubscribe(self, topic: str) -> None:
        """Ends a subscription."""
        self._unsubscribe(topic)

    def close(self) -> None:
        """Signs off and closes the connections; receives under way raise `ClosedError`. Idempotent."""
        self._close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
