"""make demo: four languages schedule messages ahead on one loopback broker and receive them.

Prints one table and ends with status 1 if a message is missing, early, or later than LATEST_MS.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release"
COUNT = 100
AHEAD_MS = 5_000
LATEST_MS = 100

PROGRAMS: dict[str, list[str]] = {
    "go": [str(ROOT / "examples/go/bin/scheduled")],
    "python": [sys.executable, str(ROOT / "examples/python/scheduled.py")],
    "c": [str(ROOT / "examples/c/bin/scheduled")],
    "rust": [str(TARGET / "scheduled")],
}


@contextmanager
def loopback_broker() -> Iterator[str]:
    """Starts `tminus broker` on a free port and yields its address."""
    command = [str(TARGET / "tminus"), "broker", "--listen", "127.0.0.1:0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as broker:
        try:
            assert broker.stdout is not None
            yield json.loads(broker.stdout.readline())["address"]
        finally:
            broker.terminate()


def run_programs(address: str) -> list[dict[str, object]]:
    """Runs all programs side by side and returns the line each of them prints."""
    arguments = [address, str(COUNT), str(AHEAD_MS)]
    running = {
        language: subprocess.Popen([*command, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for language, command in PROGRAMS.items()
    }
    started = time.monotonic()
    while any(program.poll() is None for program in running.values()):
        waiting = [language for language, program in running.items() if program.poll() is None]
        if sys.stderr.isatty():
            seconds = time.monotonic() - started
            print(f"\r\033[K{seconds:4.1f} s, waiting for {', '.join(waiting)}", end="", file=sys.stderr, flush=True)
        time.sleep(0.1)
    if sys.stderr.isatty():
        print("\r\033[K", end="", file=sys.stderr)

    lines = []
    for language, program in running.items():
        output, errors = program.communicate()
        try:
            lines.append(json.loads(output.strip().splitlines()[-1]))
        except (IndexError, ValueError):
            print(f"{language}: no result, status {program.returncode}\n{errors}", file=sys.stderr)
            lines.append({"language": language, "sent": 0, "received": 0, "early": 0})
    return lines


def is_on_time(line: dict[str, object]) -> bool:
    latest = line.get("lateness_ms_max")
    all_there = line["sent"] == line["received"] == COUNT and line["early"] == 0
    return all_there and isinstance(latest, int | float) and latest <= LATEST_MS


def main() -> int:
    print(f"{COUNT} messages in each language, scheduled {AHEAD_MS / 1000:.0f} to {AHEAD_MS / 1000 + 1:.0f} s ahead")
    with loopback_broker() as address:
        lines = run_programs(address)
    row = "{:<10}{:>6}{:>10}{:>7}{:>14}{:>14}  {}"
    print(row.format("language", "sent", "received", "early", "late p50 ms", "late max ms", ""))
    for line in lines:
        p50, latest = (line.get(f"lateness_ms_{name}") for name in ("p50", "max"))
        verdict = "on time" if is_on_time(line) else "NOT ON TIME"
        columns = [line["language"], line["sent"], line["received"], line["early"], p50, latest]
        print(row.format(*("-" if column is None else column for column in columns), verdict))
    return 0 if all(map(is_on_time, lines)) else 1


if __name__ == "__main__":
    sys.exit(main())
