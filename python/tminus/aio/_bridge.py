from __future__ import annotations

import asyncio
from typing import Callable, TypeVar

from .._native import Completions

T = TypeVar("T")
Call = tuple[int, "asyncio.Future[T]"]


class Bridge:
    """Ties a client to the event loop that uses it first."""

    _loop: asyncio.AbstractEventLoop | None = None
    _completions: Completions
    _is_watched = False

    def _via(self) -> Completions:
        loop = asyncio.get_running_loop()
        if self._loop is None:
            self._completions = Completions(loop)
            self._loop = loop
        elif self._loop is not loop:
            raise RuntimeError("this object belongs to another event loop; make one for each loop")
        if not self._is_watched:
            loop.add_reader(self._completions.fileno(), self._completions.drain)
            self._is_watched = True
        return self._completions

    async def _connect(self, start: Callable[[Completions], Call[None]]) -> None:
        try:
            await self._finish(start(self._via()))
        except BaseException:
            self._unwatch()
            raise

    async def _finish(self, call: Call[T]) -> T:
        ticket, future = call
        try:
            return await future
        except asyncio.CancelledError:
            self._completions.abort(ticket)
            raise

    def _unwatch(self) -> None:
        if self._loop is not None and self._is_watched:
            self._loop.remove_reader(self._completions.fileno())
            self._is_watched = False
