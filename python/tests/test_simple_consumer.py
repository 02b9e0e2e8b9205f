"""Receive, acknowledge, change the invisible duration: blocking and from asyncio, over gRPC and ApsaraMQ HTTP."""

from __future__ import annotations

import asyncio
import copy
import pickle
import threading
import time
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
import tminus
from conftest import ACK_MESSAGE, PATIENCE, RECEIVE_MESSAGE, seconds
from tminus import errors
from tminus.aio import AsyncProducer, AsyncSimpleConsumer
from tminus.testing import Broker

INVISIBLE = seconds(30)
SOON = seconds(0.05)
"""Long enough for a receive that finds a message, short for one that finds none."""


def run(main: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(main, 3 * PATIENCE))


@pytest.fixture
def virtual_broker() -> Iterator[Broker]:
    with Broker(virtual_clock=True, http_invisible=INVISIBLE) as broker:
        yield broker


@pytest.fixture(params=["grpc", "http"])
def endpoint(request: pytest.FixtureRequest, virtual_broker: Broker, topic: str) -> str:
    virtual_broker.create_topic(topic)
    return f"{request.param}://{virtual_broker.endpoint}"


over_grpc = pytest.mark.parametrize("endpoint", ["grpc"], indirect=True)


@pytest.fixture
def producer(endpoint: str) -> Iterator[tminus.Producer]:
    with tminus.Producer(endpoint, body_encoding="base64") as producer:
        yield producer


@pytest.fixture
def consumer(endpoint: str, topic: str) -> Iterator[tminus.SimpleConsumer]:
    with tminus.SimpleConsumer(endpoint, "simple", topic) as consumer:
        yield consumer


def receive(consumer: tminus.SimpleConsumer, count: int = 1) -> list[tminus.Received]:
    """Receives until `count` have come."""
    came: list[tminus.Received] = []
    deadline = time.monotonic() + PATIENCE
    while len(came) < count:
        assert time.monotonic() < deadline, f"{count - len(came)} messages are missing"
        came += consumer.receive(count - len(came), INVISIBLE, wait=seconds(1))
    return came


def test_a_message_arrives_with_all_it_carries(producer: tminus.Producer, consumer: tminus.SimpleConsumer, topic: str):
    sent = tminus.Message(
        topic, b"\x00body\xff", tag="paid", keys=["k1", "k2"], properties={"name": "valué"}, message_group="order-7"
    )
    receipt = producer.send(sent)
    (received,) = receive(consumer)
    message = received.message
    assert message.message_id == received.receipt.message_id == receipt.message_id
    assert (message.topic, message.body, message.tag, message.keys) == (topic, b"\x00body\xff", "paid", ("k1", "k2"))
    assert message.get_property("name") == "valué"
    assert message.message_group == "order-7"
    assert message.delivery_attempt == 1
    assert not received.corrupted
    assert received.receipt.topic == topic
    assert repr(received) == f"Received({message!r})"


def test_what_is_acknowledged_is_gone_and_the_rest_comes_again(
    virtual_broker: Broker, producer: tminus.Producer, consumer: tminus.SimpleConsumer, topic: str
):
    for body in (b"done", b"again"):
        producer.send(tminus.Message(topic, body))
    for received in receive(consumer, 2):
        if received.message.body == b"done":
            consumer.ack(received)
    assert consumer.receive(10, INVISIBLE, wait=SOON) == []
    virtual_broker.advance(INVISIBLE)
    (again,) = receive(consumer)
    assert (again.message.body, again.message.delivery_attempt) == (b"again", 2)
    consumer.ack(again.receipt)
    virtual_broker.advance(INVISIBLE)
    assert consumer.receive(10, INVISIBLE, wait=SOON) == []


@over_grpc
def test_a_changed_invisible_duration_replaces_the_handle(
    virtual_broker: Broker, producer: tminus.Producer, consumer: tminus.SimpleConsumer, topic: str
):
    producer.send(tminus.Message(topic, b"x"))
    (received,) = receive(consumer)
    first = received.receipt
    longer = consumer.change_invisible(received, timedelta(minutes=5))
    assert received.receipt == longer != first
    virtual_broker.advance(INVISIBLE)
    assert consumer.receive(1, INVISIBLE, wait=SOON) == []
    at_once = consumer.change_invisible(longer, seconds(0))
    assert received.receipt == longer != at_once
    (again,) = receive(consumer)
    assert again.message.delivery_attempt == 2
    consumer.ack(again)


def test_a_handle_is_plain_text(
    virtual_broker: Broker, producer: tminus.Producer, consumer: tminus.SimpleConsumer, topic: str, endpoint: str
):
    producer.send(tminus.Message(topic, b"x"))
    (received,) = receive(consumer)
    kept = pickle.loads(pickle.dumps(received.receipt))
    assert kept == received.receipt == copy.copy(kept)
    assert len({kept, received.receipt}) == 1
    assert kept != tminus.ReceiptHandle(kept.topic, kept.broker, kept.message_id, "other")
    with tminus.SimpleConsumer(endpoint, "simple", topic) as other:
        other.ack(kept)
    virtual_broker.advance(INVISIBLE)
    assert consumer.receive(1, INVISIBLE, wait=SOON) == []


def test_a_refused_handle_is_reported(
    virtual_broker: Broker, endpoint: str, producer: tminus.Producer, consumer: tminus.SimpleConsumer, topic: str
):
    producer.send(tminus.Message(topic, b"x"))
    (expired,) = receive(consumer)
    virtual_broker.advance(INVISIBLE)
    (live,) = receive(consumer)
    made_up = tminus.ReceiptHandle(topic, live.receipt.broker, live.receipt.message_id, "garbage")
    for refused in (expired, made_up):
        with pytest.raises(errors.InvalidReceiptError) as caught:
            consumer.ack(refused)
        assert caught.value.kind == "invalid_receipt"
        assert not caught.value.retryable
        expected = errors.InvalidReceiptError if endpoint.startswith("grpc") else errors.UnsupportedError
        with pytest.raises(expected):
            consumer.change_invisible(refused, INVISIBLE)
    results = consumer.ack_all([expired, live, made_up])
    assert [type(result) for result in results] == [
        errors.InvalidReceiptError,
        type(None),
        errors.InvalidReceiptError,
    ]
    assert consumer.ack_all([]) == []
    with pytest.raises(TypeError):
        consumer.ack("garbage")  # type: ignore[arg-type]


def test_many_are_acknowledged_with_few_requests(
    virtual_broker: Broker, endpoint: str, producer: tminus.Producer, consumer: tminus.SimpleConsumer, topic: str
):
    for i in range(32):
        producer.send(tminus.Message(topic, b"%d" % i))
    before = virtual_broker.request_count(ACK_MESSAGE)
    assert consumer.ack_all(receive(consumer, 32)) == [None] * 32
    assert virtual_broker.request_count(ACK_MESSAGE) == before + (1 if endpoint.startswith("grpc") else 2)


def test_an_empty_receive_waits_as_long_as_it_says(consumer: tminus.SimpleConsumer):
    start = time.monotonic()
    assert consumer.receive(1, INVISIBLE, wait=seconds(0.3)) == []
    assert 0.3 <= time.monotonic() - start < 1


def test_a_waiting_receive_lets_other_threads_run(
    producer: tminus.Producer, consumer: tminus.SimpleConsumer, topic: str
):
    with ThreadPoolExecutor(4) as pool:
        waiting = [pool.submit(consumer.receive, 1, INVISIBLE, wait=seconds(PATIENCE)) for _ in range(4)]
        for i in range(4):
            producer.send(tminus.Message(topic, b"%d" % i))
        came = [received for future in waiting for received in future.result()]
    assert sorted(received.message.body for received in came) == [b"0", b"1", b"2", b"3"]
    assert consumer.ack_all(came) == [None] * 4


def test_subscriptions_change(endpoint: str, producer: tminus.Producer, topic: str):
    other = f"{topic}-other"
    with tminus.SimpleConsumer(endpoint, "subscribes", {topic: "red || blue"}) as consumer:
        for tag in ("red", "green"):
            producer.send(tminus.Message(topic, tag.encode(), tag=tag))
        producer.send(tminus.Message(other, b"other"))
        (red,) = receive(consumer)
        assert red.message.body == b"red"
        consumer.ack(red)
        consumer.subscribe(other)
        (elsewhere,) = receive(consumer)
        assert elsewhere.message.topic == other
        consumer.unsubscribe(other)
        producer.send(tminus.Message(other, b"nobody listens"))
        assert consumer.receive(1, INVISIBLE, wait=SOON) == []


@over_grpc
def test_wrong_arguments(endpoint: str, consumer: tminus.SimpleConsumer, topic: str):
    with pytest.raises(errors.InvalidArgumentError, match="max"):
        consumer.receive(0, INVISIBLE)
    for invisible in (seconds(1), timedelta(hours=13)):
        with pytest.raises(errors.InvalidArgumentError, match="invisible"):
            consumer.receive(1, invisible)
    with pytest.raises(errors.InvalidArgumentError, match="group"):
        tminus.SimpleConsumer(endpoint, "", topic).start()


def test_remoting_has_none(broker: Broker, topic: str):
    with pytest.raises(errors.UnsupportedError, match="remoting") as caught:
        tminus.SimpleConsumer(broker.endpoint, "simple", topic).start()
    assert caught.value.kind == "unsupported"
    assert "simple consumer" in str(caught.value)


def test_close_ends_a_waiting_receive(virtual_broker: Broker, endpoint: str, topic: str):
    consumer = tminus.SimpleConsumer(endpoint, "closes", topic).start()
    assert consumer.client_id
    caught: list[BaseException] = []

    def wait() -> None:
        try:
            consumer.receive(1, INVISIBLE, wait=seconds(60))
        except errors.ClosedError as error:
            caught.append(error)

    before = virtual_broker.request_count(RECEIVE_MESSAGE)
    waiting = threading.Thread(target=wait)
    waiting.start()
    while virtual_broker.request_count(RECEIVE_MESSAGE) == before:
        pass
    start = time.monotonic()
    consumer.close()
    waiting.join(PATIENCE)
    assert time.monotonic() - start < 0.5
    assert len(caught) == 1
    consumer.close()
    with pytest.raises(errors.ClosedError):
        consumer.receive(1, INVISIBLE)


def test_asyncio(endpoint: str, topic: str):
    async def main() -> None:
        threads = threading.active_count()
        consumer = AsyncSimpleConsumer(endpoint, "asyncio", topic)
        async with AsyncProducer(endpoint) as producer, consumer:
            await asyncio.gather(*(producer.send(tminus.Message(topic, b"%d" % i)) for i in range(3)))
            came: list[tminus.Received] = []
            while len(came) < 3:
                came += await consumer.receive(10, INVISIBLE)
            first, second, third = came
            await consumer.ack(first)
            if endpoint.startswith("grpc"):
                await consumer.change_invisible(second, timedelta(minutes=5))
            assert await consumer.ack_all([second, third]) == [None, None]
            with pytest.raises(errors.InvalidReceiptError):
                await consumer.ack(tminus.ReceiptHandle(topic, first.receipt.broker, "id", "garbage"))
            await consumer.subscribe("elsewhere")
            await consumer.unsubscribe("elsewhere")
            assert await consumer.receive(1, INVISIBLE, wait=SOON) == []
            assert threading.active_count() <= threads + 1  # what carries the log
        with pytest.raises(errors.ClosedError):
            await consumer.receive(1, INVISIBLE)

    run(main())


def test_receives_wait_side_by_side(endpoint: str, topic: str):
    async def main() -> None:
        async with AsyncProducer(endpoint) as producer:
            async with AsyncSimpleConsumer(endpoint, "side-by-side", topic) as consumer:
                waiting = [asyncio.create_task(consumer.receive(1, INVISIBLE)) for _ in range(8)]
                await asyncio.gather(*(producer.send(tminus.Message(topic, b"%d" % i)) for i in range(8)))
                came = [received for batch in await asyncio.gather(*waiting) for received in batch]
                assert sorted(received.message.body for received in came) == [b"%d" % i for i in range(8)]

    run(main())


def test_a_cancelled_receive_leaves_its_message_to_the_next_one_or_the_invisible_time(
    virtual_broker: Broker, endpoint: str, topic: str
):
    async def main() -> None:
        consumer = AsyncSimpleConsumer(endpoint, "cancelled", topic)
        async with consumer, AsyncProducer(endpoint) as producer:
            for round in range(10):
                receive = asyncio.create_task(consumer.receive(1, INVISIBLE))
                await asyncio.sleep(0)
                sent = asyncio.create_task(producer.send(tminus.Message(topic, b"%d" % round)))
                if round % 2:
                    await sent
                receive.cancel()
                await asyncio.wait([receive, sent])
                came = [] if receive.cancelled() else receive.result()
                came = came or await consumer.receive(1, INVISIBLE, wait=seconds(0.2))
                if not came:
                    virtual_broker.advance(INVISIBLE)
                    came = await asyncio.wait_for(consumer.receive(1, INVISIBLE), PATIENCE)
                (received,) = came
                assert received.message.body == b"%d" % round
                await consumer.ack(received)

    run(main())
