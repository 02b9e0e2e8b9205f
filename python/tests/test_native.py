"""The blocking API."""

from __future__ import annotations

import logging
import queue
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime, timedelta, timezone

import pytest
import tminus
from conftest import PATIENCE, Consume, Inbox, seconds
from tminus.testing import Broker


def test_a_message_arrives_with_all_it_carries(
    broker: Broker, producer: tminus.Producer, topic: str, scheme: str, consume: Consume
):
    inbox = Inbox()
    consumer = consume(broker, topic, inbox)
    receipt = producer.send(
        tminus.Message(topic, b"\x00body\xff", tag="paid", keys=["k1", "k2"], properties={"name": "valué"})
    )
    message = inbox.next()
    consumer.close()

    assert receipt.status is tminus.SendStatus.OK
    assert receipt.queue.topic == topic
    assert message.message_id == receipt.message_id
    if scheme == "remoting":  # proxies tell no more than the id
        assert message.offset_message_id == receipt.offset_message_id
        assert (message.queue_id, message.queue_offset) == (receipt.queue.id, receipt.queue_offset)
    assert (message.topic, message.body, message.tag, message.keys) == (topic, b"\x00body\xff", "paid", ("k1", "k2"))
    assert message.get_property("name") == message.properties["name"] == "valué"
    assert message.get_property("absent") is None
    assert message.deliver_at is None
    assert message.reconsume_times == 0
    assert message.born_at.tzinfo is not None
    assert abs(datetime.now(timezone.utc) - message.born_at) < timedelta(minutes=1)
    assert message.stored_at_ms >= message.born_at_ms


def test_a_message_is_checked_where_python_can_tell_best():
    with pytest.raises(ValueError, match="no time zone"):
        tminus.Message("t", b"x", deliver_at=datetime(2030, 1, 1))
    with pytest.raises(ValueError, match="give one of them"):
        tminus.Message("t", b"x", deliver_after=seconds(1), delay_level=3)
    with pytest.raises(ValueError, match="delay level -1"):
        tminus.Message("t", b"x", delay_level=-1)
    with pytest.raises(ValueError, match="negative"):
        tminus.Message("t", b"x", deliver_after=seconds(-1))
    with pytest.raises(TypeError):
        tminus.Message("t", "text")  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        tminus.Message("t", b"x", properties={"n": 1})  # type: ignore[dict-item]
    with pytest.raises(UnicodeEncodeError):
        tminus.Message("t\ud800", b"x")


def test_an_unknown_choice_names_the_choices():
    with pytest.raises(ValueError, match="choose one of auto, apache5, apache4, huawei, alibaba"):
        tminus.Producer("127.0.0.1:9876", server_kind="apache")  # type: ignore[arg-type]


def test_secrets_do_not_show():
    assert "hunter2" not in repr(tminus.Credentials("user", "hunter2", "token-hunter2"))
    assert "KEY" not in repr(tminus.TlsOptions(client_key_pem="KEY"))


def test_close_ends_it_and_can_be_repeated(broker: Broker, topic: str):
    producer = tminus.Producer(broker.endpoint)
    producer.send(tminus.Message(topic, b"connects by itself"))
    assert producer.client_id
    producer.close()
    producer.close()
    with pytest.raises(tminus.errors.ClosedError) as caught:
        producer.send(tminus.Message(topic, b"too late"))
    assert caught.value.kind == "closed"
    assert caught.value.outcome is tminus.Outcome.NOT_SENT

    consumer = tminus.PushConsumer(broker.endpoint, "closes", topic).start()
    consumer.close()
    consumer.close()
    assert consumer.receive() == []
    assert list(consumer) == []


@pytest.mark.parametrize("scheme", ["remoting", "grpc"])
def test_batch_one_way_and_by_key(broker: Broker, producer: tminus.Producer, topic: str, consume: Consume):
    inbox = Inbox()
    consume(broker, topic, inbox)
    producer.send_batch([tminus.Message(topic, b"batch %d" % i) for i in range(10)])
    producer.send_one_way(tminus.Message(topic, b"one way"))
    by_key = {producer.send_by_key(tminus.Message(topic, b"by key"), "order-7").queue for _ in range(8)}
    assert len(by_key) == 1
    bodies = sorted(message.body for message in inbox.take(10 + 1 + 8))
    assert bodies == sorted([b"batch %d" % i for i in range(10)] + [b"one way"] + [b"by key"] * 8)


@pytest.mark.parametrize("scheme", ["remoting", "grpc"])
def test_chosen_queues(broker: Broker, producer: tminus.Producer, topic: str, scheme: str, consume: Consume):
    broker.create_topic(topic)
    queues = producer.queues(topic)
    assert len(queues) == 4
    if scheme == "grpc":
        with pytest.raises(tminus.errors.UnsupportedError, match="gRPC"):
            producer.send_to_queue(tminus.Message(topic, b"to queue"), queues[0])
        return
    inbox = Inbox()
    consume(broker, topic, inbox)
    to_queue = [producer.send_to_queue(tminus.Message(topic, b"to queue"), queue).queue for queue in queues]
    assert to_queue == queues
    assert [message.body for message in inbox.take(4)] == [b"to queue"] * 4


def test_many_threads_share_a_producer(broker: Broker, producer: tminus.Producer, topic: str, consume: Consume):
    inbox = Inbox()
    consume(broker, topic, inbox)
    with ThreadPoolExecutor(16) as pool:
        receipts = pool.map(lambda i: producer.send(tminus.Message(topic, b"%d" % i)), range(500))
        sent = {receipt.message_id for receipt in receipts}
    assert len(sent) == 500
    assert {message.message_id for message in inbox.take(500)} == sent


def test_tags_filter(broker: Broker, producer: tminus.Producer, topic: str, consume: Consume):
    inbox = Inbox()
    consume(broker, {topic: "red || blue"}, inbox)
    for tag in ("red", "green", "blue", None, "blue"):
        producer.send(tminus.Message(topic, (tag or "none").encode(), tag=tag))
    assert sorted(message.body for message in inbox.take(3)) == [b"blue", b"blue", b"red"]
    assert inbox.empty()


def test_deliveries_by_iteration(broker: Broker, producer: tminus.Producer, topic: str, consume: Consume):
    consumer = consume(broker, topic)
    for i in range(5):
        producer.send(tminus.Message(topic, b"%d" % i))
    bodies = []
    for delivery in consumer:
        with delivery as message:
            bodies.append(message.body)
        with pytest.raises(tminus.errors.ClosedError):
            delivery.settle(tminus.ConsumeResult.SUCCESS)
        if len(bodies) == 5:
            break
    assert sorted(bodies) == [b"0", b"1", b"2", b"3", b"4"]
    assert consumer.receive(timeout=timedelta(milliseconds=1)) == []


def test_receive_ends_when_the_consumer_is_closed(broker: Broker, topic: str, consume: Consume):
    consumer = consume(broker, topic)
    ended = threading.Event()
    waiting = threading.Thread(target=lambda: (consumer.receive(), ended.set()))
    waiting.start()
    consumer.close()
    assert ended.wait(PATIENCE)
    waiting.join()


def test_a_raising_listener_gets_the_message_again(
    virtual_broker: Broker, topic: str, consume: Consume, caplog: pytest.LogCaptureFixture
):
    attempts = Inbox()

    def listener(message: tminus.MessageView) -> None:
        attempts(message)
        if message.reconsume_times == 0:
            raise LookupError("no such order")

    with tminus.Producer(virtual_broker.endpoint) as producer:
        producer.send(tminus.Message(topic, b"x"))
        consume(virtual_broker, topic, listener)
        first = attempts.next()
        second = comes_again(virtual_broker, attempts)
    assert (first.reconsume_times, second.reconsume_times) == (0, 1)
    assert (first.delivery_attempt, second.delivery_attempt) == (1, 2)
    assert second.topic == topic
    (record,) = [record for record in caplog.records if record.exc_info]
    assert record.name == "tminus"
    assert record.levelno == logging.ERROR
    assert record.exc_info is not None
    assert record.exc_info[0] is LookupError


@pytest.mark.parametrize("answer", ["ok", False, 0])
def test_a_wrong_answer_is_said_and_retried(
    virtual_broker: Broker, topic: str, consume: Consume, caplog: pytest.LogCaptureFixture, answer: object
):
    attempts = Inbox()

    def listener(message: tminus.MessageView) -> object:
        attempts(message)
        return answer if message.reconsume_times == 0 else None

    with tminus.Producer(virtual_broker.endpoint) as producer:
        producer.send(tminus.Message(topic, b"x"))
        consume(virtual_broker, topic, listener)
        attempts.next()
        comes_again(virtual_broker, attempts)
    assert "a listener returns None, a ConsumeResult or RetryAfterLevel(n)" in caplog.text


@pytest.mark.parametrize("scheme", ["remoting", "grpc"])
def test_answers_decide_what_comes_next(virtual_broker: Broker, topic: str, scheme: str, consume: Consume):
    attempts, dead_letters = Inbox(), Inbox()
    answers = [tminus.RetryAfterLevel(5), tminus.ConsumeResult.DEAD_LETTER]

    def listener(message: tminus.MessageView) -> tminus.Answer:
        attempts(message)
        return answers[message.reconsume_times]

    with tminus.Producer(virtual_broker.endpoint) as producer:
        producer.send(tminus.Message(topic, b"x"))
        sent = virtual_broker.clock.now()
        consume(virtual_broker, topic, listener, group="answers")
        attempts.next()
        consume(virtual_broker, "%DLQ%answers", dead_letters)
        comes_again(virtual_broker, attempts)
        assert virtual_broker.clock.now() - sent >= timedelta(minutes=1)
        assert dead_letters.next().body == b"x"


def comes_again(broker: Broker, inbox: Inbox) -> tminus.MessageView:
    """The word about a message is on its way to the broker: moves the clock until it comes again."""
    for _ in range(1000):
        broker.advance(seconds(10))
        with suppress(queue.Empty):
            return inbox.get(timeout=PATIENCE / 1000)
    raise AssertionError("the message does not come again")
