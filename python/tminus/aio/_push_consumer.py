from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable
from datetime import timedelta
from types import TracebackType
from typing import TYPE_CHECKING, Callable, Union

from .. import _logging, _native
from .._consumer import Answer, retry, settle
from .._native import Delivery, MessageView
from .._types import Sql92
from ._bridge import Bridge, Call

if TYPE_CHECKING:
    from typing_extensions import Self

AsyncListener = Callable[[MessageView], Awaitable[Union[Answer, None]]]
"""Awaited for every message. `None` is success; an exception is logged and the message comes again later."""


class AsyncPushConsumer(Bridge, _native.PushConsumer):
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
