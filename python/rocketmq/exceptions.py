"""The exceptions of rocketmq-client-python; each is a `tminus.Error` too, with `kind`, `code` and `outcome`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

import tminus


class RocketMQException(tminus.Error):
    """The base of all."""


class NullPointerException(RocketMQException):
    """Kept for programs that name it; nothing raises it."""


class MallocFailed(RocketMQException):
    """Kept for programs that name it; nothing raises it."""


class ProducerException(RocketMQException):
    pass


class ProducerStartFailed(ProducerException):
    pass


class ProducerSendSyncFailed(ProducerException):
    pass


class ProducerSendOnewayFailed(ProducerException):
    pass


class ProducerSendOrderlyFailed(ProducerException):
    pass


class ProducerSendAsyncFailed(ProducerException):
    """What `send_async` hands to its exception callback; `error` is the response code, or -1."""

    def __init__(self, msg: str = "", error: int = -1, file: str = "", line: int = 0, type: str = "") -> None:
        super().__init__(msg)
        self.error = error
        self.file = file
        self.line = line
        self.type = type


class ConsumerException(RocketMQException):
    pass


class PushConsumerStartFailed(ConsumerException):
    pass


E = TypeVar("E", bound=RocketMQException)


def translated(error: tminus.Error, exception: type[E]) -> E:
    """`error` as `exception`, with all that is known about it."""
    raised = exception(str(error))
    vars(raised).update(vars(error))
    return raised


@contextmanager
def raising(exception: type[RocketMQException]) -> Iterator[None]:
    """What goes wrong inside is raised as `exception`."""
    try:
        yield
    except tminus.Error as error:
        raise translated(error, exception) from error
