"""Receives delayed messages, prints and acknowledges them, until Ctrl-C:
`simple_consumer.py grpc://127.0.0.1:8081 delay my-group`.
"""

from __future__ import annotations

import contextlib
import sys
import time
from datetime import datetime, timedelta, timezone

import tminus


def main(endpoint: str = "grpc://127.0.0.1:8081", topic: str = "delay", group: str = "delay-simple-python") -> None:
    with tminus.SimpleConsumer(endpoint, group, topic) as consumer:
        while True:
            try:
                batch = consumer.receive(10, timedelta(seconds=30))
            except tminus.Error as error:
                if not error.retryable:
                    raise
                time.sleep(1)  # the server limits the flow, or is away
                continue
            for received in batch:
                message = received.message
                late = datetime.now(timezone.utc) - (message.deliver_at or message.stored_at)
                print(
                    message.message_id, message.body.decode(), late // timedelta(milliseconds=1), "ms late", flush=True
                )
                consumer.ack(received)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        main(*sys.argv[1:])
