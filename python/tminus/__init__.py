"""tminus: scheduled messages for RocketMQ that leave on time.

`Producer`, `PushConsumer` and `SimpleConsumer` block, as `HttpClient` does; `tminus.aio` has the same for asyncio;
`tminus.testing` has a broker for tests.
The packages `rocketmq` and `mq_http_sdk`, installed beside this one, are the APIs of rocketmq-client-python and of
Alibaba's mq_http_sdk for programs that use them.
"""

from . import _exit as _exit
from ._consumer import Answer, Listener, PushConsumer
from ._http_client import HttpClient
from ._native import (
    Consumed,
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
from ._types import ConsumeMode, ConsumeResult, RetryAfterLevel, SendStatus, Sql92, TransactionResolution
from .errors import Error, Outcome

__all__ = [
    "Answer",
    "Checker",
    "ConsumeMode",
    "ConsumeResult",
    "Consumed",
    "Credentials",
    "Delivery",
    "Error",
    "HttpClient",
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
