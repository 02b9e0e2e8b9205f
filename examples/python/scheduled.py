"""Schedules messages ahead and receives them: `scheduled.py ENDPOINT COUNT AHEAD_MS`. Part of `make demo`.

Message i of n is due AHEAD_MS plus i/n of a second after the start. Prints one JSON line with what arrived when; ends
with status 1 if a message is missing.
"""

from __future__ import annotations

import json
import statistics
import sys
import threading
import time

from rocketmq.client import ConsumeStatus, Message, Producer, PushConsumer, ReceivedMessage

TOPIC = GROUP = "demo-python"


class Arrivals:
    """When the awaited messages came, against when they were due (ms)."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.due: dict[str, int] = {}
        self.came: dict[str, float] = {}
        self._changed = threading.Condition()

    def receive(self, message: ReceivedMessage) -> ConsumeStatus:
        with self._changed:
            self.came.setdefault(message.id, time.time() * 1000)
            if sys.stderr.isatty():
                print(f"\rpython: {len(self.came)} of {self.total}", end="", file=sys.stderr, flush=True)
            self._changed.notify()
        return ConsumeStatus.CONSUME_SUCCESS

    def wait(self, seconds: float) -> None:
        with self._changed:
            self._changed.wait_for(lambda: len(self.due) == self.total and self.due.keys() <= self.came.keys(), seconds)

    def lateness(self) -> list[float]:
        return [self.came[id] - due for id, due in self.due.items() if id in self.came]


def main() -> int:
    if len(sys.argv) != 4:
        print("usage: scheduled.py ENDPOINT COUNT AHEAD_MS", file=sys.stderr)
        return 2
    endpoint, count, ahead_ms = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    arrivals = Arrivals(count)

    consumer = PushConsumer(GROUP)
    consumer.set_name_server_address(endpoint)
    consumer.subscribe(TOPIC, arrivals.receive)
    producer = Producer(GROUP)
    producer.set_name_server_address(endpoint)
    with consumer, producer:
        start = int(time.time() * 1000) + ahead_ms
        for i in range(count):
            due = start + 1000 * i // count
            message = Message(TOPIC)
            message.set_body(f"message {i}")
            message.set_property("__STARTDELIVERTIME", str(due))
            arrivals.due[producer.send_sync(message).msg_id] = due
        arrivals.wait(ahead_ms / 1000 + 10)

    lateness = arrivals.lateness()
    result = {
        "language": "python",
        "sent": len(arrivals.due),
        "received": len(lateness),
        "early": sum(late < 0 for late in lateness),
        "lateness_ms_p50": round(statistics.median(lateness), 1) if lateness else None,
        "lateness_ms_max": round(max(lateness), 1) if lateness else None,
    }
    print(json.dumps(result))
    return 0 if len(lateness) == count else 1


if __name__ == "__main__":
    sys.exit(main())
