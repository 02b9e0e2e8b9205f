"""The end of the interpreter without `close`: no hang, no crash, the exit code kept."""

from __future__ import annotations

import time

import pytest
import tminus
from conftest import PATIENCE, Run, seconds
from tminus.testing import Broker

CLIENTS = """
import asyncio, logging, os, sys, threading, time
from datetime import timedelta
import tminus
from tminus.aio import AsyncProducer
logging.basicConfig(level=logging.DEBUG, stream=open(os.devnull, "w"))
endpoint = sys.argv[1]
got = threading.Event()
def listener(message):
    got.set()
    {listener}
unknown = lambda message: tminus.TransactionResolution.UNKNOWN
producer = tminus.Producer(endpoint, checker=unknown).start()
consumer = tminus.PushConsumer(endpoint, "exits", "exits", listener, consume_from="first_offset").start()
reader = tminus.PushConsumer(endpoint, "reads", "exits", consume_from="first_offset").start()
threading.Thread(target=lambda: [None for _ in reader], daemon=True).start()
if not endpoint.startswith("remoting"):
    simple = tminus.SimpleConsumer(endpoint, "simple", "quiet").start()
    threading.Thread(target=lambda: simple.receive(1, timedelta(seconds=30)), daemon=True).start()
message = tminus.Message("exits", b"x")
threading.Thread(target=lambda: [producer.send(message) for _ in iter(int, 1)], daemon=True).start()
assert got.wait(10)
"""


@pytest.mark.parametrize(
    ("ending", "code"),
    [("", 0), ("sys.exit(3)", 3), ("raise SystemExit('bye')", 1), ("raise ValueError('oops')", 1)],
    ids=["end", "exit", "message", "exception"],
)
def test_without_close(broker: Broker, scheme: str, run_python: Run, ending: str, code: int):
    start = time.monotonic()
    done = run_python(CLIENTS.format(listener="pass") + ending, f"{scheme}://{broker.endpoint}")
    assert done.returncode == code, done.stderr
    assert "Fatal" not in done.stderr
    assert time.monotonic() - start < 15


def test_a_listener_that_never_returns(broker: Broker, scheme: str, run_python: Run):
    start = time.monotonic()
    done = run_python(CLIENTS.format(listener="time.sleep(1000)") + "sys.exit(4)", f"{scheme}://{broker.endpoint}")
    assert done.returncode == 4, done.stderr
    assert time.monotonic() - start < 15


def test_one_way_sends_still_leave(broker: Broker, run_python: Run):
    program = """
    import sys, tminus
    producer = tminus.Producer(sys.argv[1]).start()
    for i in range(100):
        producer.send_one_way(tminus.Message("leaves", b"%d" % i))
    """
    assert run_python(program, broker.endpoint).returncode == 0
    with tminus.PushConsumer(broker.endpoint, "leaves", "leaves", consume_from="first_offset") as consumer:
        bodies: set[bytes] = set()
        while len(bodies) < 100:
            deliveries = consumer.receive(100, timeout=seconds(PATIENCE))
            assert deliveries, f"{100 - len(bodies)} one-way messages are missing"
            for delivery in deliveries:
                with delivery as message:
                    bodies.add(message.body)


def test_an_event_loop_that_just_ends(broker: Broker, run_python: Run):
    broker.create_topic("quiet")
    program = """
    import asyncio, sys, tminus
    from tminus.aio import AsyncProducer, AsyncPushConsumer

    async def main():
        producer = AsyncProducer(sys.argv[1])
        await producer.send(tminus.Message("ends", b"x"))
        consumer = await AsyncPushConsumer(sys.argv[1], "ends", "quiet").start()
        asyncio.create_task(consumer.receive())
        asyncio.create_task(producer.send(tminus.Message("ends", b"y")))
        await asyncio.sleep(0)

    asyncio.run(main())
    sys.exit(5)
    """
    done = run_python(program, broker.endpoint)
    assert (done.returncode, done.stderr) == (5, "")
