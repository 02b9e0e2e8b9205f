"""The promise: never early, never lost, on time."""

from __future__ import annotations

import asyncio
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from subprocess import PIPE

import pytest
import tminus
from conftest import Consume, Inbox
from tminus.aio import AsyncProducer
from tminus.testing import Broker

MS = timedelta(milliseconds=1)


def test_a_year_takes_less_than_a_second(virtual_broker: Broker, topic: str, consume: Consume):
    start = time.monotonic()
    inbox = Inbox()
    year = timedelta(days=365)
    with tminus.Producer(virtual_broker.endpoint, clock=virtual_broker.clock) as producer:
        receipt = producer.send(tminus.Message(topic, b"renew", deliver_after=year))
        consume(virtual_broker, topic, inbox)
        due = virtual_broker.clock.now() + year
        (pending,) = virtual_broker.pending()
        assert (pending.topic, pending.message_id) == (topic, receipt.message_id)
        assert abs(pending.deliver_at - due) < MS

        assert virtual_broker.advance(year - 2 * MS) == 0
        assert virtual_broker.advance(2 * MS) == 1
        message = inbox.next()
    elapsed = time.monotonic() - start
    assert message.deliver_at == pending.deliver_at
    assert virtual_broker.pending() == []
    print(f"one year took {elapsed * 1000:.0f} ms")
    assert elapsed < 1


def test_what_is_due_first_comes_first(virtual_broker: Broker, topic: str, consume: Consume):
    inbox = Inbox()
    now = virtual_broker.clock.now()
    virtual_broker.create_topic(topic, queues=1)
    with tminus.Producer(virtual_broker.endpoint) as producer:
        for minutes in (30, 10, 20):
            producer.send(tminus.Message(topic, b"%d" % minutes, deliver_at=now + timedelta(minutes=minutes)))
        producer.send(tminus.Message(topic, b"level", delay_level=16))
        producer.send(tminus.Message(topic, b"past", deliver_at=now - timedelta(days=1)))
    assert virtual_broker.advance(timedelta(hours=1)) == 4
    consume(virtual_broker, topic, inbox, concurrency=1)
    assert [message.body for message in inbox.take(5)] == [b"past", b"10", b"20", b"30", b"level"]


def test_a_time_zone_is_a_time_zone(virtual_broker: Broker, topic: str):
    east, west = timezone(timedelta(hours=8)), timezone(-timedelta(hours=5))
    at = virtual_broker.clock.now().astimezone(east) + timedelta(hours=1)
    with tminus.Producer(virtual_broker.endpoint) as producer:
        producer.send(tminus.Message(topic, b"x", deliver_at=at))
        producer.send(tminus.Message(topic, b"x", deliver_at=at.astimezone(west)))
    first, second = virtual_broker.pending()
    assert first.deliver_at == second.deliver_at
    assert abs(first.deliver_at - at) < MS


def test_policies(broker: Broker, topic: str):
    now = datetime.now(timezone.utc)
    with tminus.Producer(broker.endpoint, past="refuse", max_ahead=timedelta(days=1)) as producer:
        with pytest.raises(tminus.errors.InvalidDeliveryTimeError, match="in the past"):
            producer.send(tminus.Message(topic, b"x", deliver_at=now - timedelta(seconds=1)))
        with pytest.raises(tminus.errors.InvalidDeliveryTimeError, match="ahead"):
            producer.send(tminus.Message(topic, b"x", deliver_at=now + timedelta(days=2)))
    with tminus.Producer(broker.endpoint, server_kind="apache4") as producer:
        with pytest.raises(tminus.errors.UnsupportedError, match="delay level"):
            producer.send(tminus.Message(topic, b"x", deliver_at=now + timedelta(hours=1)))


COUNT, SPREAD, AHEAD = 2000, timedelta(seconds=10), timedelta(seconds=3)
P99_MS = 20
"""What 99 % of the messages have to keep on a machine that is free for them."""
ROUNDS = 3
"""A machine that is busy with other work gets another chance for lateness, none for early or lost messages."""

METER = """
import sys, threading, time
stop, longest = threading.Event(), 0.0
threading.Thread(target=lambda: (sys.stdin.read(), stop.set())).start()
while not stop.is_set():
    begin = time.monotonic()
    time.sleep(0.002)
    longest = max(longest, time.monotonic() - begin - 0.002)
print(longest * 1000)
"""


@contextmanager
def wake_up_meter() -> Iterator[list[float]]:
    """How late (ms) this machine wakes a process that does nothing else: what no program on it can undercut."""
    worst: list[float] = []
    with subprocess.Popen([sys.executable, "-c", METER], stdin=PIPE, stdout=PIPE, text=True) as meter:
        yield worst
        worst.append(float(meter.communicate("")[0]))


def test_two_thousand_over_ten_seconds(broker: Broker, topic: str, consume: Consume):
    for number in range(ROUNDS):
        with wake_up_meter() as stall:
            p99 = schedule_and_receive(broker, f"{topic}-{number}", consume)
        print(f"the machine let a sleeping process wait {stall[0]:.1f} ms at worst")
        if p99 < P99_MS + stall[0]:
            return
    pytest.fail(f"too late in {ROUNDS} rounds")


def schedule_and_receive(broker: Broker, topic: str, consume: Consume) -> float:
    """One round; returns the lateness in ms that 99 % of the messages kept."""
    due: dict[str, datetime] = {}
    came: dict[str, datetime] = {}
    complete = threading.Event()

    def listener(message: tminus.MessageView) -> None:
        came.setdefault(message.message_id, datetime.now(timezone.utc))
        if len(came) == COUNT:
            complete.set()

    broker.create_topic(topic)
    consumer = consume(broker, topic, listener)
    start = datetime.now(timezone.utc) + AHEAD

    async def schedule() -> None:
        async def send(i: int) -> None:
            at = start + SPREAD * i / COUNT
            due[(await producer.send(tminus.Message(topic, b"x", deliver_at=at))).message_id] = at

        async with AsyncProducer(broker.endpoint) as producer:
            await asyncio.gather(*map(send, range(COUNT)))

    asyncio.run(schedule())
    complete.wait((AHEAD + SPREAD).total_seconds() + 10)
    consumer.close()

    assert came.keys() == due.keys()
    # A delivery time has whole milliseconds on the wire.
    lateness = sorted((came[id] - at.replace(microsecond=at.microsecond // 1000 * 1000)) / MS for id, at in due.items())
    early, p99 = sum(late < 0 for late in lateness), lateness[COUNT * 99 // 100]
    print(
        f"{len(lateness)} of {COUNT} arrived, {early} early, lateness p50 {statistics.median(lateness):.1f} ms, "
        f"p99 {p99:.1f} ms, max {lateness[-1]:.1f} ms"
    )
    assert early == 0
    return p99
