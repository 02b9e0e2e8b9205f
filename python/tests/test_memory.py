"""What is made and dropped is gone."""

from __future__ import annotations

import sys

import pytest
from conftest import Run
from tminus.testing import Broker

PROGRAM = """
import gc, os, sys
import tminus

def resident():
    gc.collect()
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

def messages():
    for i in range(50_000):
        tminus.Message("memory", b"x" * 256, tag="t", keys=["k"], properties={"name": "value"})

producer = tminus.Producer(sys.argv[1])
def sends():
    for i in range(2_000):
        producer.send(tminus.Message("memory", b"x" * 256))

def clients():
    for i in range(20):
        with tminus.Producer(sys.argv[1]) as other:
            other.send(tminus.Message("memory", b"x"))

for work in (messages, sends, clients):
    work()
    before = resident()
    work()
    print(f"{work.__name__}: {(resident() - before) // 1024} KiB more")
    assert resident() - before < 2 * 1024 * 1024
producer.close()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_resident_memory_stays(broker: Broker, run_python: Run):
    done = run_python(PROGRAM, broker.endpoint, timeout=120)
    print(done.stdout)
    assert (done.returncode, done.stderr) == (0, "")
