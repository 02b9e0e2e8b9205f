"""The shared scenarios (core/tests/scenarios/README.md) from Python: against the loopback broker, and against Apache
RocketMQ 5.5.0 when TMINUS_TEST_APACHE=host:port names its name server. Every id is run, or left out with its reason.
"""

from __future__ import annotations

import itertools
import json
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
import tminus
from tminus.testing import Broker

FOLDER = Path(__file__).resolve().parents[2] / "core/tests/scenarios"
CATALOGUE: list[dict[str, Any]] = [
    scenario for file in sorted(FOLDER.glob("*.json")) for scenario in json.loads(file.read_text())
]
APACHE = os.environ.get("TMINUS_TEST_APACHE")

NOT_IN_PYTHON: dict[str, str] = {}
"""What Python cannot run, with the reason; nothing so far."""

LATENESS_MS = {"loopback": 250, "apache5": 1500}
DELAY_LEVELS = [1, 5, 10, 30, 60, 120, 180, 240, 300, 360, 420, 480, 540, 600, 1200, 1800, 3600, 7200]

_runs = itertools.count()


@pytest.mark.parametrize("scenario", CATALOGUE, ids=lambda scenario: scenario["id"])
def test_on_the_loopback_broker(scenario: dict[str, Any]):
    run(scenario, "loopback")


@pytest.mark.skipif(APACHE is None, reason="TMINUS_TEST_APACHE is not set; `make test-apache` sets it")
@pytest.mark.parametrize("scenario", CATALOGUE, ids=lambda scenario: scenario["id"])
def test_on_apache_rocketmq(scenario: dict[str, Any]):
    run(scenario, "apache5")


def run(scenario: dict[str, Any], server: str) -> None:
    reason = scenario.get("not_on", {}).get(server) or NOT_IN_PYTHON.get(scenario["id"])
    if reason:
        pytest.skip(f"{scenario['id']} is not applicable: {reason}")
    assert scenario.keys() <= {"id", "title", "protocols", "not_on", "broker", "steps"}
    with ExitStack() as stack:
        spec = scenario.get("broker", {})
        broker = stack.enter_context(start_broker(**spec)) if server == "loopback" else None
        stage = Stage(server, broker, spec.get("clock") == "virtual", stack)
        for number, step in enumerate(scenario["steps"], 1):
            arguments = dict(step)
            action = getattr(stage, arguments.pop("do"))
            try:
                action(**arguments)
            except AssertionError as fault:
                raise AssertionError(f"step {number}: {fault}") from fault


def start_broker(
    clock: str = "real",
    tls: bool = False,
    users: tuple[str, ...] = (),
    auto_create_topics: bool = True,
    persona: Any = "loopback",
) -> Broker:
    return Broker(
        virtual_clock=clock == "virtual",
        tls=tls,
        credentials=[credentials(user) for user in users],
        auto_create_topics=auto_create_topics,
        persona=persona,
    )


def credentials(user: str) -> tminus.Credentials:
    return tminus.Credentials(*user.split(":"))


@contextmanager
def expected(error: dict[str, str] | None) -> Iterator[None]:
    """Inside, `error` is raised, or nothing is."""
    if error is None:
        yield
        return
    assert error
    assert error.keys() <= {"kind", "outcome"}
    with pytest.raises(tminus.Error) as caught:
        yield
    got = {"kind": caught.value.kind, "outcome": caught.value.outcome.name.lower()}
    assert error.items() <= got.items(), f"expected {error}, got {got}: {caught.value}"


@dataclass(frozen=True)
class Sent:
    body: bytes
    due_ms: int | None


@dataclass(frozen=True)
class Arrival:
    consumer: str
    message: tminus.MessageView
    at_ms: float


@dataclass
class Record:
    """What the consumers received, in the order it came."""

    arrivals: list[Arrival] = field(default_factory=list)
    changed: threading.Condition = field(default_factory=threading.Condition)

    def add(self, arrival: Arrival) -> None:
        with self.changed:
            self.arrivals.append(arrival)
            self.changed.notify_all()

    def take(self, consumers: list[str], ms: float, enough: Callable[[list[Arrival]], bool]) -> list[Arrival]:
        """Waits until `enough` says so, at most `ms`; forgets and returns what `consumers` have received."""

        def theirs() -> list[Arrival]:
            return [arrival for arrival in self.arrivals if arrival.consumer in consumers]

        with self.changed:
            self.changed.wait_for(lambda: enough(theirs()), ms / 1000)
            taken = theirs()
            self.arrivals = [arrival for arrival in self.arrivals if arrival not in taken]
        return taken


class Stage:
    """One run of a scenario; every public method is a step."""

    def __init__(self, server: str, broker: Broker | None, is_virtual: bool, stack: ExitStack) -> None:
        self._server = server
        self._loopback = broker
        self._is_virtual = is_virtual
        self._endpoint = broker.endpoint if broker else str(APACHE)
        self._stack = stack
        self._prefix = f"py{os.getpid()}-{next(_runs)}-{time.time_ns() // 1_000_000 % 100_000_000}-"
        self._clients: dict[str, Any] = {}
        self._record = Record()
        self._sent: dict[str, list[Sent]] = {}

    def producer(
        self,
        name: str = "producer",
        endpoint: str = "server",
        retries: int | None = None,
        tls: dict[str, Any] | None = None,
        user: str | None = None,
        error: dict[str, str] | None = None,
    ) -> None:
        options: dict[str, Any] = {"group": f"{self._prefix}producers", "retries": retries}
        if self._loopback:
            options["clock"] = self._loopback.clock
        address = self._endpoint if endpoint == "server" else nowhere()
        client = tminus.Producer(address, **options, **self._connection(tls, user))
        self._stack.callback(client.close)
        with expected(error):
            self._clients[name] = client.start()

    def consumer(
        self,
        name: str = "consumer",
        topic: str = "t",
        group: str = "g",
        filter: str = "*",
        sql: str | None = None,
        fail_first: int = 0,
        max_reconsume_times: int | None = None,
        tls: dict[str, Any] | None = None,
        user: str | None = None,
    ) -> None:
        def listen(message: tminus.MessageView) -> tminus.RetryAfterLevel | None:
            if message.reconsume_times < fail_first:
                return tminus.RetryAfterLevel(1)
            self._record.add(Arrival(name, message, self._now() / timedelta(milliseconds=1)))
            return None

        client = tminus.PushConsumer(
            self._endpoint,
            self._resource(group),
            {self._resource(topic): filter if sql is None else tminus.Sql92(sql)},
            listen,
            concurrency=1,
            consume_from="first_offset",
            max_reconsume_times=max_reconsume_times,
            **self._connection(tls, user),
        )
        self._stack.callback(client.close)
        self._clients[name] = client.start()

    def send(
        self,
        producer: str = "producer",
        message: dict[str, Any] | None = None,
        messages: tuple[dict[str, Any], ...] = (),
        count: int = 1,
        mode: str = "each",
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
        made = [self._message(name, number, **spec) for number, spec in enumerate(specs)]
        self._sent.setdefault(name, []).extend(sent for _, sent in made)

        def send_one(message: tminus.Message) -> None:
            with expected(error):
                if mode == "one_way":
                    client.send_one_way(message)
                elif sharding_key is not None:
                    client.send_by_key(message, sharding_key, timeout=timeout)
                else:
                    client.send(message, timeout=timeout)

        outgoing = [message for message, _ in made]
        if mode == "batch":
            with expected(error):
                client.send_batch(outgoing, timeout=timeout)
        elif mode == "concurrent":
            with ThreadPoolExecutor(len(outgoing)) as pool:
                list(pool.map(send_one, outgoing))
        else:
            assert mode in ("each", "one_way")
            for one in outgoing:
                send_one(one)

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

    def _broker(self) -> Broker:
        assert self._loopback is not None, "this step needs the loopback broker"
        return self._loopback

    def _now(self) -> timedelta:
        """Time since the Unix epoch, by the broker's clock."""
        now = self._loopback.clock.now() if self._loopback else datetime.now(timezone.utc)
        return now - datetime.fromtimestamp(0, timezone.utc)

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

    def _message(
        self,
        label: str,
        number: int,
        topic: str = "t",
        body: str | None = None,
        body_bytes: int | None = None,
        tag: str | None = None,
        keys: list[str] | None = None,
        properties: dict[str, str] | None = None,
        deliver_after_ms: int | None = None,
        deliver_in_ms: int | None = None,
        delay_level: int | None = None,
        raw_time: dict[str, Any] | None = None,
    ) -> tuple[tminus.Message, Sent]:
        content = f"{label}-{number}".encode() if body is None else body.encode()
        if body_bytes is not None:
            content = (content + b" ") * (body_bytes // (len(content) + 1) + 1)
            content = content[:body_bytes]
        now = self._now()
        now_ms = now // timedelta(milliseconds=1)
        properties = dict(properties or {})
        due_ms = deliver_at = deliver_after = None
        if deliver_after_ms is not None:
            deliver_after = timedelta(milliseconds=deliver_after_ms)
            due_ms = now_ms + deliver_after_ms
        if deliver_in_ms is not None:
            due_ms = now_ms + deliver_in_ms
            deliver_at = datetime.fromtimestamp(0, timezone.utc) + timedelta(milliseconds=due_ms)
        if delay_level is not None:
            due_ms = now_ms + 1000 * DELAY_LEVELS[delay_level - 1]
        if raw_time is not None:
            due_ms = now_ms + raw_time["in_ms"]
            properties[raw_time["name"]] = str(due_ms)
        message = tminus.Message(
            self._resource(topic),
            content,
            tag=tag,
            keys=keys,
            properties=properties,
            deliver_at=deliver_at,
            deliver_after=deliver_after,
            delay_level=delay_level,
        )
        return message, Sent(content, due_ms)

    def _check_time(self, sent: Sent, arrival: Arrival, late_ok: bool) -> None:
        if sent.due_ms is None:
            return
        late = arrival.at_ms - sent.due_ms
        assert late >= 0, f"{sent.body[:40]!r} arrived {-late:.1f} ms early"
        if not late_ok and not self._is_virtual:
            assert late <= LATENESS_MS[self._server], f"{sent.body[:40]!r} arrived {late:.1f} ms late"


def check_view(
    message: tminus.MessageView,
    tag: str | None = None,
    keys: list[str] | None = None,
    properties: dict[str, str] | None = None,
    reconsume_times: int | None = None,
) -> None:
    assert tag in (None, message.tag)
    assert keys in (None, list(message.keys))
    assert (properties or {}).items() <= message.properties.items()
    assert reconsume_times in (None, message.reconsume_times)


def nowhere() -> str:
    """A loopback address where nobody listens."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        return "{}:{}".format(*unused.getsockname())
