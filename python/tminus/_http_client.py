from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from types import TracebackType
from typing import TYPE_CHECKING

from . import _logging, _native
from ._native import Consumed, Message, SendReceipt
from ._types import ConsumeMode, TransactionResolution
from .errors import Error

if TYPE_CHECKING:
    from typing_extensions import Self


class HttpClient(_native.HttpClient):
    """The calls of ApsaraMQ HTTP as its document has them; may be used by many threads at once.

    ```python
    with tminus.HttpClient("http://123.mqrest.cn-hangzhou.aliyuncs.com", credentials=keys) as client:
        client.publish(tminus.Message("orders", b"close if unpaid", deliver_after=timedelta(minutes=30)))
        for received in client.consume("orders", "billing", 16, wait=timedelta(seconds=30)).messages:
            print(received.message.body)
            client.ack("orders", "billing", [received.receipt.handle])
    ```

    `Producer`, `SimpleConsumer` and `PushConsumer` stand on the same calls and take the same endpoints. `namespace` is
    the id of the instance (`MQ_INST_...`), if it has one. `connect_timeout` (3 s), `request_timeout` (3 s beside the
    wait of a consume), `http_proxy`, `credentials` and `tls` as for a `Producer`; a new client is connected by its
    first call.
    """

    def publish(self, message: Message, *, timeout: timedelta | None = None) -> SendReceipt:
        """Sends a message once. With the property `__TransCheckT` (10 to 300 s until the first check) it is the half
        message of a transaction, whose handle is the `transaction_id` of the receipt."""
        return self._publish(message, timeout)

    def consume(
        self,
        topic: str,
        group: str,
        max: int = 1,
        *,
        tag: str = "*",
        mode: ConsumeMode = "concurrent",
        wait: timedelta = timedelta(),
    ) -> Consumed:
        """Takes up to `max` (1 to 16) messages, hidden from the group until their `invisible_until`.

        `wait`: whole seconds, at most 30 s; `MessageNotFoundError` if none came. `mode`: `"orderly"` gives the next
        messages of a message group when all that were delivered of it are acknowledged; `"half"` gives half messages
        whose transactions are open, `group` being that of their producer. It is never repeated: an answer that gets
        lost leaves its messages hidden until they come again.
        """
        return self._consume(topic, group, max, tag, mode, wait)

    def ack(self, topic: str, group: str, handles: Sequence[str]) -> list[Error | None]:
        """Acknowledges 1 to 16 messages by their handles; for each, in their order, its error or `None`."""
        return self._ack(topic, group, handles)

    def end_transaction(self, topic: str, group: str, handle: str, resolution: TransactionResolution) -> None:
        """Ends a transaction by the handle of its publish, or of a consume of half messages; `UNKNOWN` does nothing."""
        self._end_transaction(topic, group, handle, resolution)

    def close(self) -> None:
        """Closes the connections; calls under way raise `ClosedError`. Idempotent."""
        self._close()

    def __enter__(self) -> Self:
        _logging.start()
        return self

    def __exit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
