from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from types import TracebackType
from typing import TYPE_CHECKING

from . import _logging, _native
from ._native import Message, MessageQueue, SendReceipt

if TYPE_CHECKING:
    from typing_extensions import Self


class Producer(_native.Producer):
    """Sends messages; may be used by many threads at once.

    ```python
    with tminus.Producer("127.0.0.1:9876") as producer:
        producer.send(tminus.Message("orders", b"close if unpaid", deliver_after=timedelta(minutes=30)))
    ```

    `endpoint` names the name servers: `host:port`, several separated by `;`, `remotings://` for TLS. Others:

    - `send_timeout` (3 s): deadline of a send, shared by all its attempts; `retries` (2): further attempts, each on
      another broker if there is one.
    - `max_ahead` (365 days), `past` (`"deliver_now"`, `"refuse"`), `beyond` (`"refuse"`, `"let_server_decide"`): limits
      for delivery times.
    - `max_body_bytes` (4 MiB); bodies from `compress_above_bytes` (4096) are compressed with zlib at
      `compress_level` (5).
    - `credentials`, `tls` (`True`, or `TlsOptions`), `namespace`, `client_id`.
    - `server_kind` (`"auto"`): `"apache5"`, `"apache4"`, `"huawei"` or `"alibaba"`, if it is known.
    - `clock`: what delays count by, if it is not the machine's; `tminus.testing.Broker.clock` in tests.

    The connection is made by `start`, by `with`, or by the first send.
    """

    def start(self) -> Self:
        """Connects now, so that a wrong address or certificate is reported here and not by the first send."""
        _logging.start()
        self._start()
        return self

    def send(self, message: Message, *, timeout: timedelta | None = None) -> SendReceipt:
        """Sends and waits for the receipt. An `Error` tells in `outcome` whether the message may be stored."""
        return self._send(message, timeout)

    def send_by_key(self, message: Message, key: str, *, timeout: timedelta | None = None) -> SendReceipt:
        """Sends messages of equal `key` to the same queue, so that an orderly consumer gets them in order."""
        return self._send_by_key(message, key, timeout)

    def send_to_queue(self, message: Message, queue: MessageQueue, *, timeout: timedelta | None = None) -> SendReceipt:
        """Sends to one queue; no other is tried."""
        return self._send_to_queue(message, queue, timeout)

    def send_batch(self, messages: Sequence[Message], *, timeout: timedelta | None = None) -> SendReceipt:
        """Sends messages of one topic as one; they cannot be scheduled."""
        return self._send_batch(messages, timeout)

    def send_one_way(self, message: Message) -> None:
        """Hands the message to the connection and does not wait for the server."""
        self._send_one_way(message)

    def queues(self, topic: str) -> list[MessageQueue]:
        """The queues that messages for `topic` can go to."""
        return self._queues(topic)

    def close(self) -> None:
        """Signs off and closes the connections, within 3 s. Idempotent."""
        self._close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
