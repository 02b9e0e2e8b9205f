"""The server of a scenario: a loopback broker of its own, or Apache RocketMQ."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import ExitStack
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import tminus
from tminus.testing import Broker

APACHE = {"remoting": os.environ.get("TMINUS_TEST_APACHE"), "grpc": os.environ.get("TMINUS_TEST_APACHE_PROXY")}
ADMIN = Path(__file__).resolve().parents[3] / "core/tests/apache/server.py"


def credentials(user: str) -> tminus.Credentials:
    return tminus.Credentials(*user.split(":"))


class Server:
    """Where a scenario is run, and over which protocol; the scheme of the endpoint is the only difference."""

    broker: Broker | None = None
    is_virtual = False
    lateness_ms = 1500

    def __init__(self, protocol: str) -> None:
        self.protocol = protocol
        self.address = str(APACHE[protocol])

    @property
    def endpoint(self) -> str:
        return f"{self.protocol}://{self.address}"

    def now(self) -> timedelta:
        """Time since the Unix epoch, by the server's clock."""
        return datetime.now(timezone.utc) - datetime.fromtimestamp(0, timezone.utc)

    def prepare(
        self, topics: dict[str, str], groups: dict[str, Any], more_topics: set[str], more_groups: set[str]
    ) -> None:
        """Makes the topics (name to type) and groups (name to options); the others where none makes itself."""
        if self.protocol == "grpc":
            topics = {**dict.fromkeys(more_topics, "mixed"), **topics}
            groups = {**{group: {} for group in more_groups}, **groups}
        for topic, kind in topics.items():
            admin("topic", "--name", topic, "--type", kind.upper())
        for group, spec in groups.items():
            assert spec.keys() <= {"fifo", "max_attempts"}
            fifo = ["--fifo"] if spec.get("fifo") else []
            admin("group", "--name", group, "--retries", str(spec.get("max_attempts", 17) - 1), *fifo)


class Loopback(Server):
    lateness_ms = 250

    def __init__(
        self,
        protocol: str,
        stack: ExitStack,
        *,
        clock: str = "real",
        tls: bool = False,
        users: tuple[str, ...] = (),
        auto_create_topics: bool = True,
        persona: Any = "loopback",
        http_invisible_ms: int | None = None,
    ) -> None:
        self.protocol = protocol
        self.is_virtual = clock == "virtual"
        self.broker = stack.enter_context(
            Broker(
                virtual_clock=self.is_virtual,
                tls=tls,
                credentials=[credentials(user) for user in users],
                auto_create_topics=auto_create_topics,
                persona=persona,
                http_invisible=None if http_invisible_ms is None else timedelta(milliseconds=http_invisible_ms),
            )
        )
        self.address = self.broker.endpoint

    def now(self) -> timedelta:
        assert self.broker
        return self.broker.clock.now() - datetime.fromtimestamp(0, timezone.utc)

    def prepare(
        self, topics: dict[str, str], groups: dict[str, Any], more_topics: set[str], more_groups: set[str]
    ) -> None:
        assert self.broker
        for topic, kind in topics.items():
            self.broker.create_topic(topic, type=kind)
        for group, spec in groups.items():
            self.broker.create_group(group, **spec)


def admin(*arguments: str) -> None:
    done = subprocess.run([sys.executable, str(ADMIN), *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
