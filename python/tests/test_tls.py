"""TLS: verified by default, and a clear word when it cannot be."""

from __future__ import annotations

import pytest
import tminus
from conftest import Inbox
from tminus import errors
from tminus.testing import Broker


@pytest.fixture(scope="module")
def tls_broker():
    with Broker(tls_only=True) as broker:
        yield broker


def test_a_trusted_authority(tls_broker: Broker, topic: str):
    tls = tminus.TlsOptions(ca_pem=tls_broker.ca_pem)
    inbox = Inbox()
    with tminus.Producer(tls_broker.endpoint, tls=tls) as producer:
        producer.send(tminus.Message(topic, b"x"))
        with tminus.PushConsumer(tls_broker.endpoint, "tls", topic, inbox, tls=tls, consume_from="first_offset"):
            assert inbox.next().body == b"x"


def test_an_authority_nobody_named(tls_broker: Broker):
    with pytest.raises(errors.TlsError) as caught:
        tminus.Producer(f"remotings://{tls_broker.endpoint}").start()
    assert caught.value.kind == "tls"
    assert isinstance(caught.value, ConnectionError)


def test_a_wrong_server_name(tls_broker: Broker):
    tls = tminus.TlsOptions(ca_pem=tls_broker.ca_pem, server_name="elsewhere.example")
    with pytest.raises(errors.TlsError):
        tminus.Producer(tls_broker.endpoint, tls=tls).start()


def test_switched_off_explicitly(tls_broker: Broker, topic: str):
    with tminus.Producer(tls_broker.endpoint, tls=tminus.TlsOptions(insecure=True)) as producer:
        assert producer.send(tminus.Message(topic, b"x")).status is tminus.SendStatus.OK


def test_plain_to_a_port_that_wants_tls(tls_broker: Broker):
    with pytest.raises(errors.ConnectionError):
        tminus.Producer(tls_broker.endpoint).start()


def test_tls_to_a_port_without(broker: Broker):
    with pytest.raises(errors.TlsError):
        tminus.Producer(broker.endpoint, tls=True).start()


def test_a_certificate_that_is_none(broker: Broker):
    with pytest.raises(tminus.Error, match=r"(?i)pem|certificate"):
        tminus.Producer(broker.endpoint, tls=tminus.TlsOptions(ca_pem="nonsense")).start()
