"""`rocketmq.client`: the documented program, and the surface of rocketmq-client-python 2.0.0 and 0.4.4."""

from __future__ import annotations

import inspect
import queue
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import tminus
from conftest import PATIENCE, SEND_MESSAGE_V2
from rocketmq import client, exceptions
from rocketmq.client import ConsumeStatus, Message, Producer, PushConsumer, ReceivedMessage, SendResult, SendStatus
from tminus.testing import Broker


@pytest.fixture
def started(broker: Broker) -> Iterator[Producer]:
    producer = Producer("compat")
    producer.set_name_server_address(broker.endpoint)
    with producer as p:
        assert p is producer
        yield p


@pytest.fixture
def subscribe(broker: Broker) -> Iterator[object]:
    consumers: list[PushConsumer] = []

    def start(topic: str, callback: client._consumer.Callback, **options: object) -> PushConsumer:
        consumer = PushConsumer(f"compat-{topic}", **options)
        consumer.set_name_server_address(broker.endpoint)
        consumer.subscribe(topic, callback)
        consumer.start()
        consumers.append(consumer)
        return consumer

    yield start
    for consumer in consumers:
        consumer.shutdown()


class Kept(queue.Queue):
    def __call__(self, message: ReceivedMessage) -> ConsumeStatus:
        self.put(message)
        return ConsumeStatus.CONSUME_SUCCESS

    def next(self) -> ReceivedMessage:
        return self.get(timeout=PATIENCE)


def message(topic: str, body: str | bytes = "body") -> Message:
    made = Message(topic)
    made.set_body(body)
    return made


def test_what_a_received_message_tells(started: Producer, subscribe, topic: str):
    kept = Kept()
    consumer = subscribe(topic, kept)
    sent = Message(topic)
    sent.set_keys("k1 k2")
    sent.set_tags(b"tag")
    sent.set_property("name", "value")
    sent.set_body(b"body")
    result = started.send_sync(sent)
    received = kept.next()
    consumer.shutdown()

    assert isinstance(result, SendResult)
    status, msg_id, offset = result
    assert (status, str(status), offset) == (SendStatus.OK, "SendStatus.OK", received.queue_offset)
    assert (received.topic, received.id) == (topic, msg_id)
    assert (received.tags, received.keys, received.body) == (b"tag", b"k1 k2", b"body")
    assert received.get_property("name") == received["name"] == received[b"name"] == b"value"
    assert received.get_property(client.MessageProperty.TAGS) == b"tag"
    assert received.get_property("absent") == b""
    assert (str(received), bytes(received)) == ("body", b"body")
    assert repr(received) == f"<ReceivedMessage topic={topic!r} id={msg_id!r} body={b'body'!r}>"
    assert (received.delay_time_level, received.reconsume_times, received.prepared_transaction_offset) == (0, 0, 0)
    assert received.store_timestamp >= received.born_timestamp > 1_600_000_000_000
    assert received.store_size > 0
    assert received.commit_log_offset >= 0
    assert received.queue_id in range(4)


def test_every_way_to_send(started: Producer, subscribe, topic: str):
    kept = Kept()
    subscribe(topic, kept)
    results: queue.Queue[SendResult] = queue.Queue()
    started.send_oneway(message(topic, "one way"))
    started.send_batch([message(topic, "batch"), message(topic, "batch")])
    started.send_async(message(topic, "async"), results.put, None)
    assert results.get(timeout=PATIENCE).status is SendStatus.OK
    by_key = {started.send_orderly_with_sharding_key(message(topic, "key"), "order").status for _ in range(3)}
    assert by_key == {SendStatus.OK}
    started.send_orderly(message(topic, "orderly"), 6)
    started.send_orderly(message(topic, "orderly"), "x", queue_selector=lambda size, msg, arg: size - 1)
    started.send_oneway_orderly(message(topic, "orderly"), 1)
    bodies = sorted(kept.next().body for _ in range(10))
    assert bodies == sorted([b"one way", b"batch", b"batch", b"async"] + [b"key"] * 3 + [b"orderly"] * 3)


def test_a_delay_level(started: Producer, subscribe, topic: str):
    kept = Kept()
    subscribe(topic, kept)
    delayed = message(topic)
    delayed.set_delay_time_level(1)
    start = time.monotonic()
    started.send_sync(delayed)
    assert kept.next().delay_time_level == 1
    assert time.monotonic() - start >= 1


def test_orderly(started: Producer, subscribe, topic: str):
    kept = Kept()
    for i in range(50):
        started.send_orderly_with_sharding_key(message(topic, str(i)), "order-1")
    subscribe(topic, kept, orderly=True)
    assert [kept.next().body for _ in range(50)] == [b"%d" % i for i in range(50)]


def test_two_topics_have_their_own_callbacks(broker: Broker, started: Producer, topic: str):
    first, second = Kept(), Kept()
    consumer = PushConsumer("two-topics")
    consumer.set_namesrv_addr(f"127.0.0.1:1;{broker.endpoint}")
    consumer.set_thread_count(2)
    consumer.set_message_batch_max_size(1)
    consumer.set_instance_name("two")
    consumer.subscribe(f"{topic}-1", first)
    with consumer:
        consumer.subscribe(f"{topic}-2", second, "a || b")
        started.send_sync(message(f"{topic}-1", "1"))
        tagged = message(f"{topic}-2", "2")
        tagged.set_tags("b")
        started.send_sync(message(f"{topic}-2", "no tag"))
        started.send_sync(tagged)
        assert (first.next().body, second.next().body) == (b"1", b"2")


@pytest.mark.parametrize("answer", [None, "CONSUME_SUCCESS", 7])
def test_a_callback_must_answer(started: Producer, subscribe, topic: str, caplog: pytest.LogCaptureFixture, answer):
    called: queue.Queue[int] = queue.Queue()

    def callback(received: ReceivedMessage) -> ConsumeStatus:
        called.put(received.reconsume_times)
        return answer

    consumer = subscribe(topic, callback)
    started.send_sync(message(topic))
    assert called.get(timeout=PATIENCE) == 0
    consumer.shutdown()
    assert "ValueError: a callback must return a ConsumeStatus" in caplog.text


def test_failures_are_the_documented_exceptions_and_ours(broker: Broker, started: Producer, topic: str):
    with pytest.raises(exceptions.ProducerSendSyncFailed) as caught:
        started.send_sync(message("a/b"))
    assert isinstance(caught.value, (exceptions.ProducerException, tminus.Error))
    assert caught.value.kind == "invalid_message"
    assert caught.value.outcome is tminus.Outcome.NOT_SENT
    assert isinstance(caught.value.__cause__, tminus.errors.InvalidMessageError)

    broker.inject(SEND_MESSAGE_V2, "refuse", code=13, remark="not this one")
    failed: queue.Queue[exceptions.ProducerSendAsyncFailed] = queue.Queue()
    started.send_async(message(topic), None, failed.put)
    error = failed.get(timeout=PATIENCE)
    assert (error.kind, error.code) == ("message_refused", 13)
    with pytest.raises(exceptions.ProducerSendOnewayFailed):
        started.send_oneway(message(""))
    with pytest.raises(exceptions.ProducerSendOrderlyFailed):
        started.send_orderly_with_sharding_key(message(""), "key")

    lost = Producer("compat")
    lost.set_name_server_address("127.0.0.1:1")
    with pytest.raises(exceptions.ProducerStartFailed):
        lost.start()
    with pytest.raises(exceptions.ProducerException, match="call start"):
        lost.send_sync(message(topic))
    deaf = PushConsumer("compat")
    deaf.set_name_server_address("127.0.0.1:1")
    with pytest.raises(exceptions.PushConsumerStartFailed):
        deaf.start()


def test_tls_by_the_environment(topic: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with Broker(tls_only=True) as broker:
        assert broker.ca_pem is not None
        authority = tmp_path / "ca.pem"
        authority.write_text(broker.ca_pem)
        producer = Producer("compat")
        producer.set_name_server_address(broker.endpoint)
        with pytest.raises(exceptions.ProducerStartFailed):
            producer.start()
        monkeypatch.setenv("TMINUS_TLS_CA", str(authority))
        with producer:
            assert producer.send_sync(message(topic)).status is SendStatus.OK


def test_credentials(topic: str):
    with Broker(credentials=[tminus.Credentials("key", "secret")]) as broker:
        producer = Producer("compat")
        producer.set_name_server_address(broker.endpoint)
        producer.set_session_credentials("key", "secret", "ALIYUN")
        with producer:
            assert producer.send_sync(message(topic)).status is SendStatus.OK


def test_what_later_versions_bring_says_so():
    for call in (
        lambda: client.TransactionMQProducer("g", lambda msg: client.TransactionStatus.COMMIT),
        lambda: client.PullConsumer("g"),
        lambda: Producer("g").set_name_server_domain("http://names.example"),
    ):
        with pytest.raises(NotImplementedError, match="not part of this version"):
            call()


SURFACE = {
    "Message": "set_keys set_tags set_body set_property set_delay_time_level",
    "ReceivedMessage": "topic tags keys body id delay_time_level queue_id reconsume_times store_size born_timestamp "
    "store_timestamp queue_offset commit_log_offset prepared_transaction_offset get_property",
    "Producer": "send_sync send_oneway send_orderly_with_sharding_key set_group set_name_server_address "
    "set_name_server_domain set_session_credentials set_timeout set_compress_level set_max_message_size start shutdown "
    "set_namesrv_addr set_namesrv_domain send_batch send_async send_orderly send_oneway_orderly",
    "PushConsumer": "start shutdown set_group set_name_server_address set_name_server_domain set_session_credentials "
    "set_message_model subscribe set_thread_count set_message_batch_max_size set_instance_name set_namesrv_addr "
    "set_namesrv_domain",
    "TransactionMQProducer": "send_message_in_transaction",
    "PullConsumer": "pull",
}

PARAMETERS = {
    "Producer": ["group_id", "orderly", "timeout", "compress_level", "max_message_size"],
    "PushConsumer": ["group_id", "orderly", "message_model"],
    "TransactionMQProducer": [
        "group_id", "checker_callback", "user_args", "timeout", "compress_level", "max_message_size",
    ],
}  # fmt: skip


@pytest.mark.parametrize("name", SURFACE)
def test_the_surface(name: str):
    assert [method for method in SURFACE[name].split() if not hasattr(getattr(client, name), method)] == []


@pytest.mark.parametrize("name", PARAMETERS)
def test_the_parameters(name: str):
    assert list(inspect.signature(getattr(client, name)).parameters) == PARAMETERS[name]


def test_the_numbers():
    assert list(SendStatus) == [0, 1, 2, 3]
    assert [member.name for member in SendStatus] == [
        "OK", "FLUSH_DISK_TIMEOUT", "FLUSH_SLAVE_TIMEOUT", "SLAVE_NOT_AVAILABLE",
    ]  # fmt: skip
    assert {member.name: member.value for member in client.TransactionStatus} == {
        "COMMIT": 0, "ROLLBACK": 1, "UNKNOWN": 2,
    }  # fmt: skip
    assert {member.name: member.value for member in ConsumeStatus} == {"CONSUME_SUCCESS": 0, "RECONSUME_LATER": 1}
    assert {member.name: member.value for member in client.MessageModel} == {"BROADCASTING": 0, "CLUSTERING": 1}
    assert client.RecvMessage is ReceivedMessage
