"""Producer, push consumer, simple consumer and HTTP client for asyncio.

No threads of their own: the core answers the event loop directly, many answers with one wake-up.
"""

from ._http_client import AsyncHttpClient
from ._producer import AsyncChecker, AsyncProducer, AsyncTransaction
from ._push_consumer import AsyncListener, AsyncPushConsumer
from ._simple_consumer import AsyncSimpleConsumer

__all__ = [
    "AsyncChecker",
    "AsyncHttpClient",
    "AsyncListener",
    "AsyncProducer",
    "AsyncPushConsumer",
    "AsyncSimpleConsumer",
    "AsyncTransaction",
]
