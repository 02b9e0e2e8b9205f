"""Ctrl-C ends a call that waits."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import SEND_MESSAGE_V2
from tminus.testing import Broker

PROGRAM = """
import sys, time
from datetime import timedelta
import tminus
endpoint, call = sys.argv[1:]
producer = tminus.Producer(endpoint, send_timeout=timedelta(minutes=5)).start()
producer.send(tminus.Message("signals", b"connected"))
consumer = tminus.PushConsumer(endpoint, "signals", "empty").start()
calls = {
    "send": lambda: producer.send(tminus.Message("signals", b"swallowed")),
    "receive": lambda: consumer.receive(),
    "simple receive": lambda: simple.receive(1, timedelta(seconds=30), wait=timedelta(minutes=5)),
}
if call == "simple receive":
    simple = tminus.SimpleConsumer(endpoint, "simple", "empty").start()
print("waiting", flush=True)
sys.stdin.readline()
try:
    print("in", flush=True)
    calls[call]()
except KeyboardInterrupt:
    print("interrupted", time.clock_gettime(time.CLOCK_MONOTONIC), flush=True)
"""


@pytest.mark.parametrize(
    ("scheme", "call"),
    [
        ("remoting", "send"),
        ("remoting", "receive"),
        ("grpc", "send"),
        ("grpc", "receive"),
        ("grpc", "simple receive"),
        ("http", "send"),
        ("http", "receive"),
        ("http", "simple receive"),
    ],
)
def test_ctrl_c(broker: Broker, tmp_path: Path, scheme: str, call: str):
    command = [sys.executable, "-c", PROGRAM, f"{scheme}://{broker.endpoint}", call]
    with subprocess.Popen(
        command, cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as program:
        assert program.stdin is not None
        assert program.stdout is not None
        assert program.stdout.readline() == "waiting\n"
        before = broker.request_count(SEND_MESSAGE_V2)
        broker.inject(SEND_MESSAGE_V2, "swallow")
        program.stdin.write("\n")
        program.stdin.flush()
        assert program.stdout.readline() == "in\n"
        while call == "send" and broker.request_count(SEND_MESSAGE_V2) == before:
            pass
        start = time.clock_gettime(time.CLOCK_MONOTONIC)
        program.send_signal(signal.SIGINT)
        word, end = program.stdout.readline().split()
        assert word == "interrupted"
        waited = (float(end) - start) * 1000
        print(f"{scheme} {call}: KeyboardInterrupt {waited:.0f} ms after the signal")
        assert waited < 100
        assert program.wait(10) == 0
