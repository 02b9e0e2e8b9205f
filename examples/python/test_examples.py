"""Every program of this folder, run as a person would, against the loopback broker; the documented one against Apache
RocketMQ too, when TMINUS_TEST_APACHE=host:port names its name server.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import pytest
import tminus
from tminus.testing import Broker

# A shell that runs the tests in the background lets them ignore Ctrl-C, and the programs they start would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)

HERE = Path(__file__).parent
APACHE = os.environ.get("TMINUS_TEST_APACHE")


def run(program: str | Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "error", str(HERE / program), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def run_documented_program(endpoint: str, folder: Path, allowed_ms: float) -> None:
    """Edits the address, as the document asks, runs the program, and measures the delay."""
    program = folder / "program.py"
    program.write_text((HERE / "huawei_scheduled.py").read_text().replace("192.168.0.1:8100", endpoint))
    group = f"documented-{time.time_ns()}"
    with tminus.PushConsumer(endpoint, group, "TopicTest", consume_from="first_offset") as consumer:
        started = time.time()
        done = run(program)
        assert (done.returncode, done.stderr) == (0, "")
        said = re.fullmatch(r"send message status: SendStatus\.OK msgId: (\w+)\n", done.stdout)
        assert said
        while True:
            deliveries = consumer.receive(timeout=timedelta(seconds=15))
            arrived = time.time()
            assert deliveries, "the message did not arrive"
            with deliveries[0] as message:
                if message.message_id == said[1]:
                    break
    assert (message.body, message.tag, message.keys) == (b"message body", "XXX", ("XXX",))
    assert message.get_property("property") == "test"
    assert message.deliver_at_ms is not None
    late = arrived * 1000 - message.deliver_at_ms
    print(f"scheduled 3 s ahead, arrived {late:.0f} ms after its time")
    assert arrived - started >= 3
    assert 0 <= late <= allowed_ms


def test_the_documented_program(rocketmq_broker: Broker, tmp_path: Path) -> None:
    run_documented_program(rocketmq_broker.endpoint, tmp_path, 100)


@pytest.mark.skipif(APACHE is None, reason="TMINUS_TEST_APACHE is not set; `make test-apache` sets it")
def test_the_documented_program_on_apache(tmp_path: Path) -> None:
    run_documented_program(str(APACHE), tmp_path, 1500)


def test_scheduled(rocketmq_broker: Broker) -> None:
    done = run("scheduled.py", rocketmq_broker.endpoint, "50", "1500")
    print(done.stdout)
    assert done.returncode == 0, done.stderr
    (line,) = done.stdout.splitlines()
    result = json.loads(line)
    assert (result["language"], result["sent"], result["received"], result["early"]) == ("python", 50, 50, 0)
    assert 0 <= result["lateness_ms_p50"] <= result["lateness_ms_max"]


def test_async_reminder(rocketmq_broker: Broker) -> None:
    done = run("async_reminder.py", rocketmq_broker.endpoint, "1", "0.5")
    assert (done.returncode, done.stderr) == (0, "")
    assert [line.split(",")[0] for line in done.stdout.splitlines()] == ["reminder after 0.5 s", "reminder after 1 s"]


def test_consumer(rocketmq_broker: Broker) -> None:
    command = [sys.executable, str(HERE / "consumer.py"), rocketmq_broker.endpoint, "test"]
    with tminus.Producer(rocketmq_broker.endpoint) as producer:
        receipt = producer.send(tminus.Message("test", b"hello"))
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as program:
            assert program.stdout is not None
            assert program.stdout.readline() == f"{receipt.message_id} b'hello' due at None\n"
            program.send_signal(signal.SIGINT)
            _, errors = program.communicate(timeout=10)
    assert (program.returncode, errors) == (0, "")


def test_the_http_programs_delay_by_ten_seconds() -> None:
    keys = {"ALIBABA_CLOUD_ACCESS_KEY_ID": "reader", "ALIBABA_CLOUD_ACCESS_KEY_SECRET": "secret"}
    environment = {**os.environ, **keys}
    with Broker(credentials=[tminus.Credentials("reader", "secret")]) as broker:
        broker.create_topic("timed", type="delay")
        arguments = [f"http://{broker.endpoint}", "timed"]
        consume = [sys.executable, "-W", "error", str(HERE / "mqhttp_consumer.py"), *arguments, "GID_timed"]
        produce = [sys.executable, "-W", "error", str(HERE / "mqhttp_producer.py"), *arguments]
        with subprocess.Popen(
            consume, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
        ) as consumer:
            try:
                started = time.time()
                produced = subprocess.run(produce, capture_output=True, text=True, timeout=30, env=environment)
                assert (produced.returncode, produced.stderr) == (0, "")
                assert consumer.stdout is not None
                lines = [consumer.stdout.readline()]
                took = time.time() - started
                lines += [consumer.stdout.readline() for _ in range(3)]
            finally:
                consumer.send_signal(signal.SIGINT)
            rest, errors = consumer.communicate(timeout=10)
    print("".join(lines))
    assert (consumer.returncode, rest, errors) == (0, "", "")
    published = dict(line.split()[1:] for line in produced.stdout.splitlines())
    received = [re.fullmatch(r"(\w+) reminder (\d) TagA order-(\d) (\d) (-?\d+) ms late\n", line) for line in lines]
    assert all(received)
    assert {match[1] for match in received if match} == set(published)
    assert set(published.values()) == {
        hashlib.md5(f"reminder {number}".encode()).hexdigest().upper() for number in range(4)
    }
    assert took >= 10
    for match in filter(None, received):
        assert match[2] == match[3] == match[4]
        assert 0 <= int(match[5]) <= 250


def test_bench(rocketmq_broker: Broker) -> None:
    done = run("bench.py", rocketmq_broker.endpoint, "0.2")
    assert (done.returncode, done.stderr) == (0, "")
    cases = [json.loads(line) for line in done.stdout.splitlines()]
    assert [case["in_flight"] for case in cases] == [1, 64]
    assert all(case["messages_per_s"] > 0 and 0 < case["p50_us"] <= case["p99_us"] for case in cases)
