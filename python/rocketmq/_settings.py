from __future__ import annotations

from abc import ABC, abstractmethod
from types import TracebackType
from typing import TYPE_CHECKING, Any

import tminus
from tminus import _environment

from ._message import Text, to_text

if TYPE_CHECKING:
    from typing_extensions import Self


class Settings(ABC):
    """What producers and consumers of this API share: they are configured first and connected by `start`."""

    def __init__(self, group_id: Text) -> None:
        self._group = to_text(group_id)
        self._endpoint = ""
        self._options: dict[str, Any] = {}

    def set_group(self, group_name: Text) -> None:
        self._group = to_text(group_name)

    def set_name_server_address(self, addr: Text) -> None:
        """`host:port`, several separated by `;`; `remotings://host:port` for TLS."""
        self._endpoint = to_text(addr)

    def set_name_server_domain(self, domain: Text) -> None:
        raise NotImplementedError(
            "name server discovery over HTTP is not part of this version; use set_name_server_address('host:port')"
        )

    def set_session_credentials(self, access_key: Text, access_secret: Text, channel: Text) -> None:
        """Signs every request. The `channel` named a vendor to the original client; no server reads it."""
        self._options["credentials"] = tminus.Credentials(to_text(access_key), to_text(access_secret))

    set_namesrv_addr = set_name_server_address
    set_namesrv_domain = set_name_server_domain

    def connection(self) -> dict[str, Any]:
        """The options, with TLS as the environment says: this API has no call for it."""
        return {**self._options, "tls": _environment.tls()}

    @abstractmethod
    def start(self) -> None: ...

    @abstractmethod
    def shutdown(self) -> None: ...

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.shutdown()
