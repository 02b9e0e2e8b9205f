"""Types of the extension module; `mypy.stubtest` compares them with the built one."""

from asyncio import AbstractEventLoop, Future
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any, Final, Literal, final, overload

from typing_extensions import disjoint_base

from ._types import ConsumeMode, ConsumeResult, MessageStage, RetryAfterLevel, SendStatus, Sql92, TransactionResolution
from .errors import Error

__all__ = [
    "ERROR_KINDS",
    "Broker",
    "Completions",
    "Consumed",
    "Credentials",
    "Delivery",
    "HttpClient",
    "Message",
    "MessageQueue",
    "MessageView",
    "PendingMessage",
    "Producer",
    "PushConsumer",
    "ReceiptHandle",
    "Received",
    "SendReceipt",
    "SharedClock",
    "SimpleConsumer",
    "TlsOptions",
    "TransactionCheck",
    "__version__",
    "close_all",
    "close_logs",
    "next_logs",
    "set_log_level",
]

__version__: Final[str]
ERROR_KINDS: Final[dict[str, int]]

_Answer = ConsumeResult | RetryAfterLevel | None
_Call = tuple[int, Future[Any]]
_ServerKind = Literal["auto", "apache5", "apache4", "huawei", "alibaba"]

def close_all(limit: timedelta) -> None: ...
def close_logs() -> None: ...
def next_logs() -> list[tuple[int, str, str]]: ...
def set_log_level(level: int) -> None: ...

@final
class Credentials:
    """Access key and secret key, with the security token of temporary credentials."""

    def __new__(cls, access_key: str, secret_key: str, security_token: str | None = None) -> Credentials: ...
    @property
    def access_key(self) -> str: ...

@final
class TlsOptions:
    """How connections are encrypted; certificates are verified unless `insecure`.

    PEM texts: `ca_pem` are the authorities to trust (none: the system's), `client_cert_pem` and `client_key_pem` the
    client's own certificate. `server_name` replaces the dialled host in the verification.
    """

    def __new__(
        cls,
        *,
        ca_pem: str | None = None,
        client_cert_pem: str | None = None,
        client_key_pem: str | None = None,
        server_name: str | None = None,
        insecure: bool = False,
    ) -> TlsOptions: ...

@final
class Message:
    """A message to send: topic, body, and what travels beside it. Faults are reported by the send call.

    `message_group` (at most 63 bytes over gRPC): messages of one group keep their order on a FIFO topic (over remoting:
    go to one queue). `priority`, 0 and up, is for topics that keep priorities.

    Give one delivery time at most: `deliver_at` (an aware datetime; past means at once), `deliver_after` the send call,
    or the server's `delay_level` 1 to 18. The raw properties of the servers' documents (`__STARTDELIVERTIME`,
    `TIMER_DELIVER_MS`, ..., Unix ms as text) are understood in `properties` too.
    """

    def __new__(
        cls,
        topic: str,
        body: bytes | bytearray,
        *,
        tag: str | None = None,
        keys: str | Sequence[str] | None = None,
        properties: dict[str, str] | None = None,
        message_group: str | None = None,
        priority: int | None = None,
        deliver_at: datetime | None = None,
        deliver_after: timedelta | None = None,
        delay_level: int | None = None,
    ) -> Message: ...
    @property
    def topic(self) -> str: ...
    @property
    def body(self) -> bytes: ...
    @property
    def properties(self) -> dict[str, str]: ...

@final
class MessageView:
    """A received message. It stays valid for as long as it is kept."""

    @property
    def topic(self) -> str: ...
    @property
    def body(self) -> bytes: ...
    @property
    def tag(self) -> str | None: ...
    @property
    def keys(self) -> tuple[str, ...]: ...
    @property
    def message_group(self) -> str | None: ...
    @property
    def properties(self) -> dict[str, str]: ...
    def get_property(self, name: str) -> str | None: ...
    @property
    def message_id(self) -> str: ...
    @property
    def offset_message_id(self) -> str: ...
    @property
    def broker(self) -> str: ...
    @property
    def queue_id(self) -> int: ...
    @property
    def queue_offset(self) -> int: ...
    @property
    def commit_log_offset(self) -> int: ...
    @property
    def prepared_transaction_offset(self) -> int: ...
    @property
    def store_size(self) -> int: ...
    @property
    def reconsume_times(self) -> int: ...
    @property
    def delivery_attempt(self) -> int:
        """Which delivery this is, from 1."""

    @property
    def deliver_at(self) -> datetime | None: ...
    @property
    def deliver_at_ms(self) -> int | None: ...
    @property
    def born_at(self) -> datetime: ...
    @property
    def born_at_ms(self) -> int: ...
    @property
    def stored_at(self) -> datetime: ...
    @property
    def stored_at_ms(self) -> int: ...

@final
class MessageQueue:
    """One queue of a topic on one broker."""

    @property
    def topic(self) -> str: ...
    @property
    def broker(self) -> str: ...
    @property
    def id(self) -> int: ...
    def __hash__(self) -> int: ...
    def __eq__(self, value: object, /) -> bool: ...
    def __lt__(self, value: MessageQueue, /) -> bool: ...
    def __le__(self, value: MessageQueue, /) -> bool: ...
    def __gt__(self, value: MessageQueue, /) -> bool: ...
    def __ge__(self, value: MessageQueue, /) -> bool: ...

@final
class SendReceipt:
    """What the server said about a stored message."""

    @property
    def status(self) -> SendStatus: ...
    @property
    def message_id(self) -> str: ...
    @property
    def offset_message_id(self) -> str: ...
    @property
    def queue(self) -> MessageQueue: ...
    @property
    def queue_offset(self) -> int: ...
    @property
    def transaction_id(self) -> str | None: ...
    @property
    def recall_handle(self) -> str | None: ...
    @property
    def region(self) -> str | None: ...
    @property
    def request_id(self) -> str | None:
        """Id of the request, for the support of a cloud service (ApsaraMQ HTTP)."""

@final
class Delivery:
    """A delivered message that wants to be settled; one that is dropped unsettled is delivered again later.

    As a context manager it gives the message and settles: success, or retry later after an exception.
    """

    @property
    def message(self) -> MessageView: ...
    def settle(self, result: ConsumeResult | RetryAfterLevel) -> None:
        """Says what became of the message, once; returns at once, the answer travels in the background."""

    def __enter__(self) -> MessageView: ...
    def __exit__(
        self,
        exception_type: type[BaseException] | None,
        _exception: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None: ...

@final
class ReceiptHandle:
    """What acknowledges a received message. Plain text: it may be kept, or handed to another consumer of the group."""

    def __new__(cls, topic: str, broker: str, message_id: str, handle: str) -> ReceiptHandle: ...
    @property
    def topic(self) -> str: ...
    @property
    def broker(self) -> str: ...
    @property
    def message_id(self) -> str: ...
    @property
    def handle(self) -> str:
        """The server's handle, opaque. It ends with the invisible duration, and is replaced when that is changed."""

    def __getnewargs__(self) -> tuple[str, str, str, str]: ...
    def __hash__(self) -> int: ...
    def __eq__(self, value: object, /) -> bool: ...

@final
class Received:
    """A received message: hidden from the group until it is acknowledged or its invisible duration ends."""

    @property
    def message(self) -> MessageView: ...
    @property
    def receipt(self) -> ReceiptHandle:
        """What acknowledges it: its newest handle."""

    @property
    def corrupted(self) -> bool:
        """Whether the body is not what the producer sent: its digest does not fit, or it cannot be decompressed.

        Do not process it; unacknowledged it comes again.
        """

    @property
    def invisible_until(self) -> datetime | None:
        """When it comes again unless it is acknowledged, by the server's clock; told over ApsaraMQ HTTP only."""

    @property
    def invisible_until_ms(self) -> int | None: ...
    @property
    def first_delivered_at(self) -> datetime | None:
        """When it was delivered first, by the server's clock; told over ApsaraMQ HTTP only, and without meaning there
        for messages received in order."""

    @property
    def first_delivered_at_ms(self) -> int | None: ...

_Receipt = Received | ReceiptHandle

@final
class Consumed:
    """What `HttpClient.consume` brought: at least one message."""

    @property
    def messages(self) -> list[Received]: ...
    @property
    def request_id(self) -> str:
        """Id of the request, for the service's support; empty if the server gave none."""

@final
class TransactionCheck:
    """A question about one transaction; one that is dropped unanswered is asked again later."""

    @property
    def message(self) -> MessageView: ...
    def resolve(self, resolution: TransactionResolution) -> None:
        """Says how the transaction ends, once; returns at once, the answer travels in the background."""

@final
class Completions:
    def __new__(cls, event_loop: AbstractEventLoop) -> Completions: ...
    def fileno(self) -> int: ...
    def drain(self) -> None: ...
    def abort(self, ticket: int) -> None: ...

@disjoint_base
class Producer:
    def __new__(
        cls,
        endpoint: str,
        *,
        group: str | None = None,
        topics: Sequence[str] = ...,
        checker: Callable[[MessageView], TransactionResolution | Awaitable[TransactionResolution]] | None = None,
        send_timeout: timedelta | None = None,
        retries: int | None = None,
        max_body_bytes: int | None = None,
        compress_above_bytes: int | None = None,
        compress_level: int | None = None,
        max_ahead: timedelta | None = None,
        past: Literal["deliver_now", "refuse"] | None = None,
        beyond: Literal["refuse", "let_server_decide"] | None = None,
        allow_duplicates: bool = False,
        body_encoding: Literal["text", "base64"] | None = None,
        transaction_check_after: timedelta | None = None,
        credentials: Credentials | None = None,
        tls: TlsOptions | bool | None = None,
        namespace: str | None = None,
        client_id: str | None = None,
        server_kind: _ServerKind | None = None,
        http_proxy: str | None = None,
        clock: SharedClock | None = None,
    ) -> Producer: ...
    @property
    def checker(self) -> Any: ...
    @property
    def client_id(self) -> str | None: ...
    def set_credentials(self, credentials: Credentials) -> None:
        """Signs the requests from now on with other credentials, as temporary ones need it."""

    @overload
    def _start(self, via: None = None) -> None: ...
    @overload
    def _start(self, via: Completions) -> _Call: ...
    @overload
    def _send(self, message: Message, timeout: timedelta | None = None, via: None = None) -> SendReceipt: ...
    @overload
    def _send(self, message: Message, timeout: timedelta | None, via: Completions) -> _Call: ...
    @overload
    def _send_by_key(
        self, message: Message, key: str, timeout: timedelta | None = None, via: None = None
    ) -> SendReceipt: ...
    @overload
    def _send_by_key(self, message: Message, key: str, timeout: timedelta | None, via: Completions) -> _Call: ...
    @overload
    def _send_to_queue(
        self, message: Message, queue: MessageQueue, timeout: timedelta | None = None, via: None = None
    ) -> SendReceipt: ...
    @overload
    def _send_to_queue(
        self, message: Message, queue: MessageQueue, timeout: timedelta | None, via: Completions
    ) -> _Call: ...
    @overload
    def _send_batch(
        self, messages: Sequence[Message], timeout: timedelta | None = None, via: None = None
    ) -> SendReceipt: ...
    @overload
    def _send_batch(self, messages: Sequence[Message], timeout: timedelta | None, via: Completions) -> _Call: ...
    @overload
    def _send_one_way(self, message: Message, via: None = None) -> None: ...
    @overload
    def _send_one_way(self, message: Message, via: Completions) -> _Call: ...
    @overload
    def _send_transaction(self, message: Message, via: None = None) -> SendReceipt: ...
    @overload
    def _send_transaction(self, message: Message, via: Completions) -> _Call: ...
    @overload
    def _end_transaction(self, half: SendReceipt, resolution: TransactionResolution, via: None = None) -> None: ...
    @overload
    def _end_transaction(self, half: SendReceipt, resolution: TransactionResolution, via: Completions) -> _Call: ...
    @overload
    def _next_checks(self, max: int, via: None = None) -> list[TransactionCheck]: ...
    @overload
    def _next_checks(self, max: int, via: Completions) -> _Call: ...
    @overload
    def _recall(self, topic: str, recall_handle: str, via: None = None) -> str: ...
    @overload
    def _recall(self, topic: str, recall_handle: str, via: Completions) -> _Call: ...
    @overload
    def _queues(self, topic: str, via: None = None) -> list[MessageQueue]: ...
    @overload
    def _queues(self, topic: str, via: Completions) -> _Call: ...
    @overload
    def _close(self, via: None = None) -> None: ...
    @overload
    def _close(self, via: Completions) -> _Call: ...

@disjoint_base
class PushConsumer:
    def __new__(
        cls,
        endpoint: str,
        group: str,
        topics: str | dict[str, str | Sql92] | dict[str, str] | Sequence[str],
        listener: Callable[[MessageView], _Answer | Awaitable[_Answer]] | None = None,
        *,
        concurrency: int = 8,
        model: Literal["clustering", "broadcasting"] | None = None,
        orderly: bool = False,
        consume_from: Literal["last_offset", "first_offset"] | datetime | None = None,
        max_reconsume_times: int | None = None,
        consume_timeout: timedelta | None = None,
        credentials: Credentials | None = None,
        tls: TlsOptions | bool | None = None,
        namespace: str | None = None,
        client_id: str | None = None,
        server_kind: _ServerKind | None = None,
        http_proxy: str | None = None,
    ) -> PushConsumer: ...
    @property
    def listener(self) -> Any: ...
    @property
    def concurrency(self) -> int: ...
    @property
    def client_id(self) -> str | None: ...
    def set_credentials(self, credentials: Credentials) -> None:
        """Signs the requests from now on with other credentials, as temporary ones need it."""

    @property
    def assigned_queues(self) -> list[MessageQueue]: ...
    def suspend(self) -> None:
        """Stops taking messages from the server until `resume`; what was taken is still delivered."""

    def resume(self) -> None:
        """Takes messages again."""

    @overload
    def _start(self, via: None = None) -> None: ...
    @overload
    def _start(self, via: Completions) -> _Call: ...
    @overload
    def _receive(self, max: int, timeout: timedelta | None = None, via: None = None) -> list[Delivery]: ...
    @overload
    def _receive(self, max: int, timeout: timedelta | None, via: Completions) -> _Call: ...
    @overload
    def _subscribe(self, topic: str, filter: str | Sql92, via: None = None) -> None: ...
    @overload
    def _subscribe(self, topic: str, filter: str | Sql92, via: Completions) -> _Call: ...
    @overload
    def _unsubscribe(self, topic: str, via: None = None) -> None: ...
    @overload
    def _unsubscribe(self, topic: str, via: Completions) -> _Call: ...
    @overload
    def _close(self, via: None = None) -> None: ...
    @overload
    def _close(self, via: Completions) -> _Call: ...

@disjoint_base
class SimpleConsumer:
    def __new__(
        cls,
        endpoint: str,
        group: str,
        topics: str | dict[str, str | Sql92] | dict[str, str] | Sequence[str],
        *,
        await_duration: timedelta | None = None,
        orderly: bool = False,
        credentials: Credentials | None = None,
        tls: TlsOptions | bool | None = None,
        namespace: str | None = None,
        client_id: str | None = None,
        server_kind: _ServerKind | None = None,
        http_proxy: str | None = None,
    ) -> SimpleConsumer: ...
    @property
    def client_id(self) -> str | None: ...
    def set_credentials(self, credentials: Credentials) -> None:
        """Signs the requests from now on with other credentials, as temporary ones need it."""

    @overload
    def _start(self, via: None = None) -> None: ...
    @overload
    def _start(self, via: Completions) -> _Call: ...
    @overload
    def _receive(
        self, max: int, invisible: timedelta, wait: timedelta | None = None, via: None = None
    ) -> list[Received]: ...
    @overload
    def _receive(self, max: int, invisible: timedelta, wait: timedelta | None, via: Completions) -> _Call: ...
    @overload
    def _ack(self, receipt: _Receipt, via: None = None) -> None: ...
    @overload
    def _ack(self, receipt: _Receipt, via: Completions) -> _Call: ...
    @overload
    def _ack_all(self, receipts: Sequence[_Receipt], via: None = None) -> list[Error | None]: ...
    @overload
    def _ack_all(self, receipts: Sequence[_Receipt], via: Completions) -> _Call: ...
    @overload
    def _change_invisible(self, receipt: _Receipt, invisible: timedelta, via: None = None) -> ReceiptHandle: ...
    @overload
    def _change_invisible(self, receipt: _Receipt, invisible: timedelta, via: Completions) -> _Call: ...
    @overload
    def _subscribe(self, topic: str, filter: str | Sql92, via: None = None) -> None: ...
    @overload
    def _subscribe(self, topic: str, filter: str | Sql92, via: Completions) -> _Call: ...
    @overload
    def _unsubscribe(self, topic: str, via: None = None) -> None: ...
    @overload
    def _unsubscribe(self, topic: str, via: Completions) -> _Call: ...
    @overload
    def _close(self, via: None = None) -> None: ...
    @overload
    def _close(self, via: Completions) -> _Call: ...

@disjoint_base
class HttpClient:
    def __new__(
        cls,
        endpoint: str,
        *,
        credentials: Credentials | None = None,
        tls: TlsOptions | bool | None = None,
        namespace: str | None = None,
        http_proxy: str | None = None,
        connect_timeout: timedelta | None = None,
        request_timeout: timedelta | None = None,
        clock: SharedClock | None = None,
    ) -> HttpClient: ...
    def set_credentials(self, credentials: Credentials) -> None:
        """Signs the requests from now on with other credentials, as temporary ones need it."""

    @overload
    def _publish(self, message: Message, timeout: timedelta | None = None, via: None = None) -> SendReceipt: ...
    @overload
    def _publish(self, message: Message, timeout: timedelta | None, via: Completions) -> _Call: ...
    @overload
    def _consume(
        self, topic: str, group: str, max: int, tag: str, mode: ConsumeMode, wait: timedelta, via: None = None
    ) -> Consumed: ...
    @overload
    def _consume(
        self, topic: str, group: str, max: int, tag: str, mode: ConsumeMode, wait: timedelta, via: Completions
    ) -> _Call: ...
    @overload
    def _ack(self, topic: str, group: str, handles: Sequence[str], via: None = None) -> list[Error | None]: ...
    @overload
    def _ack(self, topic: str, group: str, handles: Sequence[str], via: Completions) -> _Call: ...
    @overload
    def _end_transaction(
        self, topic: str, group: str, handle: str, resolution: TransactionResolution, via: None = None
    ) -> None: ...
    @overload
    def _end_transaction(
        self, topic: str, group: str, handle: str, resolution: TransactionResolution, via: Completions
    ) -> _Call: ...
    @overload
    def _close(self, via: None = None) -> None: ...
    @overload
    def _close(self, via: Completions) -> _Call: ...

@final
class Broker:
    """A RocketMQ server on a loopback port: name server, broker and gRPC proxy in one.

    With `virtual_clock`, scheduled messages become visible only by `advance`. `tls` serves TLS beside plain TCP with a
    certificate of its own making (`ca_pem`); `tls_only` refuses plain connections; with `client_ca_pem` clients must
    show a certificate of that authority. With `credentials`, every request must be signed by one of them. `persona` is
    the server whose habits it takes on. `http_invisible` (300 s) is how long a message stays hidden that was received
    over ApsaraMQ HTTP. `listen` is `127.0.0.1:0`, a free port.
    """

    def __new__(
        cls,
        *,
        virtual_clock: bool = False,
        tls: bool = False,
        tls_only: bool = False,
        client_ca_pem: str | None = None,
        credentials: Sequence[Credentials] = ...,
        persona: Literal["loopback", "apache5", "apache4", "huawei"] = "loopback",
        auto_create_topics: bool = True,
        queues: int = 4,
        http_invisible: timedelta | None = None,
        listen: str | None = None,
    ) -> Broker: ...
    @property
    def endpoint(self) -> str:
        """`host:port` for clients; with `grpc://` or `http://` in front for those over gRPC and ApsaraMQ HTTP."""

    @property
    def clock(self) -> SharedClock:
        """The clock it runs by; give it to a `Producer` whose delays shall count by it."""

    @property
    def ca_pem(self) -> str | None:
        """PEM text of the authority that signed the self-made certificate; `None` without TLS."""

    def create_topic(
        self,
        topic: str,
        queues: int = 4,
        *,
        type: Literal["mixed", "normal", "fifo", "delay", "transaction", "priority"] | None = None,
    ) -> None:
        """Creates a topic, or changes its number of queues and its type: which messages it takes over gRPC.

        `None` is the type of topics that the persona creates by itself.
        """

    def create_group(
        self,
        group: str,
        *,
        fifo: bool = False,
        max_attempts: int | None = None,
        backoff: Sequence[timedelta] | None = None,
    ) -> None:
        """Creates a consumer group, or changes how it is served over gRPC.

        With `fifo` the next message of a message group comes when the one before is settled. `max_attempts` (17)
        deliveries make a dead letter; `backoff` (the 18 delay levels) lies between them, the last step repeats.
        """

    def message_stage(self, topic: str, group: str, message_id: str) -> MessageStage:
        """Where a message is on its way through the broker to a group."""

    def advance(self, by: timedelta) -> int:
        """Moves a virtual clock forward, in deadline order; returns how many messages became visible."""

    def pending(self) -> list[PendingMessage]:
        """Scheduled messages that wait, in deadline order."""

    def inject(
        self,
        request_code: int,
        fault: Literal["refuse", "swallow", "close_before", "close_after", "corrupt", "gateway"],
        *,
        times: int = 1,
        code: int = 1,
        remark: str = ...,
    ) -> None:
        """Lets the next `times` requests with this request code meet a fault.

        `refuse` answers `code` and `remark`; `corrupt` gives bodies a wrong digest (over gRPC and HTTP); `gateway` is
        the page of a middle box (over HTTP). Calls of the other protocols go by the code of the same meaning.
        """

    def request_count(self, request_code: int) -> int:
        """How many requests with this request code came so far."""

    def restart(self, down: timedelta = ...) -> None:
        """Closes the port and every connection, waits `down`, and opens the same port again; messages stay."""

    def close(self) -> None:
        """Stops it. Nothing happens the second time."""

    def __enter__(self) -> Broker: ...
    def __exit__(
        self,
        _exception_type: type[BaseException] | None,
        _exception: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None: ...

@final
class SharedClock:
    """A clock that a broker and its clients share."""

    def now(self) -> datetime:
        """The time by this clock."""

@final
class PendingMessage:
    """A scheduled message that waits in the broker."""

    @property
    def topic(self) -> str: ...
    @property
    def message_id(self) -> str: ...
    @property
    def deliver_at(self) -> datetime: ...
    @property
    def deliver_at_ms(self) -> int: ...
