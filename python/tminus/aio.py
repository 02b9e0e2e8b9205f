"""Producer and push consumer for asyncio.

No threads of their own: the core answers the event loop directly, many answers with one wake-up.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Sequence
from datetime import timedelta
from types import TracebackType
from typing import TYPE_CHECKING, Callable, TypeVar, Union

from . import _logging, _native
from ._consumer import Answer, retry, settle
from ._native import Completions, Delivery, Message, MessageQueue, MessageView, SendReceipt
from ._types import Sql92

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["AsyncListener", "AsyncProducer", "AsyncPushConsumer"]

AsyncListener = Callable[[MessageView], Awaitable[Union[Answer, None]]]
"""Awaited for every message. `None` is success; an exception is logged and the message comes again later."""

T = TypeVar("T")
Call = tuple[int, "asyncio.Future[T]"]


class _Bridge:
    """Ties a client to the event loop that uses it first."""

    _loop: asyncio.AbstractEventLoop | None = None
    _completions: Completions
    _is_watched = False

    def _via(self) -> Completions:
        loop = asyncio.get_running_loop()
        if self._loop is None:
            self._completions = Completions(loop)
            self._loop = loop
        elif self._loop is not loop:
            raise RuntimeError("this object belongs to another event loop; make one for each loop")
        if not self._is_watched:
            loop.add_reader(self._completions.fileno(), self._completions.drain)
            self._is_watched = True
        return self._completions

    async def _connect(self, start: Callable[[Completions], Call[None]]) -> None:
        try:
            await self._finish(start(self._via()))
        except BaseException:
            self._unwatch()
            raise

    async def _finish(self, call: Call[T]) -> T:
        ticket, future = call
        try:
            return await future
        except asyncio.CancelledError:
            self._completions.abort(ticket)
            raise

    def _unwatch(self) -> None:
        if self._loop is not None and self._is_watched:
            self._loop.remove_reader(self._completions.fileno())
            self._is_watched = False


class AsyncProducer(_Bridge, _native.Producer):
    """Sends messages from asyncio. Arguments as for `tminus.Producer`.

    ```python
    async with tminus.aio.AsyncProducer("127.0.0.1:9876") as producer:
        await producer.send(tminus.Message("orders", b"close if unpaid", deliver_after=timedelta(minutes=30)))
    ```

    A cancelled send stops its attempts; whether the message left before is then unknown.
    """

    async def start(self) -> Self:
        """Connects now, so that a wrong address or certificate is reported here and not by the first send."""
        _logging.start()
        await self._connect(self._start)
        return self

    async def send(self, message: Message, *, timeout: timedelta | None = None) -> SendReceipt:
        """Sends and waits for the receipt. An `Error` tells in `outcome` whether the message may be stored."""
        return await self._finish(self._send(message, timeout, self._via()))

    async def send_by_key(self, message: Message, key: str, *, timeout: timedelta | None = None) -> SendReceipt:
        """Sends messages of equal `key` to the same queue, so that an orderly consumer gets them in order."""
        return await self._finish(self._send_by_key(message, key, timeout, self._via()))

    async def send_to_queue(
        self, message: Message, queue: MessageQueue, *, timeout: timedelta | None = None
    ) -> SendReceipt:
        """Sends to one queue; no other is tried."""
        return await self._finish(self._send_to_queue(message, queue, timeout, self._via()))

    async def send_batch(self, messages: Sequence[Message], *, timeout: timedelta | None = None) -> SendReceipt:
        """Sends messages of one topic as one; they cannot be scheduled."""
        return await self._finish(self._send_batch(messages, timeout, self._via()))

    async def send_one_way(self, message: Message) -> None:
        """Hands the message to the connection and does not wait for the server."""
        await self._finish(self._send_one_way(message, self._via()))

    async def queues(self, topic: str) -> list[MessageQueue]:
        """The queues that messages for `topic` can go to."""
        return await self._finish(self._queues(topic, self._via()))

    async def close(self) -> None:
        """Signs off and closes the connections, within 3 s. Idempotent."""
        await self._finish(self._close(self._via()))
        self._unwatch()

    async def __aenter__(self) -> Self:
        return await self.start()

    async def __aexit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()


class AsyncPushConsumer(_Bridge, _native.PushConsumer):
    """Consumes topics from asyncio: by an `async` listener, or by iterating. Arguments as for `tminus.PushConsumer`;
    `concurrency` counts the listeners that run at the same time.

    ```python
    async with tminus.aio.AsyncPushConsumer("127.0.0.1:9876", "reminders", "orders") as consumer:
        async for delivery in consumer:
            with delivery as message:  # settles: success, or retry later after an exception
                print(message.body)
    ```
    """

    _workers: tuple[asyncio.Task[None], ...] = ()
    _abandoned: Call[list[Delivery]] | None = None

    async def start(self) -> Self:
        """Connects, subscribes, and starts the listeners."""
        _logging.start()
        await self._connect(self._start)
        if self.listener is not None and not self._workers:
            self._workers = tuple(
                asyncio.create_task(self._work(self.listener), name=f"tminus-listener-{n}")
                for n in range(self.concurrency)
            )
        return self

    async def receive(self, max: int = 1, *, timeout: timedelta | None = None) -> list[Delivery]:
        """Waits for a delivery and takes up to `max`; none after `timeout` or when the consumer is closed.

        A cancelled call loses nothing: what it was about to get goes to the next call.
        """
        call, self._abandoned = self._abandoned or self._receive(max, timeout, self._via()), None
        try:
            return await asyncio.shield(call[1])
        except asyncio.CancelledError:
            self._abandoned = call
            raise

    async def subscribe(self, topic: str, filter: str | Sql92 = "*") -> None:
        """Adds or replaces a subscription."""
        await self._finish(self._subscribe(topic, filter, self._via()))

    async def unsubscribe(self, topic: str) -> None:
        """Ends a subscription."""
        await self._finish(self._unsubscribe(topic, self._via()))

    async def close(self) -> None:
        """Waits for running listeners, stores the offsets and signs off, within 5 s. Idempotent."""
        await self._finish(self._close(self._via()))
        await asyncio.gather(*(worker for worker in self._workers if worker is not asyncio.current_task()))
        self._unwatch()

    async def _work(self, listener: AsyncListener) -> None:
        while deliveries := await self._finish(self._receive(1, None, self._via())):
            for delivery in deliveries:
                try:
                    settle(delivery, await listener(delivery.message))
                except Exception:
                    retry(delivery)

    async def __aiter__(self) -> AsyncIterator[Delivery]:
        while deliveries := await self.receive():
            for delivery in deliveries:
                yield delivery

    async def __aenter__(self) -> Self:
        return await self.start()

    async def __aexit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()
