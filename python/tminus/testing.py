"""A RocketMQ server for tests, inside this process.

```python
with tminus.testing.Broker(virtual_clock=True) as broker:
    producer = tminus.Producer(broker.endpoint, clock=broker.clock)
    producer.send(tminus.Message("orders", b"renew", deliver_after=timedelta(days=365)))
    broker.advance(timedelta(days=365))  # the message is visible when this returns
```

pytest finds the fixtures `rocketmq_broker` (real clock) and `rocketmq_virtual_broker` by itself.
"""

from ._native import Broker as Broker
from ._native import PendingMessage as PendingMessage
from ._native import SharedClock as SharedClock
from ._types import MessageStage as MessageStage

__all__ = ["Broker", "MessageStage", "PendingMessage", "SharedClock"]
