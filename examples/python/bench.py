"""Sends 1 KiB messages, one at a time and 64 in flight: `bench.py ENDPOINT SECONDS`. Prints one JSON line per case."""

from __future__ import annotations

import asyncio
import json
import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import tminus
from tminus.aio import AsyncProducer

IN_FLIGHT = 64
MESSAGE = tminus.Message("bench-python", b"x" * 1024)


def cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


@contextmanager
def case(in_flight: int) -> Iterator[list[float]]:
    """Takes the seconds of each send, and prints what they come to."""
    latencies: list[float] = []
    cpu, start = cpu_seconds(), time.perf_counter()
    yield latencies
    wall, cpu, count = time.perf_counter() - start, cpu_seconds() - cpu, len(latencies)
    latencies.sort()
    line = {
        "client": "tminus-python",
        "in_flight": in_flight,
        "messages_per_s": round(count / wall),
        "p50_us": round(latencies[count // 2] * 1e6),
        "p99_us": round(latencies[count * 99 // 100] * 1e6),
        "cpu_us_per_message": round(cpu / count * 1e6, 1),
    }
    print(json.dumps(line), flush=True)


def one_at_a_time(endpoint: str, seconds: float) -> None:
    with tminus.Producer(endpoint) as producer:
        producer.send(MESSAGE)
        with case(1) as latencies:
            end = time.perf_counter() + seconds
            while (start := time.perf_counter()) < end:
                producer.send(MESSAGE)
                latencies.append(time.perf_counter() - start)


async def many_at_once(endpoint: str, seconds: float) -> None:
    async with AsyncProducer(endpoint) as producer:
        await producer.send(MESSAGE)
        with case(IN_FLIGHT) as latencies:
            end = time.perf_counter() + seconds

            async def keep_sending() -> None:
                while (start := time.perf_counter()) < end:
                    await producer.send(MESSAGE)
                    latencies.append(time.perf_counter() - start)

            await asyncio.gather(*(keep_sending() for _ in range(IN_FLIGHT)))


if __name__ == "__main__":
    endpoint, seconds = sys.argv[1], float(sys.argv[2])
    one_at_a_time(endpoint, seconds)
    asyncio.run(many_at_once(endpoint, seconds))
