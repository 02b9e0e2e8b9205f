"""Prints delayed messages as they come, until Ctrl-C: `push_consumer.py grpc://127.0.0.1:8081 delay my-group`."""

from __future__ import annotations

import contextlib
import sys
import threading
from datetime import datetime, timedelta, timezone

import tminus


def listen(message: tminus.MessageView) -> tminus.ConsumeResult:
    late = datetime.now(timezone.utc) - (message.deliver_at or message.stored_at)
    print(message.message_id, message.body.decode(), late // timedelta(milliseconds=1), "ms late", flush=True)
    return tminus.ConsumeResult.SUCCESS


def main(endpoint: str = "grpc://127.0.0.1:8081", topic: str = "delay", group: str = "delay-push-python") -> None:
    with tminus.PushConsumer(endpoint, group, topic, listen):
        threading.Event().wait()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        main(*sys.argv[1:])
