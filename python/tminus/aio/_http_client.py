from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from types import TracebackType
from typing import TYPE_CHECKING

from .. import _logging, _native
from .._native import Consumed, Message, SendReceipt
from .._types import ConsumeMode, TransactionResolution
from ..errors import Error
from ._bridge import Bridge

if TYPE_CHECKING:
    from typing_extensions import Self


class AsyncHttpClient(Bridge, _native.HttpClient):
    """The calls of ApsaraMQ HTTP as its document has them. Arguments as for `tminus.HttpClient`.

    ```python
    async with tminus.aio.AsyncHttpClient("http://123.mqrest.cn-hangzhou.aliyuncs.com", credentials=keys) as client:
        await client.publish(tminus.Message("orders", b"close if unpaid", deliver_after=timedelta(minutes=30)))
    ```

    A cancelled call ends its request: whether the message left before is then unknown, and what a consume was about to
    get is hidden until it comes again.
    """

    async def publish(self, message: Message, *, timeout: timedelta | None = None) -> SendReceipt:
        """Sends a message once. With the property `__TransCheckT` (10 to 300 s until the first check) it is the half
        message of a transaction, whose handle is the `transaction_id` of the receipt."""
        return await self._finish(self._publish(message, timeout, self._via()))

    async def consume(
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

        `wait`: whole seconds, at most 30 s; `MessageNotFoundError` if none came. `mode` as for `tminus.HttpClient`.
        """
        return await self._finish(self._consume(topic, group, max, tag, mode, wait, self._via()))

    async def ack(self, topic: str, group: str, handles: Sequence[str]) -> list[Error | None]:
        """Acknowledges 1 to 16 messages by their handles; for each, in their order, its error or `None`."""
        return await self._finish(self._ack(topic, group, handles, self._via()))

    async def end_transaction(self, topic: str, group: str, handle: str, resolution: TransactionResolution) -> None:
        """Ends a transaction by the handle of its publish, or of a consume of half messages; `UNKNOWN` does nothing."""
        await self._finish(self._end_transaction(topic, group, handle, resolution, self._via()))

    async def close(self) -> None:
        """Closes the connections; calls under way raise `ClosedError`. Idempotent."""
        await self._finish(self._close(self._via()))
        self._unwatch()

    async def __aenter__(self) -> Self:
        _logging.start()
        return self

    async def __aexit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()
