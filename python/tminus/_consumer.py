from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta
from types import TracebackType
from typing import TYPE_CHECKING, Any, Callable, Union

from . import _exit, _logging, _native
from ._native import Delivery, MessageView
from ._types import ConsumeResult, RetryAfterLevel, Sql92

if TYPE_CHECKING:
    from typing_extensions import Self

Answer = Union[ConsumeResult, RetryAfterLevel]
"""What became of a message."""

Listener = Callable[[MessageView], Union[Answer, None]]
"""Called for every message. `None` is success; an exception is logged and the message comes again later."""


def settle(delivery: Delivery, answer: Any) -> None:
    """Settles by what a listener returned."""
    if answer is None:
        answer = ConsumeResult.SUCCESS
    if not isinstance(answer, (ConsumeResult, RetryAfterLevel)):
        raise TypeError(f"a listener returns None, a ConsumeResult or RetryAfterLevel(n), not {answer!r}")
    delivery.settle(answer)


def retry(delivery: Delivery) -> None:
    """Gives a message back after its listener raised, and says so with the traceback."""
    _logging.logger.exception("the listener failed on %r; it is delivered again later", delivery.message)
    delivery.settle(ConsumeResult.RETRY_LATER)


class PushConsumer(_native.PushConsumer):
    """Consumes topics as a member of a group: by a listener, or by iterating.

    ```python
    def remind(message: tminus.MessageView) -> None:
        print(message.body)

    with tminus.PushConsumer("127.0.0.1:9876", "reminders", "orders", remind):
        input("Enter ends it")
    ```

    `topics` is one topic, several, or a mapping of topic to filter: tags (`"paid || closed"`) or `Sql92(...)`.
    The `listener` runs on `concurrency` (8) threads. Without a listener, iterate or call `receive`:

    ```python
    with tminus.PushConsumer("127.0.0.1:9876", "reminders", "orders") as consumer:
        for delivery in consumer:
            with delivery as message:  # settles: success, or retry later after an exception
                print(message.body)
    ```

    The other arguments: `model` (`"clustering"`, `"broadcasting"`), `orderly` (False), `consume_from`
    (`"last_offset"`, `"first_offset"` or an aware datetime) for a group without stored offsets,
    `max_reconsume_times` (16) retries before a message becomes a dead letter, `consume_timeout` (15 min) after which an
    unsettled message is given back, and `credentials`, `tls`, `namespace`, `client_id`, `http_proxy` as for a
    `Producer`.
    """

    _threads: tuple[threading.Thread, ...] = ()

    def start(self) -> Self:
        """Connects, subscribes, and starts the listener's threads."""
        _logging.start()
        self._start()
        if self.listener is not None and not self._threads:
            self._threads = tuple(
                threading.Thread(target=self._work, args=(self.listener,), name=f"tminus-listener-{n}", daemon=True)
                for n in range(self.concurrency)
            )
            for thread in self._threads:
                _exit.work(thread)
        return self

    def receive(self, max: int = 1, *, timeout: timedelta | None = None) -> list[Delivery]:
        """Waits for a delivery and takes up to `max`; none after `timeout` or when the consumer is closed."""
        return self._receive(max, timeout)

    def subscribe(self, topic: str, filter: str | Sql92 = "*") -> None:
        """Adds or replaces a subscription."""
        self._subscribe(topic, filter)

    def unsubscribe(self, topic: str) -> None:
        """Ends a subscription."""
        self._unsubscribe(topic)

    def close(self) -> None:
        """Waits for running listeners, stores the offsets and signs off, within 5 s. Idempotent."""
        self._close()
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join(timeout=_exit.LIMIT.total_seconds())

    def _work(self, listener: Listener) -> None:
        while deliveries := self._receive(1):
            for delivery in deliveries:
                try:
                    settle(delivery, listener(delivery.message))
                except BaseException:
                    retry(delivery)

    def __iter__(self) -> Iterator[Delivery]:
        while deliveries := self._receive(1):
            yield from deliveries

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
