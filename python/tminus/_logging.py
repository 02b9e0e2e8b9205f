"""Carries the core's log records to the logger `tminus`.

No record is lost to a busy interpreter and no network thread waits for one: the core queues, and a thread of Python's
own comes for the records in batches. The level is looked up when a client starts and with every batch.
"""

from __future__ import annotations

import logging
import os
import threading

from . import _native

logger = logging.getLogger("tminus")

_thread: threading.Thread | None = None


def start() -> None:
    """Takes the level of the logger, and starts the thread if this process has none."""
    global _thread
    _native.set_log_level(_level())
    if _thread is None:
        _thread = threading.Thread(target=_carry, name="tminus-log", daemon=True)
        _thread.start()


def stop() -> None:
    """Ends the thread; the last records are carried over first."""
    _native.close_logs()
    if _thread is not None:
        _thread.join(timeout=1)


def _carry() -> None:
    while records := _native.next_logs():
        for level, module, text in records:
            logger.log(level, "%s", text, extra={"core_module": module})
        _native.set_log_level(_level())


def _level() -> int:
    return min(logger.getEffectiveLevel(), 255)


def _forget() -> None:
    global _thread
    _thread = None


os.register_at_fork(after_in_child=_forget)
