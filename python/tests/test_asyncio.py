"""The asyncio API."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any

import pytest
import tminus
import tminus.aio
from conftest import PATIENCE, SEND_MESSAGE_V2, seconds
from tminus.aio import AsyncProducer, AsyncPushConsumer
from tminus.testing import Broker


def run(main: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(main, 3 * PATIENCE))


def test_a_hundred_sends_at_once(broker: Broker, topic: str):
    async def main() -> None:
        async with AsyncProducer(broker.endpoint) as producer:
            threads = threading.active_count()
            receipts = await asyncio.gather(*(producer.send(tminus.Message(topic, b"%d" % i)) for i in range(100)))
            assert threading.active_count() == threads
        assert len({receipt.message_id for receipt in receipts}) == 100
        with pytest.raises(tminus.errors.ClosedError):
            await producer.send(tminus.Message(topic, b"too late"))

    run(main())


def test_one_wake_up_for_many_completions(broker: Broker, topic: str, monkeypatch: pytest.MonkeyPatch):
    wake_ups = 0

    async def main() -> None:
        loop = asyncio.get_running_loop()
        add_reader = loop.add_reader

        def counting(fd: int, callback: Any) -> None:
            def counted() -> None:
                nonlocal wake_ups
                wake_ups += 1
                callback()

            add_reader(fd, counted)

        monkeypatch.setattr(loop, "add_reader", counting)
        async with AsyncProducer(broker.endpoint) as producer:
            await asyncio.gather(*(producer.send(tminus.Message(topic, b"%d" % i)) for i in range(2000)))

    run(main())
    print(f"2000 sends woke the event loop {wake_ups} times")
    assert wake_ups < 1000


def test_every_call(broker: Broker, topic: str):
    async def main() -> None:
        async with AsyncProducer(broker.endpoint) as producer:
            await producer.send_batch([tminus.Message(topic, b"a"), tminus.Message(topic, b"b")])
            await producer.send_one_way(tminus.Message(topic, b"c"))
            receipt = await producer.send_by_key(tminus.Message(topic, b"d"), "key", timeout=seconds(1))
            queues = await producer.queues(topic)
            assert receipt.queue in queues
            assert (await producer.send_to_queue(tminus.Message(topic, b"e"), queues[3])).queue == queues[3]

        bodies = []
        consumer = AsyncPushConsumer(broker.endpoint, "every-call", "other", consume_from="first_offset")
        async with consumer:
            await consumer.subscribe(topic)
            async for delivery in consumer:
                with delivery as message:
                    bodies.append(message.body)
                if len(bodies) == 5:
                    break
            await consumer.unsubscribe(topic)
            assert await consumer.receive(timeout=seconds(0.001)) == []
        assert sorted(bodies) == [b"a", b"b", b"c", b"d", b"e"]
        assert await consumer.receive() == []

    run(main())


def test_listeners_run_side_by_side(broker: Broker, topic: str):
    async def main() -> None:
        together = asyncio.Barrier(4) if hasattr(asyncio, "Barrier") else None
        arrived = 0
        all_there = asyncio.Event()

        async def listener(message: tminus.MessageView) -> None:
            nonlocal arrived
            arrived += 1
            if arrived == 4:
                all_there.set()
            await all_there.wait()
            if together:
                await together.wait()

        async with AsyncProducer(broker.endpoint) as producer:
            consumer = AsyncPushConsumer(
                broker.endpoint, "side-by-side", topic, listener, concurrency=4, consume_from="first_offset"
            )
            async with consumer:
                await asyncio.gather(*(producer.send(tminus.Message(topic, b"x")) for _ in range(4)))
                await all_there.wait()

    run(main())


def test_a_raising_listener_is_logged(broker: Broker, topic: str, caplog: pytest.LogCaptureFixture):
    async def main() -> None:
        seen = asyncio.Event()

        async def listener(message: tminus.MessageView) -> None:
            seen.set()
            raise LookupError("no such order")

        async with AsyncProducer(broker.endpoint) as producer:
            await producer.send(tminus.Message(topic, b"x"))
            async with AsyncPushConsumer(broker.endpoint, "raises-async", topic, listener, consume_from="first_offset"):
                await seen.wait()

    run(main())
    assert "LookupError: no such order" in caplog.text


def test_a_cancelled_send_ends_its_attempts(broker: Broker, topic: str):
    async def main() -> None:
        async with AsyncProducer(broker.endpoint, send_timeout=seconds(30)) as producer:
            await producer.send(tminus.Message(topic, b"connected"))
            before = broker.request_count(SEND_MESSAGE_V2)
            broker.inject(SEND_MESSAGE_V2, "swallow", times=10)
            send = asyncio.create_task(producer.send(tminus.Message(topic, b"never answered")))
            while broker.request_count(SEND_MESSAGE_V2) == before:
                await asyncio.sleep(0)
            send.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asyncio.wait_for(send, 0.05)
        assert broker.request_count(SEND_MESSAGE_V2) == before + 1

    run(main())


def test_a_cancelled_receive_loses_nothing(broker: Broker, topic: str):
    async def main() -> None:
        consumer = AsyncPushConsumer(broker.endpoint, "cancelled", topic, consume_from="first_offset")
        async with consumer, AsyncProducer(broker.endpoint) as producer:
            for round in range(20):
                receive = asyncio.create_task(consumer.receive())
                await asyncio.sleep(0)
                sent = asyncio.create_task(producer.send(tminus.Message(topic, b"%d" % round)))
                if round % 2:
                    await sent
                receive.cancel()
                await asyncio.wait([receive, sent])
                deliveries = [] if receive.cancelled() else receive.result()
                deliveries = deliveries or await asyncio.wait_for(consumer.receive(), PATIENCE)
                (delivery,) = deliveries
                with delivery as message:
                    assert message.body == b"%d" % round
                    assert message.reconsume_times == 0

    run(main())


def test_an_object_belongs_to_one_loop(broker: Broker, topic: str):
    producer = AsyncProducer(broker.endpoint)
    run(use(producer, topic))
    with pytest.raises(RuntimeError, match="another event loop"):
        run(use(producer, topic))


async def use(producer: AsyncProducer, topic: str) -> None:
    await producer.send(tminus.Message(topic, b"x"))
