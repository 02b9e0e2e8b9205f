"""Schedules reminders and prints them when they are due: `async_reminder.py 127.0.0.1:9876 SECONDS...`."""

from __future__ import annotations

import asyncio
import sys
from datetime import datetime, timedelta, timezone

import tminus
from tminus.aio import AsyncProducer, AsyncPushConsumer

TOPIC = "reminders"


async def main(endpoint: str, seconds: list[float]) -> None:
    waiting = len(seconds)
    done = asyncio.Event()

    async def remind(message: tminus.MessageView) -> None:
        nonlocal waiting
        assert message.deliver_at is not None
        late = datetime.now(timezone.utc) - message.deliver_at
        print(f"{message.body.decode()}, {late / timedelta(milliseconds=1):.0f} ms late", flush=True)
        waiting -= 1
        if waiting == 0:
            done.set()

    async with AsyncProducer(endpoint) as producer:
        messages = [
            tminus.Message(TOPIC, f"reminder after {delay:g} s".encode(), deliver_after=timedelta(seconds=delay))
            for delay in seconds
        ]
        await asyncio.gather(*map(producer.send, messages))
    async with AsyncPushConsumer(endpoint, "async-reminder", TOPIC, remind, consume_from="first_offset"):
        await done.wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], [float(delay) for delay in sys.argv[2:]]))
