"""Sends one message that is delivered later: `delay_producer.py grpc://127.0.0.1:8081 delay 10`.

On a real server the topic must take delay messages: `mqadmin updateTopic -t delay -a +message.type=DELAY ...`
"""

from __future__ import annotations

import sys
from datetime import datetime, timedelta, timezone

import tminus


def main(endpoint: str = "grpc://127.0.0.1:8081", topic: str = "delay", seconds: str = "10") -> None:
    deliver_at = datetime.now(timezone.utc) + timedelta(seconds=float(seconds))
    message = tminus.Message(topic, b"Hello from Python", tag="greeting", keys="order-42", deliver_at=deliver_at)
    with tminus.Producer(endpoint, topics=[topic]) as producer:
        print(producer.send(message).message_id)


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except tminus.Error as error:
        sys.exit(f"not sent: {error}")
