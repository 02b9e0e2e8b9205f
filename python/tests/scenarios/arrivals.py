"""What the consumers of a scenario received, and how it is checked."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

import tminus


@dataclass(frozen=True)
class Arrival:
    consumer: str
    message: tminus.MessageView
    at_ms: float


@dataclass
class Record:
    """What the consumers received, in the order it came."""

    arrivals: list[Arrival] = field(default_factory=list)
    changed: threading.Condition = field(default_factory=threading.Condition)

    def add(self, arrival: Arrival) -> None:
        with self.changed:
            self.arrivals.append(arrival)
            self.changed.notify_all()

    def take(self, consumers: list[str], ms: float, enough: Callable[[list[Arrival]], bool]) -> list[Arrival]:
        """Waits until `enough` says so, at most `ms`; forgets and returns what `consumers` have received."""

        def theirs() -> list[Arrival]:
            return [arrival for arrival in self.arrivals if arrival.consumer in consumers]

        with self.changed:
            self.changed.wait_for(lambda: enough(theirs()), ms / 1000)
            taken = theirs()
            self.arrivals = [arrival for arrival in self.arrivals if arrival not in taken]
        return taken


def check_view(
    message: tminus.MessageView,
    tag: str | None = None,
    keys: list[str] | None = None,
    properties: dict[str, str] | None = None,
    reconsume_times: int | None = None,
    message_group: str | None = None,
) -> None:
    assert tag in (None, message.tag)
    assert keys in (None, list(message.keys))
    assert (properties or {}).items() <= message.properties.items()
    assert reconsume_times in (None, message.reconsume_times)
    assert message_group in (None, message.message_group)
