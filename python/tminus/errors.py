"""What can go wrong: one base class, `Error`, and subclasses for what a program may want to tell apart.

Where Python has an exception of the same meaning (`ValueError`, `TimeoutError`, ...), ours is one too.
"""

from __future__ import annotations

import builtins
import enum

from ._native import ERROR_KINDS as ERROR_KINDS

__all__ = [
    "ERROR_KINDS",
    "BusyError",
    "ClockSkewError",
    "ClosedError",
    "ConnectionError",
    "Error",
    "ForkedError",
    "InternalError",
    "InvalidArgumentError",
    "InvalidDeliveryTimeError",
    "InvalidMessageError",
    "InvalidReceiptError",
    "IoError",
    "MessageNotFoundError",
    "NotFoundError",
    "OperationCancelledError",
    "Outcome",
    "PermissionDeniedError",
    "ProtocolError",
    "ServerError",
    "TimeoutError",
    "TlsError",
    "TopicTypeMismatchError",
    "UnsupportedError",
]


class Outcome(enum.Enum):
    """What is known about a message when its send failed."""

    NOT_SENT = 0
    """The server did not get it, or refused it: sending it again makes no duplicate."""
    MAYBE_SENT = 1
    """It left this process and the answer is missing: it may be stored."""
    DONE = 2
    """The server has stored it."""


class Error(Exception):
    """The base of everything that tminus raises for a reason of its own.

    The text says what to do next, where that is known.
    """

    kind: str
    """Stable name of what went wrong, the same in every language; `ERROR_KINDS` lists them with their numbers."""
    code: int | None
    """The response code, if a server answered: RocketMQ's, that of gRPC, or over ApsaraMQ HTTP the status."""
    outcome: Outcome
    """What is known about the message."""
    retryable: bool
    """Whether the same call can succeed later. With `Outcome.MAYBE_SENT` a repeat can make a duplicate."""
    operation: str
    """The call that failed: `"send"`, `"start"`, ..."""
    server_code: str | None
    """What an ApsaraMQ HTTP server calls it: `"TopicNotExist"`, ...; empty if a middle box answered, else `None`."""
    server_message: str | None
    """The explanation of that server, or the beginning of the page of a middle box."""
    request_id: str | None
    """Id of the request, for the support of that service; empty if it gave none."""
    host_id: str | None
    """URL of that server; empty if it did not say."""

    def __init__(
        self,
        text: str = "",
        *,
        kind: str = "internal",
        code: int | None = None,
        outcome: Outcome = Outcome.NOT_SENT,
        retryable: bool = False,
        operation: str = "",
        server_code: str | None = None,
        server_message: str | None = None,
        request_id: str | None = None,
        host_id: str | None = None,
    ) -> None:
        super().__init__(text)
        self.kind = kind
        self.code = code
        self.outcome = outcome
        self.retryable = retryable
        self.operation = operation
        self.server_code = server_code
        self.server_message = server_message
        self.request_id = request_id
        self.host_id = host_id


class InvalidArgumentError(Error, ValueError):
    """An argument or option is unusable; nothing was sent."""


class InvalidMessageError(InvalidArgumentError):
    """The message itself is unusable: topic, body or properties; nothing was sent."""


class InvalidDeliveryTimeError(InvalidMessageError):
    """The delivery time is not a usable number, looks like seconds, is past (if refused) or too far ahead."""


class UnsupportedError(Error):
    """The server kind or protocol in use has no such capability."""


class ClosedError(Error):
    """The object was closed."""


class ForkedError(ClosedError):
    """The object was made before a `fork` and is used in the child; make a new one there."""


class OperationCancelledError(Error):
    """The call was cancelled."""


class TimeoutError(Error, builtins.TimeoutError):
    """The deadline passed."""


class ConnectionError(Error, builtins.ConnectionError):
    """No name server answered, a broker cannot be connected to, or a connection closed under way."""


class ProtocolError(ConnectionError):
    """The other side speaks another protocol (an HTTP or gRPC port, for instance), or breaks this one."""


class TlsError(ConnectionError):
    """TLS failed: certificate not trusted, wrong name, or the server speaks no TLS."""


class NotFoundError(Error):
    """The topic or consumer group does not exist."""


class TopicTypeMismatchError(Error):
    """The topic does not take this type of message (normal, FIFO, delay, transaction, priority).

    The text names both types and the command that changes the topic.
    """


class InvalidReceiptError(Error):
    """The receipt handle of a received message is expired, was replaced by a newer one, or is none."""


class MessageNotFoundError(Error):
    """No message came within the wait of `HttpClient.consume`, or the message of a receipt handle is gone."""


class ClockSkewError(Error):
    """The server does not take the time of the request: the clock of this machine or its own is wrong."""


class PermissionDeniedError(Error, PermissionError):
    """Credentials are missing or wrong, or do not allow this."""


class ServerError(Error):
    """The server answered with an error; see `code` and the text."""


class BusyError(ServerError):
    """The server is overloaded or limits the flow; try again later."""


class InternalError(Error):
    """A defect of tminus. Please report it."""


class IoError(Error, OSError):
    """Reading or writing failed outside a connection (a certificate file, for instance)."""


_CLASSES: dict[str, type[Error]] = {
    "invalid_argument": InvalidArgumentError,
    "invalid_message": InvalidMessageError,
    "invalid_delivery_time": InvalidDeliveryTimeError,
    "delay_unsupported": UnsupportedError,
    "unsupported": UnsupportedError,
    "closed": ClosedError,
    "forked": ForkedError,
    "cancelled": OperationCancelledError,
    "timeout": TimeoutError,
    "name_server_unreachable": ConnectionError,
    "broker_unreachable": ConnectionError,
    "connection_closed": ConnectionError,
    "wrong_protocol": ProtocolError,
    "protocol": ProtocolError,
    "tls": TlsError,
    "topic_not_found": NotFoundError,
    "group_not_found": NotFoundError,
    "permission_denied": PermissionDeniedError,
    "busy": BusyError,
    "message_refused": ServerError,
    "server": ServerError,
    "internal": InternalError,
    "io": IoError,
    "invalid_receipt": InvalidReceiptError,
    "topic_type_mismatch": TopicTypeMismatchError,
    "clock_skew": ClockSkewError,
    "message_not_found": MessageNotFoundError,
}


def _from_native(
    kind: str,
    text: str,
    code: int | None,
    outcome: int,
    retryable: bool,
    operation: str,
    refusal: tuple[str, str, str, str] | None,
) -> Error:
    server_code, server_message, request_id, host_id = refusal or (None, None, None, None)
    return _CLASSES.get(kind, Error)(
        text,
        kind=kind,
        code=code,
        outcome=Outcome(outcome),
        retryable=retryable,
        operation=operation,
        server_code=server_code,
        server_message=server_message,
        request_id=request_id,
        host_id=host_id,
    )
