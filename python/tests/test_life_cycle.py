"""Clients come and go: fast, and without a trace."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

import pytest
import tminus
from conftest import Run
from tminus.testing import Broker

START_TO_FIRST_SEND_MS = 50
STOP_MS = 100
ROUNDS = 5
"""A machine that is busy with other work gets another chance."""


def best_ms(call: Callable[[], Any]) -> float:
    """The fastest of some rounds."""
    took = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        call()
        took.append((time.perf_counter() - start) * 1000)
    return min(took)


def test_start_to_first_send(broker: Broker, topic: str, scheme: str):
    producers: list[tminus.Producer] = []

    def first_send() -> None:
        producers.append(tminus.Producer(f"{scheme}://{broker.endpoint}").start())
        producers[-1].send(tminus.Message(topic, b"x"))

    took = best_ms(first_send)
    print(f"{scheme}: first send {took:.1f} ms after the start")
    assert took < START_TO_FIRST_SEND_MS
    stopped = best_ms(lambda: producers.pop().close())
    print(f"{scheme}: producer stopped in {stopped:.1f} ms")
    assert stopped < STOP_MS


def test_an_idle_consumer_stops_at_once(broker: Broker, topic: str, scheme: str):
    broker.create_topic(topic)
    endpoint = f"{scheme}://{broker.endpoint}"

    def group(kind: str, number: int) -> Any:
        if kind == "simple":
            return tminus.SimpleConsumer(endpoint, f"{kind}-{number}", topic).start()
        return tminus.PushConsumer(endpoint, f"{kind}-{number}", topic, lambda message: None).start()

    for kind in ("push", "simple") if scheme != "remoting" else ("push",):
        consumers = [group(kind, number) for number in range(ROUNDS)]
        stopped = best_ms(lambda consumers=consumers: consumers.pop().close())
        print(f"{scheme}: {kind} consumer stopped in {stopped:.1f} ms")
        assert stopped < STOP_MS


CYCLES = """
import gc, os, sys, threading
from datetime import timedelta
import tminus

endpoint, cycles = sys.argv[1], int(sys.argv[2])

def figures():
    gc.collect()
    with open("/proc/self/statm") as statm:
        resident = int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return len(os.listdir("/proc/self/task")), len(os.listdir("/proc/self/fd")), resident

def cycle():
    with tminus.Producer(endpoint, checker=print) as producer:
        producer.send(tminus.Message("cycles", b"x"))
    with tminus.PushConsumer(endpoint, "cycles", "cycles", lambda message: None, concurrency=1):
        pass
    if not endpoint.startswith("remoting"):
        with tminus.SimpleConsumer(endpoint, "simple-cycles", "cycles"):
            pass
    if endpoint.startswith("http"):
        with tminus.HttpClient(endpoint) as client:
            client.publish(tminus.Message("cycles", b"x"))

for _ in range(cycles // 10):
    cycle()
threads, descriptors, resident = figures()
for _ in range(cycles):
    cycle()
more_threads, more_descriptors, more_resident = (a - b for a, b in zip(figures(), (threads, descriptors, resident)))
print(f"{cycles} cycles: {more_threads} threads, {more_descriptors} descriptors, {more_resident // 1024} KiB more")
assert more_threads <= 0
assert more_descriptors <= 0
assert more_resident < 4 * 1024 * 1024
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_cycles_leave_nothing(broker: Broker, scheme: str, run_python: Run):
    broker.create_topic("cycles")
    done = run_python(CYCLES, f"{scheme}://{broker.endpoint}", "1000", timeout=240)
    print(done.stdout)
    assert (done.returncode, done.stderr) == (0, "")
