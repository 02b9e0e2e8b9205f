"""Producer, push consumer and simple consumer for asyncio.

No threads of their own: the core answers the event loop directly, many answers with one wake-up.
"""

from ._producer import AsyncChecker, AsyncProducer, AsyncTransaction
from ._push_consumer import AsyncListener, AsyncPushConsumer
from ._simple_consumer import AsyncSimpleConsumer

__all__ = [
    "AsyncChecker",
    "AsyncListener",
    "AsyncProducer",
    "AsyncPushConsumer",
    "AsyncSimpleConsumer",
    "AsyncTransaction",
]
