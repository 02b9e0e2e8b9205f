from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from datetime import timedelta
from types import TracebackType
from typing import TYPE_CHECKING, Callable

from .. import _logging, _native
from .._native import Message, MessageQueue, MessageView, SendReceipt
from .._transaction import answer, not_known, not_rolled_back
from .._types import TransactionResolution
from ..errors import Error
from ._bridge import Bridge

if TYPE_CHECKING:
    from typing_extensions import Self

AsyncChecker = Callable[[MessageView], Awaitable[TransactionResolution]]
"""Awaited for the half message of a transaction that did not end. After `UNKNOWN`, or an exception (it is logged), the
server asks again."""


class AsyncProducer(Bridge, _native.Producer):
    """Sends messages from asyncio. Arguments as for `tminus.Producer`.

    ```python
    async with tminus.aio.AsyncProducer("127.0.0.1:9876") as producer:
        await producer.send(tminus.Message("orders", b"close if unpaid", deliver_after=timedelta(minutes=30)))
    ```

    The `checker` is awaited. A cancelled send stops its attempts; whether the message left before is then unknown.
    """

    _checks: asyncio.Task[None] | None = None

    async def start(self) -> Self:
        """Connects now, so that a wrong address or certificate is reported here and not by the first send."""
        _logging.start()
        await self._connect(self._start)
        self._answer_checks()
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

    async def send_transaction(self, message: Message) -> AsyncTransaction:
        """Sends the half message of a transaction: consumers get it when it is committed. It cannot be scheduled."""
        receipt = await self._finish(self._send_transaction(message, self._via()))
        self._answer_checks()
        return AsyncTransaction(self, receipt)

    async def recall(self, topic: str, recall_handle: str) -> str:
        """Takes back a scheduled message, by the `recall_handle` of its receipt; returns its message id."""
        return await self._finish(self._recall(topic, recall_handle, self._via()))

    async def queues(self, topic: str) -> list[MessageQueue]:
        """The queues that messages for `topic` can go to."""
        return await self._finish(self._queues(topic, self._via()))

    async def close(self) -> None:
        """Signs off and closes the connections, within 3 s. Idempotent."""
        await self._finish(self._close(self._via()))
        if self._checks is not None and self._checks is not asyncio.current_task():
            await self._checks
        self._unwatch()

    async def _end(self, half: SendReceipt, resolution: TransactionResolution) -> None:
        await self._finish(self._end_transaction(half, resolution, self._via()))

    def _answer_checks(self) -> None:
        if self.checker is not None and self._checks is None:
            self._checks = asyncio.create_task(self._work(self.checker), name="tminus-checker")

    async def _work(self, checker: AsyncChecker) -> None:
        while checks := await self._finish(self._next_checks(1, self._via())):
            for check in checks:
                try:
                    answer(check, await checker(check.message))
                except Exception:
                    not_known(check)

    async def __aenter__(self) -> Self:
        return await self.start()

    async def __aexit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()


class AsyncTransaction:
    """A half message that waits for its end: consumers get it when it is committed.

    ```python
    async with await producer.send_transaction(tminus.Message("payments", b"order 42")):
        await charge()  # the end of the block commits; an exception rolls back
    ```

    Without an end, the server asks the `checker` of the producer.
    """

    receipt: SendReceipt
    """What the server said about the half message."""

    def __init__(self, producer: AsyncProducer, receipt: SendReceipt) -> None:
        self._producer = producer
        self._is_ended = False
        self.receipt = receipt

    async def commit(self) -> None:
        """Lets consumers have the message."""
        await self._end(TransactionResolution.COMMIT)

    async def rollback(self) -> None:
        """Drops the message."""
        await self._end(TransactionResolution.ROLLBACK)

    async def _end(self, resolution: TransactionResolution) -> None:
        # Also when it fails: a commit that may have arrived must not be followed by a rollback.
        self._is_ended = True
        await self._producer._end(self.receipt, resolution)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._is_ended:
            return
        if exception_type is None:
            await self.commit()
            return
        try:
            await self.rollback()
        except Error:
            not_rolled_back(self.receipt)
