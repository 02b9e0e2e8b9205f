"""Transactions, over every protocol, and recall."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any

import pytest
import tminus
from conftest import PATIENCE, Consume, Inbox, seconds
from tminus.aio import AsyncProducer
from tminus.testing import Broker

END_TRANSACTION = 37
"""The request code of a commit or rollback."""
FIRST_CHECK = seconds(10)
NEXT_CHECK = {"remoting": seconds(30), "grpc": seconds(30), "http": seconds(300)}


def run(main: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(main, 3 * PATIENCE))


class Checker:
    """Answers what it is told to, one answer a question, and keeps the questions."""

    def __init__(self, *answers: object) -> None:
        self.asked = Inbox()
        self.threads: set[str] = set()
        self._answers = list(answers)

    def __call__(self, message: tminus.MessageView) -> Any:
        self.threads.add(threading.current_thread().name)
        self.asked(message)
        answer = self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def test_the_block_decides(broker: Broker, topic: str, scheme: str, consume: Consume):
    inbox = Inbox()
    with tminus.Producer(f"{scheme}://{broker.endpoint}", topics=[topic]) as producer:
        with producer.send_transaction(tminus.Message(topic, b"committed")) as transaction:
            assert transaction.receipt.transaction_id
        with pytest.raises(LookupError, match="no such order"):
            with producer.send_transaction(tminus.Message(topic, b"rolled back")):
                raise LookupError("no such order")
        with producer.send_transaction(tminus.Message(topic, b"rolled back early")) as transaction:
            transaction.rollback()
        with suppress(LookupError), producer.send_transaction(tminus.Message(topic, b"committed early")) as transaction:
            transaction.commit()
            raise LookupError
        consume(broker, topic, inbox)
        assert sorted(message.body for message in inbox.take(2)) == [b"committed", b"committed early"]
        assert inbox.empty()


def test_an_open_transaction_is_asked_for(virtual_broker: Broker, topic: str, scheme: str, consume: Consume):
    checker = Checker(tminus.TransactionResolution.UNKNOWN, tminus.TransactionResolution.COMMIT)
    inbox = Inbox()
    endpoint = f"{scheme}://{virtual_broker.endpoint}"
    with tminus.Producer(endpoint, topics=[topic], checker=checker) as producer:
        receipt = producer.send_transaction(tminus.Message(topic, b"open", tag="t", keys="k")).receipt
        virtual_broker.advance(FIRST_CHECK)
        first = checker.asked.next()
        assert (first.body, first.tag, first.keys) == (b"open", "t", ("k",))
        assert (first.topic, first.message_id) == (topic, receipt.message_id)
        virtual_broker.advance(NEXT_CHECK[scheme])
        assert checker.asked.next().message_id == receipt.message_id
        consume(virtual_broker, topic, inbox)
        assert inbox.next().body == b"open"
        assert checker.threads == {"tminus-checker"}
    assert "tminus-checker" not in {thread.name for thread in threading.enumerate()}


@pytest.mark.parametrize("wrong", [LookupError("no such order"), None, "commit"], ids=repr)
def test_a_failing_checker_is_said_and_asked_again(
    virtual_broker: Broker, topic: str, scheme: str, wrong: object, caplog: pytest.LogCaptureFixture
):
    checker = Checker(wrong, tminus.TransactionResolution.ROLLBACK)
    endpoint = f"{scheme}://{virtual_broker.endpoint}"
    with tminus.Producer(endpoint, topics=[topic], checker=checker) as producer:
        producer.send_transaction(tminus.Message(topic, b"open"))
        virtual_broker.advance(FIRST_CHECK)
        checker.asked.next()
        virtual_broker.advance(NEXT_CHECK[scheme])
        checker.asked.next()
    assert "the transaction checker failed on MessageView" in caplog.text
    said = (
        "no such order" if isinstance(wrong, Exception) else f"a checker returns a TransactionResolution, not {wrong!r}"
    )
    assert said in caplog.text


def test_a_failing_rollback_hides_no_exception(
    broker: Broker, topic: str, scheme: str, caplog: pytest.LogCaptureFixture
):
    with tminus.Producer(f"{scheme}://{broker.endpoint}", topics=[topic]) as producer:
        transaction = producer.send_transaction(tminus.Message(topic, b"open"))
    with pytest.raises(LookupError, match="no such order"), transaction:
        raise LookupError("no such order")
    assert f"the rollback of {transaction.receipt.message_id} failed" in caplog.text


def test_a_half_message_cannot_be_scheduled(broker: Broker, topic: str, scheme: str):
    with tminus.Producer(f"{scheme}://{broker.endpoint}", topics=[topic]) as producer:
        with pytest.raises(tminus.errors.InvalidMessageError):
            producer.send_transaction(tminus.Message(topic, b"x", deliver_after=seconds(60)))


def test_asyncio(virtual_broker: Broker, topic: str, scheme: str, consume: Consume):
    asked = []

    async def checker(message: tminus.MessageView) -> tminus.TransactionResolution:
        await asyncio.sleep(0)
        asked.append(message.body)
        return tminus.TransactionResolution.COMMIT

    async def main() -> None:
        threads = threading.active_count()
        endpoint = f"{scheme}://{virtual_broker.endpoint}"
        async with AsyncProducer(endpoint, topics=[topic], checker=checker) as producer:
            async with await producer.send_transaction(tminus.Message(topic, b"committed")):
                pass
            with pytest.raises(LookupError):
                async with await producer.send_transaction(tminus.Message(topic, b"rolled back")):
                    raise LookupError
            await producer.send_transaction(tminus.Message(topic, b"open"))
            virtual_broker.advance(FIRST_CHECK)
            while virtual_broker.request_count(END_TRANSACTION) < 3:
                await asyncio.sleep(0.001)
            assert threading.active_count() <= threads + 1  # what carries the log

    run(main())
    inbox = Inbox()
    consume(virtual_broker, topic, inbox)
    assert sorted(message.body for message in inbox.take(2)) == [b"committed", b"open"]
    assert asked == [b"open"]


@pytest.mark.parametrize("scheme", ["remoting", "grpc"])
def test_recall(virtual_broker: Broker, topic: str, scheme: str, consume: Consume):
    inbox = Inbox()
    consume(virtual_broker, topic, inbox)
    endpoint = f"{scheme}://{virtual_broker.endpoint}"
    with tminus.Producer(endpoint, clock=virtual_broker.clock) as producer:
        recalled = producer.send(tminus.Message(topic, b"recalled", deliver_after=seconds(60)))
        kept = producer.send(tminus.Message(topic, b"kept", deliver_after=seconds(60)))
        assert recalled.recall_handle
        assert producer.recall(topic, recalled.recall_handle) == recalled.message_id
        assert [message.message_id for message in virtual_broker.pending()] == [kept.message_id]
        with pytest.raises(tminus.errors.ServerError) as gone:
            producer.recall(topic, recalled.recall_handle)
        with pytest.raises(tminus.Error) as garbage:
            producer.recall(topic, "garbage")
        assert gone.value.outcome is garbage.value.outcome is tminus.Outcome.NOT_SENT
        virtual_broker.advance(seconds(60))
        assert inbox.next().body == b"kept"
        assert inbox.empty()


@pytest.mark.parametrize("scheme", ["remoting", "grpc"])
def test_recall_from_asyncio(virtual_broker: Broker, topic: str, scheme: str):
    async def main() -> None:
        endpoint = f"{scheme}://{virtual_broker.endpoint}"
        async with AsyncProducer(endpoint, clock=virtual_broker.clock) as producer:
            receipt = await producer.send(tminus.Message(topic, b"x", deliver_after=seconds(60)))
            assert receipt.recall_handle
            assert await producer.recall(topic, receipt.recall_handle) == receipt.message_id
            assert virtual_broker.pending() == []

    run(main())
