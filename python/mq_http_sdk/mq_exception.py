"""The exceptions of mq_http_sdk; each is a `tminus.Error` too, with `kind`, `code` (the HTTP status) and `outcome`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Optional

import tminus

__all__ = [
    "MQClientException",
    "MQClientNetworkException",
    "MQClientParameterException",
    "MQExceptionBase",
    "MQServerException",
]

SubErrors = Optional[list[dict[str, str]]]
"""For each handle that was refused its `ErrorCode`, `ErrorMessage` and `ReceiptHandle`."""


class MQExceptionBase(tminus.Error):
    """The base of all."""

    type: str
    """What went wrong, as the server calls it (`"MessageNotExist"`, `"TopicNotExist"`, ...) or this package."""
    message: str
    req_id: str | None
    sub_errors: SubErrors = None

    def __init__(self, type: str, message: str, req_id: str | None = None) -> None:
        super().__init__(message)
        self.type = type
        self.message = message
        self.req_id = req_id

    def get_info(self) -> str:
        request = f" RequestID:{self.req_id}" if self.req_id is not None else ""
        return f'("{self.type}" "{self.message}"){request}\n'

    def __str__(self) -> str:
        return f"{self.__class__.__name__}  {self.get_info()}"


class MQClientException(MQExceptionBase):
    """No server refused anything: the call itself is wrong, or nobody answered it."""


class MQServerException(MQExceptionBase):
    """The server refused. `sub_errors` is there when it took some receipt handles and refused others."""

    def __init__(
        self,
        type: str,
        message: str,
        request_id: str | None,
        host_id: str | None,
        sub_errors: SubErrors = None,
    ) -> None:
        super().__init__(type, message, request_id)
        self.request_id = request_id
        self.host_id = host_id
        self.sub_errors = sub_errors


class MQClientNetworkException(MQClientException):
    """No answer, or none of this protocol: `NetWorkException`, `RespDataDamaged`."""


class MQClientParameterException(MQClientException):
    """An argument is unusable; nothing was sent."""


_PARAMETERS = {
    "invalid_message": "MessageInvalid",
    "invalid_delivery_time": "StartDeliverTimeInvalid",
    "delay_unsupported": "StartDeliverTimeInvalid",
    "invalid_argument": "InvalidArgument",
    "unsupported": "InvalidArgument",
}


def translated(error: tminus.Error, sub_errors: SubErrors = None) -> MQExceptionBase:
    """`error` as this package has it, with all that is known about it."""
    raised: MQExceptionBase
    if error.server_code:
        raised = MQServerException(
            error.server_code, error.server_message or "", error.request_id, error.host_id, sub_errors
        )
    elif error.code is None and error.kind in _PARAMETERS:
        raised = MQClientParameterException(_PARAMETERS[error.kind], str(error))
    else:
        kind = "NetWorkException" if error.code is None else "RespDataDamaged"
        raised = MQClientNetworkException(kind, str(error), error.request_id)
    vars(raised).update(vars(error))
    return raised


@contextmanager
def raising() -> Iterator[None]:
    """What goes wrong inside is raised as an exception of this package."""
    try:
        yield
    except MQExceptionBase:
        raise
    except tminus.Error as error:
        raise translated(error) from error
    except (TypeError, ValueError, OverflowError) as error:
        raise MQClientParameterException("TypeInvalid", str(error)) from error
