"""tminus: scheduled messages for RocketMQ that leave on time.

`Producer`, `PushConsumer` and `SimpleConsumer` block; `tminus.aio` has the same for asyncio; `tminus.testing` has a
broker for tests.
The package `rocketmq`, installed beside this one, is the API of rocketmq-client-python for programs that use it.
"""

from . import _exit as _exit
from ._consumer import Answer, Listener, PushConsumer
from ._native import (
    Credentials,
    Delivery,
    Message,
    MessageQueue,
    MessageView,
    ReceiptHandle,
    Received,
    SendReceipt,
    TlsOptions,
    __version__,
)
from ._producer import Producer
from ._simple_consumer import SimpleConsumer
from ._transaction import Checker, Transaction
from ._types import ConsumeResult, RetryAfterLevel, SendStatus, Sql92, TransactionResolution
from .errors import Error, Outcome

__all__ = [
    "Answer",
    "Checker",
    "ConsumeResult",
    "Credentials",
    "Delivery",
    "Error",
    "Listener",
    "Message",
    "MessageQueue",
    "MessageView",
    "Outcome",
    "Producer",
    "PushConsumer",
    "ReceiptHandle",
    "Received",
    "RetryAfterLevel",
    "SendReceipt",
    "SendStatus",
    "SimpleConsumer",
    "Sql92",
    "TlsOptions",
    "Transaction",
    "TransactionResolution",
    "__version__",
]
