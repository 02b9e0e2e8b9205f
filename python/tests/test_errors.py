"""Bad input and faults: each is typed, says what became of the message, and what to do."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import tminus
from conftest import SEND_MESSAGE_V2, seconds
from tminus import errors
from tminus.testing import Broker


def test_every_kind_has_a_class():
    assert errors._CLASSES.keys() == errors.ERROR_KINDS.keys()
    assert all(issubclass(exception, tminus.Error) for exception in errors._CLASSES.values())


def test_ours_are_pythons_too():
    assert issubclass(errors.TimeoutError, TimeoutError)
    assert issubclass(errors.ConnectionError, ConnectionError)
    assert issubclass(errors.TlsError, ConnectionError)
    assert issubclass(errors.InvalidMessageError, ValueError)
    assert issubclass(errors.PermissionDeniedError, PermissionError)
    assert issubclass(errors.IoError, OSError)


@pytest.mark.parametrize(
    ("message", "exception", "says"),
    [
        (tminus.Message("", b"x"), errors.InvalidMessageError, "topic is empty"),
        (tminus.Message("a/b", b"x"), errors.InvalidMessageError, "contains '/'"),
        (tminus.Message("a" * 128, b"x"), errors.InvalidMessageError, "128 bytes"),
        (tminus.Message("t", b""), errors.InvalidMessageError, "empty body"),
        (
            tminus.Message("t", b"x" * (4 * 1024 * 1024 + 1)),
            errors.InvalidMessageError,
            "more than the 4194304 allowed",
        ),
        (tminus.Message("t", b"x", properties={"a": "1\x01"}), errors.InvalidMessageError, "separator byte"),
        (tminus.Message("t", b"x", properties={"a\x02": "1"}), errors.InvalidMessageError, "separator byte"),
        (tminus.Message("t", b"x", properties={"a": "v" * 40_000}), errors.InvalidMessageError, "properties take"),
        (
            tminus.Message("t", b"x", properties={"__STARTDELIVERTIME": "soon"}),
            errors.InvalidDeliveryTimeError,
            "decimal",
        ),
        (
            tminus.Message("t", b"x", properties={"__STARTDELIVERTIME": "-1"}),
            errors.InvalidDeliveryTimeError,
            "negative",
        ),
        (
            tminus.Message("t", b"x", properties={"__STARTDELIVERTIME": str(int(time.time()) + 3)}),
            errors.InvalidDeliveryTimeError,
            "looks like seconds",
        ),
        (
            tminus.Message("t", b"x", deliver_after=seconds(366 * 24 * 3600)),
            errors.InvalidDeliveryTimeError,
            "366 days ahead",
        ),
        (
            tminus.Message("t", b"x", deliver_after=seconds(1), properties={"DELAY": "3"}),
            errors.InvalidDeliveryTimeError,
            "set twice",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_unusable_message_is_not_sent(
    broker: Broker, producer: tminus.Producer, message: tminus.Message, exception: type[tminus.Error], says: str
):
    with pytest.raises(exception) as caught:
        producer.send(message)
    assert says in str(caught.value)
    assert caught.value.outcome is tminus.Outcome.NOT_SENT
    assert caught.value.operation == "send"
    assert not caught.value.retryable
    assert broker.request_count(SEND_MESSAGE_V2) == 0


@pytest.mark.parametrize("group", ["", "a b", "g" * 121])
def test_an_illegal_group(broker: Broker, group: str):
    with pytest.raises(errors.InvalidArgumentError, match="group"):
        tminus.Producer(broker.endpoint, group=group).start()
    with pytest.raises(errors.InvalidArgumentError, match="group"):
        tminus.PushConsumer(broker.endpoint, group, "t").start()


def test_an_unknown_topic():
    with Broker(auto_create_topics=False) as broker, tminus.Producer(broker.endpoint) as producer:
        with pytest.raises(errors.NotFoundError, match="nowhere") as caught:
            producer.send(tminus.Message("nowhere", b"x"))
    assert caught.value.kind == "topic_not_found"
    assert caught.value.outcome is tminus.Outcome.NOT_SENT


def test_no_name_server():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = "{}:{}".format(*unused.getsockname())
        with pytest.raises(errors.ConnectionError, match=address) as caught:
            tminus.Producer(address).start()
    assert caught.value.kind == "name_server_unreachable"
    assert caught.value.retryable


@contextmanager
def raw_server(answer: bytes) -> Iterator[str]:
    """Reads a request and answers every connection with the same bytes."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(65536)
                    connection.sendall(answer)
                    connection.recv(65536)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield "{}:{}".format(*listener.getsockname())
        listener.shutdown(socket.SHUT_RDWR)
    thread.join(timeout=5)


def test_an_http_port():
    refusal = b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"
    with raw_server(refusal) as address, pytest.raises(errors.ProtocolError) as caught:
        tminus.Producer(address).start()
    assert caught.value.kind == "wrong_protocol"
    assert "HTTP" in str(caught.value)


def test_a_grpc_port():
    settings = b"\x00\x00\x06\x04\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00\x64"
    with raw_server(settings) as address, pytest.raises(errors.ProtocolError) as caught:
        tminus.Producer(address).start()
    assert caught.value.kind == "wrong_protocol"


@pytest.mark.parametrize(
    "answer",
    [struct.pack(">ii", 0x7FFFFFFF, 16), struct.pack(">ii", -5, 16), struct.pack(">ii", 20, 0x00FFFFFF) + b"{}" * 8],
    ids=["huge", "negative", "header longer than its frame"],
)
def test_a_hostile_server(answer: bytes):
    with raw_server(answer) as address, pytest.raises(errors.ConnectionError):
        tminus.Producer(address).start()


def test_a_hostile_client(broker: Broker, producer: tminus.Producer, topic: str):
    host, port = broker.endpoint.split(":")
    for frame in (
        struct.pack(">ii", 0x7FFFFFFF, 16),
        struct.pack(">ii", -5, 16),
        b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n",
    ):
        with socket.create_connection((host, int(port)), timeout=5) as client:
            client.sendall(frame)
            client.settimeout(5)
            try:
                while client.recv(4096):
                    pass
            except ConnectionResetError:
                pass
    assert producer.send(tminus.Message(topic, b"still here")).status is tminus.SendStatus.OK


def test_sent_or_not_is_told_apart(broker: Broker, topic: str):
    with tminus.Producer(broker.endpoint, retries=0) as producer:
        producer.send(tminus.Message(topic, b"connected"))
        broker.inject(SEND_MESSAGE_V2, "close_after")
        with pytest.raises(errors.ConnectionError) as caught:
            producer.send(tminus.Message(topic, b"stored, unanswered"))
        assert caught.value.kind == "connection_closed"
        assert caught.value.outcome is tminus.Outcome.MAYBE_SENT

        broker.inject(SEND_MESSAGE_V2, "refuse", code=13, remark="the property is too long")
        with pytest.raises(errors.ServerError, match="the property is too long") as refused:
            producer.send(tminus.Message(topic, b"refused"))
        assert refused.value.code == 13
        assert refused.value.kind == "message_refused"
        assert refused.value.outcome is tminus.Outcome.NOT_SENT

        broker.inject(SEND_MESSAGE_V2, "swallow")
        start = time.monotonic()
        with pytest.raises(errors.TimeoutError) as late:
            producer.send(tminus.Message(topic, b"never answered"), timeout=seconds(0.2))
        assert time.monotonic() - start < 2
        assert late.value.outcome is tminus.Outcome.MAYBE_SENT


def test_a_retry_hides_a_busy_broker(broker: Broker, producer: tminus.Producer, topic: str):
    producer.send(tminus.Message(topic, b"connected"))
    broker.inject(SEND_MESSAGE_V2, "refuse", code=2, remark="system busy")
    assert producer.send(tminus.Message(topic, b"x")).status is tminus.SendStatus.OK


def test_wrong_credentials(topic: str):
    right = tminus.Credentials("reader", "right-secret")
    with Broker(credentials=[right]) as broker:
        with tminus.Producer(broker.endpoint, credentials=right) as producer:
            producer.send(tminus.Message(topic, b"x"))
        for wrong in (tminus.Credentials("reader", "wrong-secret"), tminus.Credentials("nobody", "right-secret"), None):
            with pytest.raises(errors.PermissionDeniedError) as caught:
                with tminus.Producer(broker.endpoint, credentials=wrong) as producer:
                    producer.send(tminus.Message(topic, b"x"))
            assert "-secret" not in str(caught.value)


def test_a_restart_is_survived(broker: Broker, producer: tminus.Producer, topic: str):
    producer.send(tminus.Message(topic, b"before"))
    broker.restart(seconds(0.1))
    assert producer.send(tminus.Message(topic, b"after")).status is tminus.SendStatus.OK
