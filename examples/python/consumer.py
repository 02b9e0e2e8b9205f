"""Prints messages of a topic until Ctrl-C: `consumer.py 127.0.0.1:9876 test`."""

from __future__ import annotations

import contextlib
import sys

import tminus


def main() -> None:
    endpoint, topic = sys.argv[1:] or ("127.0.0.1:9876", "test")
    with tminus.PushConsumer(endpoint, "python-example", topic, consume_from="first_offset") as consumer:
        for delivery in consumer:
            with delivery as message:
                print(message.message_id, message.body, "due at", message.deliver_at, flush=True)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        main()
