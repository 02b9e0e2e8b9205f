"""`mq_http_sdk`: programs for Alibaba's mq_http_sdk 1.0.3."""

from __future__ import annotations

import hashlib
import inspect
import logging
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import mq_http_sdk.mq_client as mq_client
import mq_http_sdk.mq_consumer as mq_consumer
import mq_http_sdk.mq_exception as mq_exception
import mq_http_sdk.mq_producer as mq_producer
import mq_http_sdk.mq_tool as mq_tool
import pytest
import tminus
from conftest import RECEIVE_MESSAGE, SEND_MESSAGE_V2, Answers, Run, seconds
from mq_http_sdk.mq_client import MQClient
from mq_http_sdk.mq_consumer import Message, MQConsumer
from mq_http_sdk.mq_exception import (
    MQClientNetworkException,
    MQClientParameterException,
    MQExceptionBase,
    MQServerException,
)
from mq_http_sdk.mq_producer import TopicMessage
from tminus.testing import Broker

INSTANCE = "MQ_INST_tests"
GROUP = "GID_tests"
KEYS = tminus.Credentials("reader", "right-secret")


@pytest.fixture
def broker() -> Iterator[Broker]:
    with Broker(virtual_clock=True, credentials=[KEYS]) as broker:
        yield broker


@pytest.fixture
def client(broker: Broker) -> Iterator[MQClient]:
    client = MQClient(f"http://{broker.endpoint}/", "reader", "right-secret")
    yield client
    client.close_connection()


def nothing_comes(consumer: MQConsumer, **options: int) -> bool:
    with pytest.raises(MQServerException) as caught:
        consumer.consume_message(**options)
    return caught.value.type == "MessageNotExist" and bool(caught.value.req_id)


def test_what_a_message_tells(broker: Broker, client: MQClient, topic: str):
    message = TopicMessage("téxt <&>", "TagA")
    message.put_property("a", 1)
    message.set_message_key("MessageKey")
    message.set_sharding_key(7)
    sent_at = time.time() * 1000
    published = client.get_producer(INSTANCE, topic).publish_message(message)
    md5 = hashlib.md5("téxt <&>".encode()).hexdigest().upper()
    assert (published.message_body_md5, published.receipt_handle, published.message_body) == (md5, "", "")
    assert message.properties == {"a": "1", "KEYS": "MessageKey", "__SHARDINGKEY": "7"}

    (received,) = client.get_consumer(INSTANCE, topic, GROUP, "TagA").consume_message(16, 3)
    assert (received.message_id, received.message_body_md5) == (published.message_id, md5)
    assert (received.message_body, received.message_tag) == ("téxt <&>", "TagA")
    assert (received.get_message_key(), received.get_sharding_key()) == ("MessageKey", "7")
    assert received.properties == message.properties
    assert (received.get_property("a"), received.get_property("absent")) == ("1", "")
    assert (received.get_start_deliver_time(), received.get_trans_check_immunity_time()) == (0, 0)
    assert received.consumed_times == 1
    assert abs(received.publish_time - sent_at) < 10_000
    assert abs(received.first_consume_time - sent_at) < 10_000
    assert received.next_consume_time == received.first_consume_time + 300_000
    broker.create_topic(topic)
    assert nothing_comes(client.get_consumer("", topic, GROUP))  # an instance is a namespace


def test_ten_seconds_on_the_virtual_clock(broker: Broker, client: MQClient, topic: str):
    due = round(broker.clock.now().timestamp() * 1000)
    message = TopicMessage("delayed")
    message.set_start_deliver_time(due + 10_000)
    client.get_producer("", topic).publish_message(message)
    consumer = client.get_consumer(None, topic, GROUP)
    broker.advance(broker.pending()[0].deliver_at - broker.clock.now() - timedelta(milliseconds=1))
    assert nothing_comes(consumer)
    assert broker.advance(timedelta(milliseconds=1)) == 1
    (received,) = consumer.consume_message()
    assert received.get_start_deliver_time() == due + 10_000
    consumer.ack_message([received.receipt_handle])
    broker.advance(timedelta(hours=1))
    assert nothing_comes(consumer)


def test_some_handles_are_refused(broker: Broker, client: MQClient, topic: str):
    producer, consumer = client.get_producer("", topic), client.get_consumer("", topic, GROUP)
    producer.publish_message(TopicMessage("old"))
    (old,) = consumer.consume_message()
    broker.advance(seconds(200))
    producer.publish_message(TopicMessage("new"))
    (new,) = consumer.consume_message()
    broker.advance(seconds(100.001))
    with pytest.raises(MQServerException) as caught:
        consumer.ack_message([old.receipt_handle, new.receipt_handle])
    error = caught.value
    assert (error.type, error.code, error.kind) == ("ReceiptHandleError", 404, "invalid_receipt")
    assert error.req_id
    assert error.sub_errors is not None
    assert [(sub["ReceiptHandle"], sub["ErrorCode"]) for sub in error.sub_errors] == [
        (old.receipt_handle, "ReceiptHandleError")
    ]
    assert error.sub_errors[0]["ErrorMessage"] == error.message
    assert isinstance(error.__cause__, tminus.errors.InvalidReceiptError)
    (again,) = consumer.consume_message(16)
    assert (again.message_body, again.consumed_times) == ("old", 2)
    consumer.ack_message((again.receipt_handle,))  # type: ignore[arg-type]


def test_in_order(client: MQClient, topic: str):
    producer, consumer = client.get_producer("", topic), client.get_consumer("", topic, GROUP)
    for body in ("0", "1", "2"):
        message = TopicMessage()
        message.set_message_body(body)
        message.set_sharding_key("order")
        producer.publish_message(message)
    first = consumer.consume_message_orderly(2)
    assert [message.message_body for message in first] == ["0", "1"]
    with pytest.raises(MQServerException, match="MessageNotExist"):
        consumer.consume_message_orderly(2)
    consumer.ack_message([message.receipt_handle for message in first])
    assert [message.message_body for message in consumer.consume_message_orderly(2, 3)] == ["2"]


@pytest.mark.parametrize("instance", ["", INSTANCE])
def test_transactions(broker: Broker, client: MQClient, topic: str, instance: str):
    producer = client.get_trans_producer(instance, topic, "GID_producer")
    consumer = client.get_consumer(instance, topic, GROUP)
    handles = []
    for body in ("committed", "rolled back", "asked about"):
        message = TopicMessage(body)
        message.set_trans_check_immunity_time(10)
        handles.append(producer.publish_message(message).receipt_handle)
    producer.commit(handles[0])
    producer.rollback(handles[1])
    (received,) = consumer.consume_message(16)
    assert received.message_body == "committed"
    with pytest.raises(MQServerException, match="MessageNotExist"):
        producer.consume_half_message()
    broker.advance(seconds(10))
    (half,) = producer.consume_half_message(16, 3)
    assert (half.message_body, half.get_trans_check_immunity_time()) == ("asked about", 10)
    with pytest.raises(MQServerException) as expired:
        producer.commit(handles[2])
    assert expired.value.type == "ReceiptHandleError"
    producer.commit(half.receipt_handle)
    (received,) = consumer.consume_message(16)
    assert received.message_body == "asked about"
    with pytest.raises(MQClientParameterException) as caught:
        client.get_trans_producer(instance, topic, "")
    assert caught.value.type == "InitMQTransProducerError"


def test_what_the_server_refuses(broker: Broker, client: MQClient, topic: str):
    wrong = MQClient(f"http://{broker.endpoint}", "reader", "wrong-secret")
    with pytest.raises(MQServerException) as caught:
        wrong.get_producer("", topic).publish_message(TopicMessage("x"))
    error = caught.value
    assert (error.type, error.code, error.kind) == ("SignatureDoesNotMatch", 403, "permission_denied")
    assert (error.req_id, error.outcome) == (error.request_id, tminus.Outcome.NOT_SENT)
    assert error.host_id
    assert error.sub_errors is None
    assert str(error) == f"MQServerException  {error.get_info()}"
    assert error.get_info() == f'("SignatureDoesNotMatch" "{error.message}") RequestID:{error.req_id}\n'
    wrong.set_credentials("reader", "right-secret")
    wrong.get_producer("", topic).publish_message(TopicMessage("x"))

    broker.inject(SEND_MESSAGE_V2, "refuse", code=2)
    with pytest.raises(MQServerException, match="QpsLimitExceeded"):
        client.get_producer("", topic).publish_message(TopicMessage("x"))


def test_what_no_server_answers(broker: Broker, client: MQClient, topic: str):
    producer = client.get_producer("", topic)
    producer.publish_message(TopicMessage("connects"))
    broker.inject(SEND_MESSAGE_V2, "close_after")
    before = broker.request_count(SEND_MESSAGE_V2)
    with pytest.raises(MQClientNetworkException) as lost:
        producer.publish_message(TopicMessage("x"))
    assert (lost.value.type, lost.value.kind) == ("NetWorkException", "connection_closed")
    assert lost.value.outcome is tminus.Outcome.MAYBE_SENT
    assert "may have been stored" in str(lost.value)
    assert broker.request_count(SEND_MESSAGE_V2) == before + 1

    broker.inject(SEND_MESSAGE_V2, "gateway")
    with pytest.raises(MQClientNetworkException) as page:
        producer.publish_message(TopicMessage("x"))
    assert (page.value.type, page.value.code) == ("RespDataDamaged", 502)

    nobody = MQClient("http://127.0.0.1:1", "a", "b")
    with pytest.raises(MQClientNetworkException, match="NetWorkException"):
        nobody.get_producer("", topic).publish_message(TopicMessage("x"))
    client.set_connection_timeout(0.2)
    broker.inject(SEND_MESSAGE_V2, "swallow")
    start = time.monotonic()
    with pytest.raises(MQClientNetworkException) as silent:
        producer.publish_message(TopicMessage("x"))
    assert silent.value.kind == "timeout"
    assert 0.2 <= time.monotonic() - start < 2


def test_arguments_that_are_none(broker: Broker, client: MQClient, topic: str):
    def publish(message: TopicMessage, topic: str = topic) -> Callable[[], object]:
        return lambda: client.get_producer("", topic).publish_message(message)

    def with_property(key: str, value: str) -> TopicMessage:
        message = TopicMessage("x")
        message.put_property(key, value)
        return message

    consumer = client.get_consumer("", topic, GROUP)
    with_a_path = MQClient("http://h/path", "a", "b").get_producer("", topic)
    wrong: list[tuple[str, Callable[[], object]]] = [
        ("InvalidHost", lambda: MQClient("ftp://h", "a", "b")),
        ("InvalidHost", lambda: MQClient("127.0.0.1:80", "a", "b")),
        ("InvalidArgument", lambda: with_a_path.publish_message(TopicMessage("x"))),
        ("MessageInvalid", publish(TopicMessage(""))),
        ("MessageInvalid", publish(TopicMessage("a\0b"))),
        ("MessageInvalid", publish(TopicMessage("x"), "a/b")),
        ("MessageInvalid", publish(with_property("url", "http://h"))),
        ("StartDeliverTimeInvalid", publish(with_property("__STARTDELIVERTIME", "soon"))),
        ("TypeInvalid", publish(TopicMessage(b"bytes"))),  # type: ignore[arg-type]
        ("TypeInvalid", publish(TopicMessage("\ud800"))),
        ("BatchSizeInvalid", lambda: consumer.consume_message(0)),
        ("BatchSizeInvalid", lambda: consumer.consume_message(-3)),
        ("InvalidArgument", lambda: consumer.consume_message(17)),
        ("InvalidArgument", lambda: consumer.consume_message(1, 31)),
        ("WaitSecondsInvalid", lambda: consumer.consume_message(1, -2)),
        ("TypeInvalid", lambda: consumer.consume_message("1")),  # type: ignore[arg-type]
        ("InvalidArgument", lambda: consumer.ack_message([])),
        ("InvalidArgument", lambda: consumer.ack_message(["handle"] * 17)),
        ("LogLevelInvalid", lambda: mq_tool.MQLogger.get_logger(log_level=7)),
    ]  # fmt: skip
    for number, (type, call) in enumerate(wrong):
        with pytest.raises(MQClientParameterException) as caught:
            call()
        assert (number, caught.value.type) == (number, type)
        assert isinstance(caught.value, MQExceptionBase)
        assert caught.value.sub_errors is None
    for code in (SEND_MESSAGE_V2, RECEIVE_MESSAGE):
        assert broker.request_count(code) == 0


def test_a_damaged_body_is_left_out(broker: Broker, client: MQClient, topic: str, caplog: pytest.LogCaptureFixture):
    client.get_producer("", topic).publish_message(TopicMessage("x"))
    broker.inject(RECEIVE_MESSAGE, "corrupt")
    consumer = client.get_consumer("", topic, GROUP)
    assert consumer.consume_message() == []
    assert "does not fit its digest" in caplog.text
    broker.advance(seconds(300))
    assert [message.message_body for message in consumer.consume_message()] == ["x"]


def test_bytes_of_other_producers_come_in_base64(broker: Broker, client: MQClient, topic: str):
    endpoint = f"http://{broker.endpoint}"
    with tminus.Producer(endpoint, body_encoding="base64", credentials=KEYS) as producer:
        producer.send(tminus.Message(topic, b"\xff\x00"))
    (received,) = client.get_consumer("", topic, GROUP).consume_message()
    assert (received.message_body, received.get_property("__BODY_ENCODING")) == ("/wA=", "base64")


def test_https_by_the_environment(topic: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with Broker(tls_only=True) as broker:
        assert broker.ca_pem is not None
        authority = tmp_path / "ca.pem"
        authority.write_text(broker.ca_pem)
        client = MQClient(f"https://{broker.endpoint}", "a", "b")
        assert client.is_https
        with pytest.raises(MQClientNetworkException) as caught:
            client.get_producer("", topic).publish_message(TopicMessage("x"))
        assert caught.value.kind == "tls"
        client.close_connection()
        monkeypatch.setenv("TMINUS_TLS_CA", str(authority))
        assert client.get_producer("", topic).publish_message(TopicMessage("x")).message_id
        client.close_connection()


def test_a_proxy_by_the_environment(topic: str, monkeypatch: pytest.MonkeyPatch):
    refusal = "<Error><Code>AccessDenied</Code><Message>no</Message><RequestId>R</RequestId><HostId>H</HostId></Error>"
    monkeypatch.delenv("REQUEST_METHOD", raising=False)
    with Answers(("403 Forbidden", refusal)) as proxy:
        monkeypatch.setenv("http_proxy", proxy.endpoint)
        client = MQClient("http://service.example", "a", "b", "token")
        with pytest.raises(MQServerException, match="AccessDenied"):
            client.get_producer(INSTANCE, topic).publish_message(TopicMessage("x"))
    (request,) = proxy.requests
    assert request.startswith(f"POST http://service.example:80/topics/{topic}/messages?ns={INSTANCE} HTTP/1.1".encode())
    assert b"security-token: token" in request.lower()


def test_what_is_said(
    client: MQClient, topic: str, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture, tmp_path: Path
):
    file = tmp_path / "sdk.log"
    logger = mq_tool.MQLogger.get_logger("test-sdk", str(file), logging.INFO)
    client.logger = logger
    producer, consumer = client.get_producer("", topic), client.get_consumer("", topic, GROUP)
    published = producer.publish_message(TopicMessage("x"))
    assert capsys.readouterr().out == ""
    consumer.set_debug(True)
    (received,) = consumer.consume_message()
    assert "RequestId: " in capsys.readouterr().out
    consumer.ack_message([received.receipt_handle])
    client.set_log_level(logging.ERROR)
    producer.publish_message(TopicMessage("unsaid"))
    client.close_log()
    said = file.read_text()
    for word in ("PublishMessage", "ConsumeMessage", "AckMessage"):
        assert said.count(word) == 1
    assert said.count(published.message_id) == 2
    assert "right-secret" not in said + caplog.text
    for handler in logger.handlers:
        handler.close()


def test_it_goes_on_in_a_forked_child(broker: Broker, run_python: Run):
    done = run_python(
        """
        import os, sys, warnings
        warnings.simplefilter("ignore", DeprecationWarning)  # of fork in a process with threads
        from mq_http_sdk.mq_client import *

        client = MQClient(sys.argv[1], "reader", "right-secret")
        producer = client.get_producer("", "forked")
        producer.publish_message(TopicMessage("parent"))
        child = os.fork()
        client.set_credentials("reader", "right-secret")
        producer.publish_message(TopicMessage("both"))
        if child:
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        """,
        f"http://{broker.endpoint}",
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert broker.request_count(SEND_MESSAGE_V2) == 3


SURFACE: dict[Any, str] = {
    MQClient: "get_consumer get_producer get_trans_producer set_log_level close_log set_connection_timeout "
    "set_keep_alive close_connection",
    MQConsumer: "set_debug consume_message consume_message_orderly ack_message",
    mq_producer.MQProducer: "set_debug publish_message",
    mq_producer.MQTransProducer: "set_debug publish_message consume_half_message commit rollback",
    TopicMessage: "set_message_body set_message_tag set_message_key set_trans_check_immunity_time "
    "set_start_deliver_time set_sharding_key put_property",
    Message: "get_message_key get_start_deliver_time get_trans_check_immunity_time get_sharding_key get_property",
    MQExceptionBase: "get_info",
    mq_tool.MQLogger: "get_logger validate_loglevel",
}

PARAMETERS: dict[Any, list[str]] = {
    MQClient: ["host", "access_id", "access_key", "security_token=''", "debug=False", "logger=None"],
    MQClient.get_consumer: ["self", "instance_id", "topic_name", "consumer", "message_tag=''"],
    MQClient.get_producer: ["self", "instance_id", "topic_name"],
    MQClient.get_trans_producer: ["self", "instance_id", "topic_name", "group_id"],
    MQConsumer: ["instance_id", "topic_name", "consumer", "message_tag", "mq_client", "debug=False"],
    MQConsumer.consume_message: ["self", "batch_size=1", "wait_seconds=-1"],
    MQConsumer.consume_message_orderly: ["self", "batch_size=1", "wait_seconds=-1"],
    MQConsumer.ack_message: ["self", "receipt_handle_list"],
    mq_producer.MQProducer: ["instance_id", "topic_name", "mq_client", "debug=False"],
    mq_producer.MQTransProducer: ["instance_id", "topic_name", "group_id", "mq_client", "debug=False"],
    mq_producer.MQTransProducer.consume_half_message: ["self", "batch_size=1", "wait_seconds=-1"],
    TopicMessage: ["message_body=''", "message_tag=''"],
    mq_tool.MQLogger.get_logger: ["log_name=None", "log_file=None", "log_level=20"],
    MQExceptionBase: ["type", "message", "req_id=None"],
    MQServerException: ["type", "message", "request_id", "host_id", "sub_errors=None"],
}

ATTRIBUTES: list[tuple[Any, dict[str, object]]] = [
    (
        MQClient("https://h/", "id", "key", "token"),
        {
            "host": "h", "is_https": True, "access_id": "id", "access_key": "key", "security_token": "token",
            "version": "2015-06-06", "debug": False, "logger": None,
        },
    ),
    (
        MQClient("http://h", "id", "key").get_consumer(None, "t", "g"),
        {"instance_id": "", "topic_name": "t", "consumer": "g", "message_tag": "", "debug": False},
    ),
    (MQClient("http://h", "id", "key").get_producer("i", "t"), {"instance_id": "i", "topic_name": "t"}),
    (MQClient("http://h", "id", "key").get_trans_producer(None, "t", "g"), {"instance_id": "", "group_id": "g"}),
    (
        TopicMessage("b", "t"),
        {
            "message_body": "b", "message_tag": "t", "properties": {}, "message_id": "", "message_body_md5": "",
            "receipt_handle": "",
        },
    ),
    (
        Message(),
        {
            "message_body": "", "message_tag": None, "message_id": "", "message_body_md5": "", "consumed_times": -1,
            "publish_time": -1, "first_consume_time": -1, "receipt_handle": "", "next_consume_time": 1,
            "properties": {},
        },
    ),
    (MQExceptionBase("t", "m"), {"type": "t", "message": "m", "req_id": None, "sub_errors": None}),
    (
        MQServerException("t", "m", "r", "h"),
        {"type": "t", "message": "m", "req_id": "r", "request_id": "r", "host_id": "h", "sub_errors": None},
    ),
]  # fmt: skip


@pytest.mark.parametrize("owner", SURFACE, ids=lambda owner: owner.__name__)
def test_the_surface(owner: Any):
    assert [name for name in SURFACE[owner].split() if not callable(getattr(owner, name, None))] == []


@pytest.mark.parametrize("call", PARAMETERS, ids=lambda call: call.__qualname__)
def test_the_parameters(call: Any):
    parameters = inspect.signature(call).parameters.values()
    given = [p.name if p.default is p.empty else f"{p.name}={p.default!r}" for p in parameters]
    assert given == PARAMETERS[call]


@pytest.mark.parametrize(("thing", "attributes"), ATTRIBUTES, ids=lambda value: type(value).__name__)
def test_the_attributes(thing: Any, attributes: dict[str, object]):
    assert {name: getattr(thing, name) for name in attributes} == attributes


def test_the_names_of_star_imports():
    everywhere = {"MQExceptionBase", "MQServerException", "MQClientNetworkException", "MQClientParameterException"}
    assert everywhere <= set(mq_exception.__all__)
    assert everywhere | {"MQConsumer", "Message"} <= set(mq_consumer.__all__)
    assert everywhere | {"MQProducer", "MQTransProducer", "TopicMessage"} <= set(mq_producer.__all__)
    assert everywhere | {"MQClient", "MQConsumer", "MQProducer", "MQTransProducer"} <= set(mq_client.__all__)
    for module in (mq_client, mq_consumer, mq_exception, mq_producer, mq_tool):
        assert [name for name in module.__all__ if not hasattr(module, name)] == []
