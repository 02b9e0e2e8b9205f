from __future__ import annotations

import asyncio
import threading
from typing import Callable

import tminus
from tminus._native import Completions

Done = Callable[["asyncio.Future[tminus.SendReceipt]"], object]


class Callbacks:
    """Runs the callbacks of asynchronous sends, all on one thread."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._under_way: set[asyncio.Future[tminus.SendReceipt]] = set()
        self._completions = Completions(self._loop)
        self._loop.add_reader(self._completions.fileno(), self._completions.drain)
        self._thread = threading.Thread(target=self._loop.run_forever, name="tminus-callbacks", daemon=True)
        self._thread.start()

    def send(self, client: tminus.Producer, message: tminus.Message, done: Done) -> None:
        def submit() -> None:
            _, future = client._send(message, None, self._completions)
            self._under_way.add(future)
            future.add_done_callback(done)
            future.add_done_callback(self._under_way.discard)

        self._loop.call_soon_threadsafe(submit)

    def close(self) -> None:
        """Waits for the callbacks of what is under way."""
        if threading.current_thread() is self._thread:
            self._loop.stop()
            return
        asyncio.run_coroutine_threadsafe(self._settled(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _settled(self) -> None:
        if self._under_way:
            await asyncio.wait(self._under_way)
            # The callbacks of the last one run in the next round of the loop.
            await asyncio.sleep(0)
