"""The end of the interpreter: whoever did not close a client gets it closed, within a bound."""

from __future__ import annotations

import atexit
import threading
import time
from datetime import timedelta

from . import _logging, _native

LIMIT = timedelta(seconds=5)

_workers: set[threading.Thread] = set()


def work(thread: threading.Thread) -> None:
    """Starts a thread that the end of the interpreter waits for. It must end when its client is closed."""
    _workers.difference_update({worker for worker in _workers if not worker.is_alive()})
    _workers.add(thread)
    thread.start()


@atexit.register
def _end() -> None:
    # Threads that wait in the core must be out of it before the interpreter goes.
    deadline = time.monotonic() + LIMIT.total_seconds()
    _native.close_all(LIMIT)
    for worker in _workers:
        worker.join(timeout=max(0.0, deadline - time.monotonic()))
    _logging.stop()
