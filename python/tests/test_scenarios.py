"""The shared scenarios (core/tests/scenarios/README.md) from Python, once a protocol: against the loopback broker, and
against Apache RocketMQ 5.5.0 when TMINUS_TEST_APACHE=host:port names its name server and TMINUS_TEST_APACHE_PROXY its
gRPC proxy. Every id is run, or left out with its reason.
"""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from scenarios.server import APACHE, Loopback, Server
from scenarios.stage import Stage

FOLDER = Path(__file__).resolve().parents[2] / "core/tests/scenarios"
CATALOGUE: list[dict[str, Any]] = [
    scenario for file in sorted(FOLDER.glob("*.json")) for scenario in json.loads(file.read_text())
]
FIELDS = {"id", "title", "protocols", "not_on", "broker", "topics", "groups", "steps"}

NOT_IN_PYTHON: dict[str, str] = {}
"""What Python cannot run, with the reason; nothing so far."""

each_run = pytest.mark.parametrize(
    ("scenario", "protocol"),
    [
        pytest.param(scenario, protocol, id=f"{scenario['id']} ({protocol})")
        for scenario in CATALOGUE
        for protocol in scenario["protocols"]
    ],
)


@each_run
def test_on_the_loopback_broker(scenario: dict[str, Any], protocol: str):
    check_applies(scenario, "loopback", protocol)
    with ExitStack() as stack:
        run(scenario, Loopback(protocol, stack, **scenario.get("broker", {})), stack)


@pytest.mark.skipif(APACHE["remoting"] is None, reason="TMINUS_TEST_APACHE is not set; `make test-apache` sets it")
@each_run
def test_on_apache_rocketmq(scenario: dict[str, Any], protocol: str):
    check_applies(scenario, "apache5", protocol)
    if protocol == "http":
        pytest.skip(f"{scenario['id']} (http) is not applicable: Apache RocketMQ does not speak ApsaraMQ HTTP")
    if APACHE[protocol] is None:
        pytest.skip("no proxy: TMINUS_TEST_APACHE_PROXY is not set")
    with ExitStack() as stack:
        run(scenario, Server(protocol), stack)


def check_applies(scenario: dict[str, Any], server: str, protocol: str) -> None:
    """Skips what cannot be run there, with the reason."""
    assert scenario.keys() <= FIELDS
    not_on = scenario.get("not_on", {})
    reason = not_on.get(server) or not_on.get(f"{server}/{protocol}") or NOT_IN_PYTHON.get(scenario["id"])
    if reason:
        pytest.skip(f"{scenario['id']} ({protocol}) is not applicable: {reason}")


def run(scenario: dict[str, Any], server: Server, stack: ExitStack) -> None:
    stage = Stage(server, stack)
    stage.prepare(scenario.get("topics", {}), scenario.get("groups", {}), scenario["steps"])
    for number, step in enumerate(scenario["steps"], 1):
        arguments = dict(step)
        action = getattr(stage, arguments.pop("do"))
        try:
            action(**arguments)
        except AssertionError as fault:
            raise AssertionError(f"step {number}: {fault}") from fault
