from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from enum import IntEnum
from typing import TYPE_CHECKING, Any, Callable, NamedTuple

import tminus

from ._message import Message, Text, to_text
from ._settings import Settings
from .exceptions import (
    ProducerException,
    ProducerSendAsyncFailed,
    ProducerSendOnewayFailed,
    ProducerSendOrderlyFailed,
    ProducerSendSyncFailed,
    ProducerStartFailed,
    raising,
    translated,
)

if TYPE_CHECKING:
    import asyncio

    from ._callbacks import Callbacks


class SendStatus(IntEnum):
    OK = 0
    FLUSH_DISK_TIMEOUT = 1
    FLUSH_SLAVE_TIMEOUT = 2
    SLAVE_NOT_AVAILABLE = 3

    def __str__(self) -> str:
        return f"SendStatus.{self.name}"


class TransactionStatus(IntEnum):
    COMMIT = 0
    ROLLBACK = 1
    UNKNOWN = 2


class SendResult(NamedTuple):
    status: SendStatus
    msg_id: str
    offset: int


def hashing_queue_selector(mq_size: int, msg: Message, arg: int) -> int:
    return arg % mq_size


QueueSelector = Callable[[int, Message, Any], int]
SuccessCallback = Callable[[SendResult], object]
ExceptionCallback = Callable[[ProducerSendAsyncFailed], object]


def _result(receipt: tminus.SendReceipt) -> SendResult:
    return SendResult(SendStatus(receipt.status.value), receipt.message_id, receipt.queue_offset)


class Producer(Settings):
    def __init__(
        self,
        group_id: Text,
        orderly: bool = False,
        timeout: int | None = None,
        compress_level: int | None = None,
        max_message_size: int | None = None,
    ) -> None:
        super().__init__(group_id)
        self._client: tminus.Producer | None = None
        self._callbacks: Callbacks | None = None
        if timeout is not None:
            self.set_timeout(timeout)
        if compress_level is not None:
            self.set_compress_level(compress_level)
        if max_message_size is not None:
            self.set_max_message_size(max_message_size)

    def set_timeout(self, timeout: int) -> None:
        """Deadline of a send in milliseconds, shared by all its attempts."""
        self._options["send_timeout"] = timedelta(milliseconds=timeout)

    def set_compress_level(self, level: int) -> None:
        self._options["compress_level"] = level

    def set_max_message_size(self, max_size: int) -> None:
        self._options["max_body_bytes"] = max_size

    def start(self) -> None:
        with raising(ProducerStartFailed):
            client = tminus.Producer(self._endpoint, group=self._group, **self.connection())
            self._client = client.start()

    def shutdown(self) -> None:
        if self._client is not None:
            self._client.close()
        if self._callbacks is not None:
            self._callbacks.close()
            self._callbacks = None

    def send_sync(self, msg: Message) -> SendResult:
        with raising(ProducerSendSyncFailed):
            return _result(self._started().send(msg.to_native()))

    def send_batch(self, msgs: Sequence[Message]) -> SendResult:
        with raising(ProducerSendSyncFailed):
            return _result(self._started().send_batch([msg.to_native() for msg in msgs]))

    def send_oneway(self, msg: Message) -> None:
        with raising(ProducerSendOnewayFailed):
            self._started().send_one_way(msg.to_native())

    def send_orderly_with_sharding_key(self, msg: Message, sharding_key: Text) -> SendResult:
        with raising(ProducerSendOrderlyFailed):
            return _result(self._started().send_by_key(msg.to_native(), to_text(sharding_key)))

    def send_orderly(
        self,
        msg: Message,
        arg: Any,
        retry_times: int = 3,
        queue_selector: QueueSelector = hashing_queue_selector,
    ) -> SendResult:
        """Sends to the queue that `queue_selector(number_of_queues, msg, arg)` picks."""
        with raising(ProducerSendOrderlyFailed):
            client = self._started()
            queues = client.queues(msg.topic)
            queue = queues[queue_selector(len(queues), msg, arg)]
            for _ in range(retry_times):
                try:
                    return _result(client.send_to_queue(msg.to_native(), queue))
                except tminus.Error as error:
                    if not error.retryable:
                        raise
            return _result(client.send_to_queue(msg.to_native(), queue))

    def send_oneway_orderly(
        self, msg: Message, arg: Any, queue_selector: QueueSelector = hashing_queue_selector
    ) -> None:
        """Sends to the picked queue without asking for the result."""
        try:
            self.send_orderly(msg, arg, 0, queue_selector)
        except ProducerSendOrderlyFailed as error:
            raise translated(error, ProducerSendOnewayFailed) from error

    def send_async(
        self,
        msg: Message,
        success_callback: SuccessCallback | None,
        exception_callback: ExceptionCallback | None,
    ) -> None:
        """Sends without waiting; one of the callbacks is called on a thread of this producer."""
        from ._callbacks import Callbacks  # brings asyncio, which few programs need here

        if self._callbacks is None:
            self._callbacks = Callbacks()

        def done(future: asyncio.Future[tminus.SendReceipt]) -> None:
            error = future.exception()
            if error is None:
                if success_callback:
                    success_callback(_result(future.result()))
            elif isinstance(error, tminus.Error):
                failed = translated(error, ProducerSendAsyncFailed)
                if exception_callback is None:
                    raise failed
                exception_callback(failed)

        self._callbacks.send(self._started(), msg.to_native(), done)

    def _started(self) -> tminus.Producer:
        if self._client is None:
            raise ProducerException("the producer is not started; call start() first", kind="invalid_argument")
        return self._client


class TransactionMQProducer(Producer):
    """Not part of this version."""

    def __init__(
        self,
        group_id: Text,
        checker_callback: Callable[..., Any],
        user_args: Any = None,
        timeout: int | None = None,
        compress_level: int | None = None,
        max_message_size: int | None = None,
    ) -> None:
        raise NotImplementedError("transactional messages are not part of this version of tminus")

    def send_message_in_transaction(
        self, message: Message, local_execute: Callable[..., Any], user_args: Any = None
    ) -> SendResult:
        raise NotImplementedError("transactional messages are not part of this version of tminus")
