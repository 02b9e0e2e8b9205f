"""One run of a scenario: each step is a few calls of the public API."""

from __future__ import annotations

import itertools
import os
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from typing import Any

import pytest
import tminus
from tminus.testing import Broker

from .arrivals import Arrival, Record, check_view
from .messages import Sent, make
from .server import Server, credentials

_runs = itertools.count()


def names(steps: list[dict[str, Any]]) -> tuple[set[str], set[str]]:
    """The logical topics and groups that steps name, except those that a server makes by itself or refuses."""
    topics: set[str] = set()
    groups: set[str] = set()
    for step in steps:
        if step["do"] in ("consumer", "simple_consumer"):
            topics.add(step.get("topic", "t"))
            groups.add(step.get("group", "g"))
        elif step["do"] == "send":
            messages = [step["message"]] if "message" in step else step["messages"]
            topics.update(message.get("topic", "t") for message in messages)
        topics.update(step.get("topics", ()))
    return {topic for topic in topics if topic and topic[0] not in "!%"}, groups


class Stage:
    """One run of a scenario; every public method is a step."""

    def __init__(self, server: Server, stack: ExitStack) -> None:
        self._server = server
        self._stack = stack
        self._prefix = f"py{os.getpid()}-{next(_runs)}-{time.time_ns() // 1_000_000 % 100_000_000}-"
        self._clients: dict[str, Any] = {}
        self._record = Record()
        self._sent: dict[str, list[Sent]] = {}
        self._receipts: dict[bytes, tminus.ReceiptHandle] = {}

    def prepare(self, topics: dict[str, str], groups: dict[str, dict[str, Any]], steps: list[dict[str, Any]]) -> None:
        """Makes the topics and groups that do not make themselves."""
        named_topics, named_groups = names(steps)
        self._server.prepare(
            {self._resource(topic): kind for topic, kind in topics.items()},
            {self._resource(group): spec for group, spec in groups.items()},
            {self._resource(topic) for topic in named_topics},
            {self._resource(group) for group in named_groups},
        )

    def producer(
        self,
        name: str = "producer",
        endpoint: str = "server",
        retries: int | None = None,
        topics: tuple[str, ...] = (),
        checker: str | None = None,
        allow_duplicates: bool = False,
        body_encoding: Any = None,
        tls: dict[str, Any] | None = None,
        user: str | None = None,
        error: dict[str, str] | None = None,
    ) -> None:
        options: dict[str, Any] = {"group": f"{self._prefix}producers", "retries": retries}
        options.update(allow_duplicates=allow_duplicates, body_encoding=body_encoding)
        options["topics"] = [self._resource(topic) for topic in topics]
        if checker is not None:
            resolution = tminus.TransactionResolution(checker)
            options["checker"] = lambda message: resolution
        if self._server.broker:
            options["clock"] = self._server.broker.clock
        address = self._server.endpoint if endpoint == "server" else f"{self._server.protocol}://{nowhere()}"
        client = tminus.Producer(address, **options, **self._connection(tls, user))
        self._stack.callback(client.close)
        with self._expected(error):
            self._clients[name] = client.start()

    def consumer(
        self,
        name: str = "consumer",
        topic: str = "t",
        group: str = "g",
        filter: str = "*",
        sql: str | None = None,
        orderly: bool = False,
        fail_first: int = 0,
        max_reconsume_times: int | None = None,
        tls: dict[str, Any] | None = None,
        user: str | None = None,
        error: dict[str, str] | None = None,
    ) -> None:
        def listen(message: tminus.MessageView) -> tminus.RetryAfterLevel | None:
            if message.reconsume_times < fail_first:
                return tminus.RetryAfterLevel(1)
            self._record.add(Arrival(name, message, self._now_ms()))
            return None

        client = tminus.PushConsumer(
            self._server.endpoint,
            self._resource(group),
            {self._resource(topic): filter if sql is None else tminus.Sql92(sql)},
            listen,
            concurrency=1,
            orderly=orderly,
            consume_from="first_offset",
            max_reconsume_times=max_reconsume_times,
            **self._connection(tls, user),
        )
        self._stack.callback(client.close)
        with self._expected(error):
            self._clients[name] = client.start()

    def simple_consumer(
        self,
        name: str = "simple",
        topic: str = "t",
        group: str = "g",
        filter: str = "*",
        sql: str | None = None,
        orderly: bool = False,
        tls: dict[str, Any] | None = None,
        user: str | None = None,
        error: dict[str, str] | None = None,
    ) -> None:
        client = tminus.SimpleConsumer(
            self._server.endpoint,
            self._resource(group),
            {self._resource(topic): filter if sql is None else tminus.Sql92(sql)},
            orderly=orderly,
            **self._connection(tls, user),
        )
        self._stack.callback(client.close)
        with self._expected(error):
            self._clients[name] = client.start()

    def send(
        self,
        producer: str = "producer",
        message: dict[str, Any] | None = None,
        messages: tuple[dict[str, Any], ...] = (),
        count: int = 1,
        mode: str = "each",
        end: str = "commit",
        sharding_key: str | None = None,
        timeout_ms: int | None = None,
        error: dict[str, str] | None = None,
        **label: str,
    ) -> None:
        name = label.pop("as", "unnamed")
        assert not label
        client: tminus.Producer = self._clients[producer]
        timeout = None if timeout_ms is None else timedelta(milliseconds=timeout_ms)
        specs = [message] * count if message is not None else list(messages)
        made = [
            make(f"{name}-{number}", self._server.now(), **{**spec, "topic": self._resource(spec.get("topic", "t"))})
            for number, spec in enumerate(specs)
        ]
        self._sent.setdefault(name, []).extend(sent for _, sent in made)

        def send_one(outgoing: tuple[tminus.Message, Sent]) -> None:
            message, sent = outgoing
            with self._expected(error):
                if mode == "one_way":
                    client.send_one_way(message)
                elif mode == "transaction":
                    transaction = client.send_transaction(message)
                    sent.receipt = transaction.receipt
                    {"commit": transaction.commit, "rollback": transaction.rollback, "none": bool}[end]()
                elif sharding_key is not None:
                    sent.receipt = client.send_by_key(message, sharding_key, timeout=timeout)
                else:
                    sent.receipt = client.send(message, timeout=timeout)

        if mode == "batch":
            with self._expected(error):
                client.send_batch([message for message, _ in made], timeout=timeout)
        elif mode == "concurrent":
            with ThreadPoolExecutor(len(made)) as pool:
                list(pool.map(send_one, made))
        else:
            assert mode in ("each", "one_way", "transaction")
            for one in made:
                send_one(one)

    def recall(
        self,
        of: str | None = None,
        garbage: bool = False,
        producer: str = "producer",
        error: dict[str, str] | None = None,
    ) -> None:
        client: tminus.Producer = self._clients[producer]
        if garbage:
            with self._expected(error):
                client.recall(self._resource("t"), "made up")
        for sent in self._sent[of] if of else ():
            assert sent.receipt, "was not sent"
            assert sent.receipt.recall_handle, "the receipt has no recall handle"
            with self._expected(error):
                recalled = client.recall(sent.receipt.queue.topic, sent.receipt.recall_handle)
                assert recalled == sent.receipt.message_id

    def receive(
        self,
        of: tuple[str, ...] = (),
        empty: bool = False,
        consumer: str = "simple",
        max: int = 10,
        invisible_ms: int = 30_000,
        wait_ms: int = 5000,
        within_ms: int = 10_000,
        attempt: int | None = None,
        view: dict[str, Any] | None = None,
        late_ok: bool = False,
        error: dict[str, str] | None = None,
    ) -> None:
        client: tminus.SimpleConsumer = self._clients[consumer]
        invisible, wait = timedelta(milliseconds=invisible_ms), timedelta(milliseconds=wait_ms)
        if empty or error is not None:
            with self._expected(error):
                stray = [received.message.body[:40] for received in client.receive(max, invisible, wait=wait)]
                assert not stray, f"received {stray[0]!r} although nothing was due"
            return
        sent = {one.body: one for label in of for one in self._sent[label]}
        missing = set(sent)
        deadline = time.monotonic() + within_ms / 1000
        while missing:
            assert time.monotonic() < deadline, f"{len(missing)} of {len(sent)} are missing: {sorted(missing)[:5]}"
            for received in client.receive(max, invisible, wait=wait):
                message = received.message
                assert message.body in sent, f"not expected: {message.body[:40]!r}"
                assert not received.corrupted
                assert attempt in (None, message.delivery_attempt), f"this is attempt {message.delivery_attempt}"
                check_view(message, **(view or {}))
                self._check_time(sent[message.body], Arrival(consumer, message, self._now_ms()), late_ok)
                self._receipts[message.body] = received.receipt
                missing.discard(message.body)

    def ack(
        self,
        of: tuple[str, ...] = (),
        consumer: str = "simple",
        garbage: bool = False,
        error: dict[str, str] | None = None,
    ) -> None:
        receipts = [self._receipts[sent.body] for label in of for sent in self._sent[label]]
        if garbage:
            like = next(iter(self._receipts.values()), None)
            broker = like.broker if like else ""
            receipts.append(tminus.ReceiptHandle(self._resource("t"), broker, "made-up", "garbage"))
        for receipt in receipts:
            with self._expected(error):
                self._clients[consumer].ack(receipt)

    def change_invisible(
        self,
        of: tuple[str, ...],
        to_ms: int,
        consumer: str = "simple",
        keep_old: bool = False,
        error: dict[str, str] | None = None,
    ) -> None:
        client: tminus.SimpleConsumer = self._clients[consumer]
        for sent in (sent for label in of for sent in self._sent[label]):
            with self._expected(error):
                newest = client.change_invisible(self._receipts[sent.body], timedelta(milliseconds=to_ms))
                if not keep_old:
                    self._receipts[sent.body] = newest

    def expect(
        self,
        of: list[str],
        consumers: tuple[str, ...] = ("consumer",),
        within_ms: int = 10_000,
        in_order: bool = False,
        each_gets: int = 0,
        same_queue: bool = False,
        view: dict[str, Any] | None = None,
        late_ok: bool = False,
    ) -> None:
        sent = {one.body: one for label in of for one in self._sent[label]}
        arrivals = self._record.take(
            list(consumers), within_ms, lambda arrivals: sent.keys() <= {arrival.message.body for arrival in arrivals}
        )
        bodies = [arrival.message.body for arrival in arrivals]
        missing = [body[:40] for body in sent if body not in bodies]
        assert not missing, f"{len(missing)} of {len(sent)} are missing: {missing[:5]}"
        stray = [body[:40] for body in bodies if body not in sent]
        assert not stray, f"not expected: {stray[:5]}"
        for consumer in consumers:
            got = sum(arrival.consumer == consumer for arrival in arrivals)
            assert got >= each_gets, f"{consumer} received {got} messages, expected at least {each_gets}"
        if same_queue:
            assert len({(arrival.message.broker, arrival.message.queue_id) for arrival in arrivals}) == 1
        if in_order:
            assert list(dict.fromkeys(bodies)) == list(sent)
        for arrival in arrivals:
            check_view(arrival.message, **(view or {}))
            self._check_time(sent[arrival.message.body], arrival, late_ok)

    def expect_none(self, consumers: tuple[str, ...] = ("consumer",), for_ms: int = 300) -> None:
        arrivals = self._record.take(list(consumers), for_ms, bool)
        assert not arrivals, f"received {arrivals[0].message.body[:40]!r} although nothing was due"

    def advance(self, ms: int, visible: int | None = None) -> None:
        released = self._broker().advance(timedelta(milliseconds=ms))
        assert visible in (None, released), f"{released} messages became visible, expected {visible}"

    def restart_broker(self, down_ms: int = 0) -> None:
        self._broker().restart(timedelta(milliseconds=down_ms))

    def inject(self, request: int, fault: Any, times: int = 1, code: int = 1) -> None:
        self._broker().inject(request, fault, times=times, code=code, remark="injected")

    def close(self, what: str) -> None:
        self._clients[what].close()

    @contextmanager
    def _expected(self, error: dict[str, str] | None) -> Iterator[None]:
        """Inside, `error` is raised, or nothing is."""
        if error is None:
            yield
            return
        assert error
        assert error.keys() <= {"kind", "grpc_kind", "http_kind", "outcome"}
        expected = {name: value for name, value in error.items() if not name.endswith("_kind")}
        if here := error.get(f"{self._server.protocol}_kind"):
            expected["kind"] = here
        with pytest.raises(tminus.Error) as caught:
            yield
        got = {"kind": caught.value.kind, "outcome": caught.value.outcome.name.lower()}
        assert expected.items() <= got.items(), f"expected {expected}, got {got}: {caught.value}"

    def _broker(self) -> Broker:
        assert self._server.broker is not None, "this step needs the loopback broker"
        return self._server.broker

    def _now_ms(self) -> float:
        return self._server.now() / timedelta(milliseconds=1)

    def _resource(self, name: str) -> str:
        """The unique name behind a logical topic or group."""
        if name == "" or name.startswith("!"):
            return name[1:]
        head = "%DLQ%" if name.startswith("%DLQ%") else ""
        return f"{head}{self._prefix}{name[len(head) :]}"

    def _connection(self, tls: dict[str, Any] | None, user: str | None) -> dict[str, Any]:
        options: dict[str, Any] = {"credentials": credentials(user) if user else None}
        if tls is not None:
            tls = dict(tls)
            trust = tls.pop("trust", "system")
            if trust == "broker":
                tls["ca_pem"] = self._broker().ca_pem
            elif trust == "other":
                with Broker(tls=True) as other:
                    tls["ca_pem"] = other.ca_pem
            else:
                assert trust == "system"
            options["tls"] = tminus.TlsOptions(**tls)
        return options

    def _check_time(self, sent: Sent, arrival: Arrival, late_ok: bool) -> None:
        if sent.due_ms is None:
            return
        late = arrival.at_ms - sent.due_ms
        assert late >= 0, f"{sent.body[:40]!r} arrived {-late:.1f} ms early"
        if not late_ok and not self._server.is_virtual:
            assert late <= self._server.lateness_ms, f"{sent.body[:40]!r} arrived {late:.1f} ms late"


def nowhere() -> str:
    """A loopback address where nobody listens."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        return "{}:{}".format(*unused.getsockname())
