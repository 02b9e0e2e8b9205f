"""make bench: 1 KiB sends, ours in three languages and the peer's in Go, in turn against one server.

`compare.py [ENDPOINT]`: without an endpoint, a loopback broker is started. The clients take turns for ROUNDS rounds,
each in its own process; a figure is the median of its rounds. Beside them, the same bytes over plain TCP.
"""

from __future__ import annotations

import contextlib
import json
import os
import statistics
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release"
ROUNDS = 5
SECONDS = 2.0
PEER = "rocketmq-client-go"
FIGURES = ("messages_per_s", "p50_us", "p99_us", "cpu_us_per_message")
# At most this part of the peer's CPU time per message.
GOALS = {"tminus-rust": 1 / 5, "tminus-go": 1 / 2}


def rust(bench: str) -> list[str]:
    """The program of a Rust benchmark, built."""
    build = ["cargo", "bench", "--locked", "-p", "tminus", "--bench", bench, "--no-run", "--message-format", "json"]
    lines = subprocess.run(build, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()
    return [next(path for line in lines if (path := json.loads(line).get("executable")))]


def programs(endpoint: str) -> list[list[str]]:
    peer = TARGET / "bench-go-v2"
    subprocess.run(["go", "build", "-o", peer, "."], cwd=ROOT / "core/tests/interop/go-v2", check=True)
    seconds = str(SECONDS)
    return [
        [*rust("send"), endpoint, seconds],
        [str(ROOT / "examples/go/bin/bench"), endpoint, seconds],
        [sys.executable, str(ROOT / "examples/python/bench.py"), endpoint, seconds],
        [str(peer), "bench", endpoint, seconds],
        [*rust("pingpong"), seconds],
    ]


@contextlib.contextmanager
def server(arguments: list[str]) -> Iterator[str]:
    if arguments:
        yield arguments[0]
        return
    command = [str(TARGET / "tminus"), "broker", "--listen", "127.0.0.1:0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as broker:
        try:
            assert broker.stdout is not None
            yield json.loads(broker.stdout.readline())["address"]
        finally:
            broker.terminate()


def main() -> int:
    figures: dict[tuple[int, str], list[dict[str, float]]] = defaultdict(list)
    with server(sys.argv[1:]) as endpoint:
        commands = programs(endpoint)
        for number in range(ROUNDS):
            print(f"round {number + 1} of {ROUNDS}", file=sys.stderr)
            for command in commands:
                output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
                for line in map(json.loads, output.splitlines()):
                    figures[line["in_flight"], line["client"]].append(line)

    print(f"{'':22}{'messages/s':>12}{'p50 us':>10}{'p99 us':>10}{'CPU us/message':>16}{'of the peer':>13}")
    medians = {
        case: {name: statistics.median(line[name] for line in lines) for name in FIGURES}
        for case, lines in figures.items()
    }
    for in_flight in sorted({case[0] for case in medians}):
        print(f"{in_flight} in flight")
        for (_, client), line in ((case, line) for case, line in medians.items() if case[0] == in_flight):
            part = line["cpu_us_per_message"] / medians[in_flight, PEER]["cpu_us_per_message"]
            goal = GOALS.get(client)
            verdict = "" if goal is None else f"  goal {goal:.0%}: {'met' if part <= goal else 'missed'}"
            print(
                f"  {client:20}{line['messages_per_s']:12,.0f}{line['p50_us']:10,.0f}{line['p99_us']:10,.0f}"
                f"{line['cpu_us_per_message']:16.1f}{part:13.0%}{verdict}"
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())
