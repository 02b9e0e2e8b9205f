"""`rocketmq.client` as programs for rocketmq-client-python 2.0.0 (and 0.4.4) know it.

What differs: `with Producer(...) as p` gives the producer; a received message stays valid after the callback; a
callback that raises is logged; `str(status)` is the name on every version of Python; TLS is switched on by the
environment (`TMINUS_TLS_CA`: file of the certificate authorities to trust).
"""

from __future__ import annotations

from ._consumer import ConsumeStatus, MessageModel, PullConsumer, PushConsumer
from ._message import Message, ReceivedMessage, RecvMessage
from ._producer import (
    Producer,
    SendResult,
    SendStatus,
    TransactionMQProducer,
    TransactionStatus,
    hashing_queue_selector,
)
from .consts import MessageProperty
from .exceptions import RocketMQException

__all__ = [
    "ConsumeStatus",
    "Message",
    "MessageModel",
    "MessageProperty",
    "Producer",
    "PullConsumer",
    "PushConsumer",
    "ReceivedMessage",
    "RecvMessage",
    "RocketMQException",
    "SendResult",
    "SendStatus",
    "TransactionMQProducer",
    "TransactionStatus",
    "hashing_queue_selector",
]
