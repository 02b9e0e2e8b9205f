from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import timedelta
from types import TracebackType
from typing import TYPE_CHECKING

from . import _exit, _logging, _native
from ._native import Message, MessageQueue, SendReceipt
from ._transaction import Checker, Transaction, answer, not_known

if TYPE_CHECKING:
    from typing_extensions import Self


class Producer(_native.Producer):
    """Sends messages; may be used by many threads at once.

    ```python
    with tminus.Producer("127.0.0.1:9876") as producer:
        producer.send(tminus.Message("orders", b"close if unpaid", deliver_after=timedelta(minutes=30)))
    ```

    `endpoint` says where and by which protocol: `host:port` are name servers (`remotings://host:port` with TLS),
    `grpc://host:port` is a proxy of RocketMQ 5 (`grpcs://` with TLS); several are separated by `;`. `http://host` is
    an ApsaraMQ HTTP service (`https://` with TLS). Others:

    - `send_timeout` (3 s): deadline of a send, shared by all its attempts; `retries` (2): further attempts, each on
      another broker if there is one.
    - `max_ahead` (365 days), `past` (`"deliver_now"`, `"refuse"`), `beyond` (`"refuse"`, `"let_server_decide"`): limits
      for delivery times.
    - `max_body_bytes` (4 MiB); bodies from `compress_above_bytes` (4096) are compressed with zlib at
      `compress_level` (5).
    - `topics`: looked up at the start, so that it fails early; over gRPC, servers ask about transactions on these.
    - over ApsaraMQ HTTP: `allow_duplicates` (False: a send that may have been stored is not tried again),
      `body_encoding` (`"text"`: what XML cannot carry is refused; `"base64"`), `transaction_check_after` (10 s to
      300 s: when the server first asks about a transaction; 10 s), `http_proxy` (a URL, or `"direct"`; by default what
      `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY` say).
    - `checker`: called, on a thread of its own, when a server asks how a transaction ended that was neither committed
      nor rolled back; from `start` or the first transaction on.
    - `credentials`, `tls` (`True`, or `TlsOptions`), `namespace` (over ApsaraMQ HTTP the id of the instance),
      `client_id`.
    - `server_kind` (`"auto"`): `"apache5"`, `"apache4"`, `"huawei"` or `"alibaba"`, if it is known.
    - `clock`: what delays count by, if it is not the machine's; `tminus.testing.Broker.clock` in tests.

    The connection is made by `start`, by `with`, or by the first send.
    """

    _checks: threading.Thread | None = None
    _checks_lock = threading.Lock()

    def start(self) -> Self:
        """Connects now, so that a wrong address or certificate is reported here and not by the first send."""
        _logging.start()
        self._start()
        self._answer_checks()
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

    def send_transaction(self, message: Message) -> Transaction:
        """Sends the half message of a transaction: consumers get it when it is committed. It cannot be scheduled."""
        receipt = self._send_transaction(message)
        self._answer_checks()
        return Transaction(self, receipt)

    def recall(self, topic: str, recall_handle: str) -> str:
        """Takes back a scheduled message, by the `recall_handle` of its receipt; returns its message id."""
        return self._recall(topic, recall_handle)

    def queues(self, topic: str) -> list[MessageQueue]:
        """The queues that messages for `topic` can go to."""
        return self._queues(topic)

    def close(self) -> None:
        """Signs off and closes the connections, within 3 s. Idempotent."""
        self._close()
        if self._checks is not None and self._checks is not threading.current_thread():
            self._checks.join(timeout=_exit.LIMIT.total_seconds())

    def _answer_checks(self) -> None:
        with self._checks_lock:
            if self.checker is not None and self._checks is None:
                self._checks = threading.Thread(
                    target=self._work, args=(self.checker,), name="tminus-checker", daemon=True
                )
                _exit.work(self._checks)

    def _work(self, checker: Checker) -> None:
        while checks := self._next_checks(1):
            for check in checks:
                try:
                    answer(check, checker(check.message))
                except BaseException:
                    not_known(check)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
