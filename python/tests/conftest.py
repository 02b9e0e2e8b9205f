from __future__ import annotations

import itertools
import queue
import signal
import socket
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import tminus
from tminus.testing import Broker

SEND_MESSAGE_V2 = 310
"""The request code of a send."""
RECEIVE_MESSAGE = 200_050
ACK_MESSAGE = 200_051
"""Those of a simple consumer's calls; over HTTP consume and acknowledge go by them too."""

PATIENCE = 10.0
"""Seconds after which a message that should be there is missing."""

# A shell that runs the tests in the background lets them ignore Ctrl-C, and the programs they start would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)

_names = itertools.count()


@pytest.fixture
def broker(rocketmq_broker: Broker) -> Broker:
    return rocketmq_broker


@pytest.fixture
def virtual_broker(rocketmq_virtual_broker: Broker) -> Broker:
    return rocketmq_virtual_broker


@pytest.fixture(params=["remoting", "grpc", "http"])
def scheme(request: pytest.FixtureRequest) -> str:
    """Of an endpoint: the protocol is the only difference."""
    return str(request.param)


@pytest.fixture
def producer(broker: Broker, scheme: str) -> Iterator[tminus.Producer]:
    with tminus.Producer(f"{scheme}://{broker.endpoint}", body_encoding="base64") as producer:
        yield producer


@pytest.fixture
def topic() -> str:
    return f"topic-{next(_names)}"


class Inbox(queue.Queue[tminus.MessageView]):
    """A listener that keeps what it gets."""

    def __call__(self, message: tminus.MessageView) -> None:
        self.put(message)

    def next(self) -> tminus.MessageView:
        return self.get(timeout=PATIENCE)

    def take(self, count: int) -> list[tminus.MessageView]:
        return [self.next() for _ in range(count)]


Consume = Callable[..., tminus.PushConsumer]


@pytest.fixture
def consume(scheme: str) -> Iterator[Consume]:
    """Starts consumers from the first offset, in groups of their own, and closes them."""
    consumers: list[tminus.PushConsumer] = []

    def start(
        broker: Broker, topics: object, listener: object = None, group: str = "", **options: object
    ) -> tminus.PushConsumer:
        group = group or f"group-{next(_names)}"
        options = {"consume_from": "first_offset", **options}
        endpoint = f"{scheme}://{broker.endpoint}"
        consumer = tminus.PushConsumer(endpoint, group, topics, listener, **options)  # type: ignore[arg-type]
        consumers.append(consumer)
        return consumer.start()

    yield start
    for consumer in consumers:
        consumer.close()


Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def run_python(tmp_path: Path) -> Run:
    """Runs a program in a fresh interpreter, outside the source tree."""

    def run(program: str, *arguments: str, timeout: float = 30) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-W", "error", "-c", textwrap.dedent(program), *arguments]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=timeout)

    return run


class Answers:
    """An HTTP server that answers every request with the same status, page and date, and keeps the requests."""

    def __init__(self, answer: tuple[str, str]) -> None:
        status, page = answer
        date = "Date: Thu, 01 Jan 2026 00:00:00 GMT"
        head = f"HTTP/1.1 {status}\r\n{date}\r\nContent-Length: {len(page)}\r\nConnection: close\r\n\r\n"
        self.requests: list[bytes] = []
        self._answer = (head + page).encode()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self.endpoint = "http://{}:{}".format(*self._listener.getsockname())

    def __enter__(self) -> Answers:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join(timeout=PATIENCE)
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection, connection.makefile("rb") as lines:
                head = b"".join(iter(lines.readline, b"\r\n"))
                length = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
                body = lines.read(int(length[0].split(b":")[1])) if length else b""
                self.requests.append(head + b"\r\n" + body)
                connection.sendall(self._answer)


def seconds(count: float) -> timedelta:
    return timedelta(seconds=count)
