"""ApsaraMQ HTTP by its own calls, blocking and from asyncio. What the other protocols show too is shown there: the
tests that take a `scheme` run over this one as well.
"""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
import tminus
from conftest import ACK_MESSAGE, PATIENCE, RECEIVE_MESSAGE, SEND_MESSAGE_V2, Answers, seconds
from tminus import errors
from tminus.aio import AsyncHttpClient
from tminus.testing import Broker, MessageStage

GROUP = "GID_tests"
INVISIBLE = seconds(300)
KEYS = tminus.Credentials("reader", "right-secret")


def run(main: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(main, 3 * PATIENCE))


@pytest.fixture
def client(virtual_broker: Broker) -> Iterator[tminus.HttpClient]:
    with tminus.HttpClient(f"http://{virtual_broker.endpoint}", clock=virtual_broker.clock) as client:
        yield client


def handles(consumed: tminus.Consumed) -> list[str]:
    return [received.receipt.handle for received in consumed.messages]


def test_a_message_arrives_with_all_it_carries(virtual_broker: Broker, client: tminus.HttpClient, topic: str):
    properties = {"name": "valué\nof two lines"}
    sent = tminus.Message(
        topic,
        b"say <b> & \"c\"\r\n'd' | e: ]]>",
        tag="paid",
        keys=["k1", "k2"],
        properties=properties,
        message_group="order-7",
    )
    receipt = client.publish(sent)
    assert properties == {"name": "valué\nof two lines"}
    assert receipt.status is tminus.SendStatus.OK
    assert receipt.request_id
    assert receipt.transaction_id is None
    now = virtual_broker.clock.now()
    consumed = client.consume(topic, GROUP, 16)
    (received,) = consumed.messages
    message = received.message
    assert consumed.request_id not in ("", receipt.request_id)
    assert repr(consumed) == f"Consumed(messages=[{received!r}], request_id={consumed.request_id!r})".replace("'", '"')
    assert (message.message_id, message.topic, message.body) == (receipt.message_id, topic, sent.body)
    assert (message.tag, message.keys, message.message_group) == ("paid", ("k1", "k2"), "order-7")
    assert message.get_property("name") == "valué\nof two lines"
    assert (message.delivery_attempt, received.corrupted) == (1, False)
    assert received.invisible_until is not None
    assert received.first_delivered_at is not None
    assert abs(received.invisible_until - now - INVISIBLE) < timedelta(milliseconds=1)
    assert abs(received.first_delivered_at - now) < timedelta(milliseconds=1)
    assert received.invisible_until_ms == received.first_delivered_at_ms + 300_000
    assert client.ack(topic, GROUP, handles(consumed)) == [None]
    assert virtual_broker.message_stage(topic, GROUP, message.message_id) is MessageStage.ACKNOWLEDGED


def test_thirty_minutes_on_the_virtual_clock(virtual_broker: Broker, client: tminus.HttpClient, topic: str):
    receipt = client.publish(tminus.Message(topic, b"close if unpaid", deliver_after=timedelta(minutes=30)))
    due_ms = virtual_broker.pending()[0].deliver_at_ms
    virtual_broker.advance(timedelta(minutes=30, milliseconds=-1))
    with pytest.raises(errors.MessageNotFoundError):
        client.consume(topic, GROUP)
    with ThreadPoolExecutor(1) as pool:
        polls = virtual_broker.request_count(RECEIVE_MESSAGE)
        waiting = pool.submit(client.consume, topic, GROUP, wait=seconds(30))
        while virtual_broker.request_count(RECEIVE_MESSAGE) == polls:
            assert not waiting.done()
        start = time.monotonic()
        virtual_broker.advance(timedelta(milliseconds=1))
        (received,) = waiting.result(PATIENCE).messages
        took = time.monotonic() - start
    print(f"the long poll answered {took * 1000:.1f} ms after the time")
    assert (received.message.message_id, received.message.deliver_at_ms) == (receipt.message_id, due_ms)
    assert took < 1


def test_a_handle_expires_and_the_others_of_the_request_do_not(
    virtual_broker: Broker, client: tminus.HttpClient, topic: str
):
    client.publish(tminus.Message(topic, b"old"))
    old = client.consume(topic, GROUP)
    virtual_broker.advance(seconds(200))
    for i in range(3):
        client.publish(tminus.Message(topic, b"new %d" % i))
    new = client.consume(topic, GROUP, 16)
    virtual_broker.advance(seconds(100.001))
    assert len(new.messages) == 3
    asked = [handles(new)[0], handles(old)[0], *handles(new)[1:], "garbage"]
    results = client.ack(topic, GROUP, asked)
    assert [result if result is None else result.kind for result in results] == [
        None, "invalid_receipt", None, None, "invalid_receipt",
    ]  # fmt: skip
    expired = results[1]
    assert isinstance(expired, errors.InvalidReceiptError)
    assert (expired.code, expired.server_code) == (404, "ReceiptHandleError")
    assert expired.server_message
    assert expired.request_id
    (again,) = client.consume(topic, GROUP, 16).messages
    assert (again.message.body, again.message.delivery_attempt) == (b"old", 2)


def test_in_order(client: tminus.HttpClient, topic: str):
    for i in range(3):
        client.publish(tminus.Message(topic, b"%d" % i, message_group="order-1"))
    first = client.consume(topic, GROUP, 2, mode="orderly")
    assert [received.message.body for received in first.messages] == [b"0", b"1"]
    client.publish(tminus.Message(topic, b"other", message_group="order-2"))
    client.ack(topic, GROUP, handles(first)[:1])
    gated = client.consume(topic, GROUP, 16, mode="orderly")
    assert [received.message.body for received in gated.messages] == [b"other"]
    client.ack(topic, GROUP, handles(first)[1:])
    last = client.consume(topic, GROUP, 16, mode="orderly")
    assert [received.message.body for received in last.messages] == [b"2"]


def test_tags(client: tminus.HttpClient, topic: str):
    for tag in ("red", "grün / 2", "blue", None):
        client.publish(tminus.Message(topic, (tag or "none").encode(), tag=tag))
    consumed = client.consume(topic, GROUP, 16, tag="grün / 2||blue")
    assert sorted(received.message.tag or "" for received in consumed.messages) == ["blue", "grün / 2"]


def test_transactions_by_their_handles(virtual_broker: Broker, client: tminus.HttpClient, topic: str):
    commit, rollback = tminus.TransactionResolution.COMMIT, tminus.TransactionResolution.ROLLBACK
    half = {"__TransCheckT": "10"}
    receipts = [client.publish(tminus.Message(topic, b"%d" % i, properties=half)) for i in range(4)]
    first, second, third, _ = (receipt.transaction_id or "" for receipt in receipts)
    client.end_transaction(topic, GROUP, first, commit)
    client.end_transaction(topic, GROUP, second, rollback)
    client.end_transaction(topic, GROUP, third, tminus.TransactionResolution.UNKNOWN)
    (committed,) = client.consume(topic, "GID_other", 16).messages
    assert committed.message.body == b"0"
    with pytest.raises(errors.MessageNotFoundError):
        client.consume(topic, GROUP, 16, mode="half")
    virtual_broker.advance(seconds(10))
    asked = client.consume(topic, GROUP, 16, mode="half").messages
    assert sorted(received.message.body for received in asked) == [b"2", b"3"]
    with pytest.raises(errors.InvalidReceiptError) as late:
        client.end_transaction(topic, GROUP, third, commit)
    assert late.value.operation == "end transaction"
    for received in asked:
        end = commit if received.message.body == b"3" else rollback
        client.end_transaction(topic, GROUP, received.receipt.handle, end)
    assert client.consume(topic, "GID_other", 16).messages[0].message.body == b"3"


@pytest.mark.parametrize("value", ["a'b", 'a"b', "a<b", "a>b", "a&b", "a:b", "a|b", "a\x00b", ""])
def test_a_property_that_would_be_misread_is_refused(virtual_broker: Broker, client: tminus.HttpClient, value: str):
    for properties in ({"name": value}, {value: "value"}):
        with pytest.raises(errors.InvalidMessageError) as caught:
            client.publish(tminus.Message("t", b"x", properties=properties))
        assert caught.value.outcome is tminus.Outcome.NOT_SENT
    assert virtual_broker.request_count(SEND_MESSAGE_V2) == 0


@pytest.mark.parametrize("body", [b"a\xffb", b"a\x00b", b"a\x1fb", "a\uffffb".encode()])
def test_a_body_that_xml_cannot_carry_is_refused_or_wrapped(broker: Broker, topic: str, body: bytes):
    endpoint = f"http://{broker.endpoint}"
    with tminus.Producer(endpoint) as producer:
        with pytest.raises(errors.InvalidMessageError, match=r"(?i)base64") as caught:
            producer.send(tminus.Message(topic, body))
    assert caught.value.outcome is tminus.Outcome.NOT_SENT
    assert broker.request_count(SEND_MESSAGE_V2) == 0
    with tminus.Producer(endpoint, body_encoding="base64") as producer:
        producer.send(tminus.Message(topic, body))
    with tminus.HttpClient(endpoint) as client:
        (received,) = client.consume(topic, GROUP).messages
    assert (received.message.body, received.message.properties) == (body, {})


def test_bad_input_is_refused_before_anything_is_sent(virtual_broker: Broker, client: tminus.HttpClient):
    wrong: list[Any] = [
        lambda: client.consume("t", GROUP, 0),
        lambda: client.consume("t", GROUP, 17),
        lambda: client.consume("t", GROUP, wait=seconds(31)),
        lambda: client.consume("t", GROUP, wait=seconds(0.5)),
        lambda: client.consume("a/b", GROUP),
        lambda: client.consume("t", "a b"),
        lambda: client.consume("t", ""),
        lambda: client.ack("t", GROUP, []),
        lambda: client.ack("t", GROUP, ["handle"] * 17),
        lambda: client.publish(tminus.Message("a/b", b"x")),
        lambda: client.publish(tminus.Message("t", b"")),
        lambda: client.publish(tminus.Message("t", b"x", properties={"__STARTDELIVERTIME": "soon"})),
        lambda: client.publish(tminus.Message("t", b"x", deliver_after=timedelta(days=366))),
    ]
    for call in wrong:
        with pytest.raises(errors.InvalidArgumentError) as caught:
            call()
        assert isinstance(caught.value, ValueError)
        assert (caught.value.code, caught.value.outcome) == (None, tminus.Outcome.NOT_SENT)
    with pytest.raises(errors.UnsupportedError) as unsupported:
        client.publish(tminus.Message("t", b"x", delay_level=3))
    assert unsupported.value.kind == "delay_unsupported"
    with pytest.raises(ValueError, match="choose one of concurrent, orderly, half"):
        client.consume("t", GROUP, mode="order")  # type: ignore[arg-type]
    for code in (SEND_MESSAGE_V2, RECEIVE_MESSAGE, ACK_MESSAGE):
        assert virtual_broker.request_count(code) == 0


def test_only_an_http_endpoint(broker: Broker):
    with pytest.raises(errors.UnsupportedError, match="remoting"):
        tminus.HttpClient(broker.endpoint)
    with pytest.raises(errors.InvalidArgumentError, match="path"):
        tminus.HttpClient("http://h:80/prefix")


def test_what_the_server_says_is_kept(topic: str):
    with Broker(credentials=[KEYS], auto_create_topics=False) as broker:
        endpoint = f"http://{broker.endpoint}"
        with tminus.HttpClient(endpoint, credentials=KEYS) as client:
            with pytest.raises(errors.NotFoundError) as unknown:
                client.publish(tminus.Message("nowhere", b"x"))
        error = unknown.value
        assert (error.kind, error.code, error.server_code) == ("topic_not_found", 404, "TopicNotExist")
        assert error.request_id
        assert error.host_id
        assert error.server_message
        assert error.server_message in str(error)
        assert (error.operation, error.outcome, error.retryable) == ("send", tminus.Outcome.NOT_SENT, False)

        broker.create_topic(topic)
        for wrong, code in (
            (tminus.Credentials("reader", "wrong-secret"), "SignatureDoesNotMatch"),
            (tminus.Credentials("nobody", "right-secret"), "InvalidAccessKeyId"),
            (None, "MissingAuthorizationHeader"),
        ):
            with tminus.HttpClient(endpoint, credentials=wrong) as client:
                with pytest.raises(errors.PermissionDeniedError) as denied:
                    client.publish(tminus.Message(topic, b"x"))
            assert denied.value.server_code == code
            assert "-secret" not in str(denied.value)


def test_credentials_change_while_they_are_used(topic: str):
    newer = tminus.Credentials("writer", "newer-secret", "token")
    with Broker(credentials=[KEYS, newer]) as broker:
        endpoint = f"http://{broker.endpoint}"
        with tminus.HttpClient(endpoint, credentials=tminus.Credentials("reader", "old")) as client:
            with pytest.raises(errors.PermissionDeniedError):
                client.publish(tminus.Message(topic, b"x"))
            client.set_credentials(KEYS)
            client.publish(tminus.Message(topic, b"x"))
            client.set_credentials(newer)
            client.publish(tminus.Message(topic, b"x"))
        with tminus.HttpClient(endpoint) as nobody:
            with pytest.raises(errors.InvalidArgumentError, match="without credentials"):
                nobody.set_credentials(KEYS)
        for kind in ("remoting", "grpc", "http"):
            with tminus.Producer(f"{kind}://{broker.endpoint}", credentials=KEYS) as producer:
                producer.send(tminus.Message(topic, b"x"))
                producer.set_credentials(tminus.Credentials("reader", "no longer"))
                with pytest.raises(errors.PermissionDeniedError):
                    producer.send(tminus.Message(topic, b"x"))


def test_a_clock_that_is_wrong_is_learnt(topic: str):
    answer = (
        "408 Request Timeout",
        "<Error><Code>TimeExpired</Code><Message>the date is old</Message>"
        "<RequestId>R1</RequestId><HostId>http://h</HostId></Error>",
    )
    with Answers(answer) as server, tminus.HttpClient(server.endpoint) as client:
        with pytest.raises(errors.ClockSkewError) as caught:
            client.publish(tminus.Message(topic, b"x"))
    assert (caught.value.kind, caught.value.code, caught.value.request_id) == ("clock_skew", 408, "R1")
    assert caught.value.outcome is tminus.Outcome.NOT_SENT
    first, again = server.requests
    by_its_clock = b"date: thu, 01 jan 2026 00:00:0"
    assert by_its_clock not in first.lower()
    assert by_its_clock in again.lower()
    assert "Thu, 01 Jan 2026 00:00:00 GMT" in str(caught.value)


def test_a_publish_is_never_repeated_unasked(broker: Broker, topic: str):
    endpoint = f"http://{broker.endpoint}"
    with tminus.HttpClient(endpoint) as client, tminus.Producer(endpoint, retries=5) as producer:
        sent = broker.request_count(SEND_MESSAGE_V2)
        for publish in (client.publish, producer.send):
            publish(tminus.Message(topic, b"connects"))
            for fault, kind in (("close_after", "connection_closed"), ("close_before", "connection_closed")):
                broker.inject(SEND_MESSAGE_V2, fault, times=5)  # type: ignore[arg-type]
                with pytest.raises(errors.ConnectionError) as caught:
                    publish(tminus.Message(topic, fault.encode()))
                assert (caught.value.kind, caught.value.outcome) == (kind, tminus.Outcome.MAYBE_SENT)
                broker.restart()
                for _ in range(4):
                    with pytest.raises(errors.ConnectionError):
                        publish(tminus.Message(topic, b"uses a fault up"))
        assert broker.request_count(SEND_MESSAGE_V2) == sent + 2 * (1 + 5 + 5)
    with tminus.Producer(endpoint, retries=5, allow_duplicates=True) as producer:
        broker.inject(SEND_MESSAGE_V2, "close_after")
        assert producer.send(tminus.Message(topic, b"twice")).status is tminus.SendStatus.OK
    assert broker.request_count(SEND_MESSAGE_V2) == sent + 2 * (1 + 5 + 5) + 2


def test_a_consume_is_never_repeated(broker: Broker, topic: str):
    broker.create_topic(topic)
    with tminus.HttpClient(f"http://{broker.endpoint}") as client:
        with pytest.raises(errors.MessageNotFoundError):
            client.consume(topic, GROUP)
        broker.inject(RECEIVE_MESSAGE, "close_before", times=5)
        before = broker.request_count(RECEIVE_MESSAGE)
        with pytest.raises(errors.ConnectionError):
            client.consume(topic, GROUP)
        assert broker.request_count(RECEIVE_MESSAGE) == before + 1


def test_a_middle_box_that_answers(broker: Broker, topic: str):
    broker.create_topic(topic)
    with tminus.HttpClient(f"http://{broker.endpoint}") as client:
        broker.inject(SEND_MESSAGE_V2, "gateway")
        with pytest.raises(errors.ServerError) as caught:
            client.publish(tminus.Message(topic, b"x"))
        error = caught.value
        assert (error.kind, error.code, error.server_code) == ("server", 502, "")
        assert error.server_message
        assert "<html" in error.server_message.lower()
        assert (error.outcome, error.retryable) == (tminus.Outcome.MAYBE_SENT, True)
        broker.inject(RECEIVE_MESSAGE, "gateway")
        with pytest.raises(errors.ServerError) as consume:
            client.consume(topic, GROUP)
        assert consume.value.code == 502


def test_an_empty_list_of_errors_is_an_error_of_the_server():
    with Answers(("404 Not Found", "<Errors></Errors>")) as server, tminus.HttpClient(server.endpoint) as client:
        with pytest.raises(tminus.Error) as caught:
            client.ack("t", GROUP, ["handle"])
    assert caught.value.code == 404


def test_a_busy_server_is_said(broker: Broker, topic: str):
    with tminus.HttpClient(f"http://{broker.endpoint}") as client:
        broker.inject(SEND_MESSAGE_V2, "refuse", code=2, remark="too many")
        with pytest.raises(errors.BusyError) as caught:
            client.publish(tminus.Message(topic, b"x"))
    assert (caught.value.server_code, caught.value.outcome) == ("QpsLimitExceeded", tminus.Outcome.NOT_SENT)
    assert caught.value.retryable


def test_a_damaged_body_is_marked(broker: Broker, topic: str):
    with tminus.HttpClient(f"http://{broker.endpoint}") as client:
        client.publish(tminus.Message(topic, b"x"))
        broker.inject(RECEIVE_MESSAGE, "corrupt")
        (received,) = client.consume(topic, GROUP).messages
        assert received.corrupted
        broker.inject(SEND_MESSAGE_V2, "corrupt")
        with pytest.raises(errors.ServerError) as caught:
            client.publish(tminus.Message(topic, b"x"))
    assert caught.value.outcome is tminus.Outcome.DONE


def test_a_silent_server_costs_the_deadline(broker: Broker, topic: str):
    with tminus.HttpClient(f"http://{broker.endpoint}") as client:
        client.publish(tminus.Message(topic, b"connects"))
        broker.inject(SEND_MESSAGE_V2, "swallow")
        start = time.monotonic()
        with pytest.raises(errors.TimeoutError) as caught:
            client.publish(tminus.Message(topic, b"x"), timeout=seconds(0.2))
        assert 0.2 <= time.monotonic() - start < 2
        assert caught.value.outcome is tminus.Outcome.MAYBE_SENT


def test_tls_is_verified(topic: str):
    with Broker(tls_only=True) as broker:
        endpoint = f"https://{broker.endpoint}"
        with tminus.HttpClient(endpoint, tls=tminus.TlsOptions(ca_pem=broker.ca_pem)) as client:
            assert client.publish(tminus.Message(topic, b"x")).request_id
        with tminus.HttpClient(endpoint) as client, pytest.raises(errors.TlsError):
            client.publish(tminus.Message(topic, b"x"))


def test_a_proxy(broker: Broker, topic: str, monkeypatch: pytest.MonkeyPatch):
    message = tminus.Message(topic, b"x")
    with Answers(("502 Bad Gateway", "<html>no</html>")) as proxy:
        with tminus.HttpClient("http://service.example", http_proxy=proxy.endpoint) as client:
            with pytest.raises(errors.ServerError):
                client.publish(message)
        monkeypatch.setenv("http_proxy", proxy.endpoint)
        monkeypatch.delenv("REQUEST_METHOD", raising=False)
        with tminus.HttpClient("http://service.example") as client:
            with pytest.raises(errors.ServerError):
                client.publish(message)
        for options in ({}, {"http_proxy": "direct"}):  # an address of this machine needs none
            with tminus.HttpClient(f"http://{broker.endpoint}", **options) as client:
                client.publish(message)
    first_lines = [request.split(b"\r\n")[0] for request in proxy.requests]
    assert first_lines == [f"POST http://service.example:80/topics/{topic}/messages HTTP/1.1".encode()] * 2
    with pytest.raises(errors.InvalidArgumentError, match=r"(?i)proxy"):
        with tminus.HttpClient("http://service.example", http_proxy="not a url") as client:
            client.publish(message)


def test_waiting_calls_let_other_threads_run_and_end_with_the_client(virtual_broker: Broker, topic: str):
    client = tminus.HttpClient(f"http://{virtual_broker.endpoint}")
    virtual_broker.create_topic(topic)
    with ThreadPoolExecutor(4) as pool:
        waiting = [pool.submit(client.consume, topic, GROUP, wait=seconds(30)) for _ in range(4)]
        while virtual_broker.request_count(RECEIVE_MESSAGE) < 4:
            assert not any(call.done() for call in waiting)
        client.publish(tminus.Message(topic, b"x"))
        while not any(call.done() for call in waiting):
            pass
        client.close()
        client.close()
        failed = [call.exception(PATIENCE) for call in waiting]
    assert sorted(type(error).__name__ for error in failed) == ["ClosedError"] * 3 + ["NoneType"]
    with pytest.raises(errors.ClosedError):
        client.consume(topic, GROUP)


def test_the_same_from_asyncio(virtual_broker: Broker, topic: str):
    async def main() -> None:
        endpoint = f"http://{virtual_broker.endpoint}"
        async with AsyncHttpClient(endpoint, clock=virtual_broker.clock) as client:
            threads = threading.active_count()
            messages = [tminus.Message(topic, b"%d" % i) for i in range(16)]
            receipts = await asyncio.gather(*map(client.publish, messages))
            assert len({receipt.message_id for receipt in receipts}) == 16
            consumed = await client.consume(topic, GROUP, 16)
            assert consumed.request_id
            while len(consumed.messages) < 16:
                consumed.messages.extend((await client.consume(topic, GROUP, 16)).messages)
            assert threading.active_count() == threads
            assert await client.ack(topic, GROUP, handles(consumed)) == [None] * 16
            with pytest.raises(errors.MessageNotFoundError):
                await client.consume(topic, GROUP)
            half = await client.publish(tminus.Message(topic, b"half", properties={"__TransCheckT": "10"}))
            assert half.transaction_id
            await client.end_transaction(topic, GROUP, half.transaction_id, tminus.TransactionResolution.COMMIT)
            (committed,) = (await client.consume(topic, GROUP)).messages
            assert committed.message.body == b"half"
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(client.consume(topic, GROUP, wait=seconds(30)), 0.1)
            waiting = asyncio.create_task(client.consume(topic, GROUP, wait=seconds(30)))
            polls = virtual_broker.request_count(RECEIVE_MESSAGE)
            while virtual_broker.request_count(RECEIVE_MESSAGE) == polls:
                await asyncio.sleep(0)
        with pytest.raises(errors.ClosedError):
            await waiting
        with pytest.raises(errors.ClosedError):
            await client.publish(messages[0])

    run(main())


def test_a_client_is_of_no_use_in_a_forked_child(broker: Broker, run_python):
    done = run_python(
        """
        import os, sys, warnings
        warnings.simplefilter("ignore", DeprecationWarning)  # of fork in a process with threads
        import tminus

        client = tminus.HttpClient(sys.argv[1])
        client.publish(tminus.Message("forked", b"parent"))
        if (child := os.fork()) == 0:
            try:
                client.publish(tminus.Message("forked", b"child"))
            except tminus.errors.ForkedError:
                client.close()
                with tminus.HttpClient(sys.argv[1]) as own:
                    own.publish(tminus.Message("forked", b"child"))
                os._exit(7)
            os._exit(1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
        client.publish(tminus.Message("forked", b"parent"))
        """,
        f"http://{broker.endpoint}",
    )
    assert (done.returncode, done.stderr, os.EX_OK) == (0, "", 0)
    assert broker.request_count(SEND_MESSAGE_V2) == 3
