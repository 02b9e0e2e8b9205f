from __future__ import annotations

import itertools
import queue
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import tminus
from tminus.testing import Broker

SEND_MESSAGE_V2 = 310
"""The request code of a send."""

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


@pytest.fixture(params=["remoting", "grpc"])
def scheme(request: pytest.FixtureRequest) -> str:
    """Of an endpoint: the protocol is the only difference."""
    return str(request.param)


@pytest.fixture
def producer(broker: Broker, scheme: str) -> Iterator[tminus.Producer]:
    with tminus.Producer(f"{scheme}://{broker.endpoint}") as producer:
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


def seconds(count: float) -> timedelta:
    return timedelta(seconds=count)
