from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from types import TracebackType
from typing import TYPE_CHECKING

from .. import _logging, _native
from .._native import ReceiptHandle, Received
from .._types import Sql92
from ..errors import Error
from ._bridge import Bridge

if TYPE_CHECKING:
    from typing_extensions import Self


class AsyncSimpleConsumer(Bridge, _native.SimpleConsumer):
    """Receives messages when asked, each to be acknowledged. Arguments as for `tminus.SimpleConsumer`.

    ```python
    async with tminus.aio.AsyncSimpleConsumer("grpc://127.0.0.1:8081", "billing", "orders") as consumer:
        for received in await consumer.receive(10, timedelta(seconds=30)):
            print(received.message.body)
            await consumer.ack(received)
    ```
    """

    async def start(self) -> Self:
        """Connects and subscribes now, so that a wrong address or topic is reported here."""
        _logging.start()
        await self._connect(self._start)
        return self

    async def receive(self, max: int, invisible: timedelta, *, wait: timedelta | None = None) -> list[Received]:
        """Takes up to `max` (1 to 32) messages, hidden for `invisible` (10 s to 12 h; over ApsaraMQ HTTP the server
        hides them for 300 s, a longer time raises `UnsupportedError`).

        Waits at most `wait` for the first one; an empty list says that there was none. What the server has handed out
        for a cancelled call comes again after `invisible`.
        """
        return await self._finish(self._receive(max, invisible, wait, self._via()))

    async def ack(self, receipt: Received | ReceiptHandle) -> None:
        """Tells the server that a message was consumed.

        `InvalidReceiptError`: the handle is expired, was replaced, or is none; the message comes again.
        """
        await self._finish(self._ack(receipt, self._via()))

    async def ack_all(self, receipts: Sequence[Received | ReceiptHandle]) -> list[Error | None]:
        """The same for many, with one request a broker; for each, in their order, its error or `None`."""
        return await self._finish(self._ack_all(receipts, self._via()))

    async def change_invisible(self, receipt: Received | ReceiptHandle, invisible: timedelta) -> ReceiptHandle:
        """Hides a received message until `invisible` from now (0: it comes again at once; at most 12 h).

        Returns the new handle, which a `Received` has from then on; the old one ends.
        """
        return await self._finish(self._change_invisible(receipt, invisible, self._via()))

    async def subscribe(self, topic: str, filter: str | Sql92 = "*") -> None:
        """Adds or replaces a subscription."""
        await self._finish(self._subscribe(topic, filter, self._via()))

    async def unsubscribe(self, topic: str) -> None:
        """Ends a subscription."""
        await self._finish(self._unsubscribe(topic, self._via()))

    async def close(self) -> None:
        """Signs off and closes the connections; receives under way raise `ClosedError`. Idempotent."""
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
