"""The messages of a scenario, from data."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

import tminus

DELAY_LEVELS = [1, 5, 10, 30, 60, 120, 180, 240, 300, 360, 420, 480, 540, 600, 1200, 1800, 3600, 7200]


@dataclass
class Sent:
    """A message that was sent: its body names it."""

    body: bytes
    due_ms: int | None
    receipt: tminus.SendReceipt | None = None


def make(
    name: str,
    now: timedelta,
    *,
    topic: str,
    body: str | None = None,
    body_bytes: int | None = None,
    properties: dict[str, str] | None = None,
    deliver_after_ms: int | None = None,
    deliver_in_ms: int | None = None,
    delay_level: int | None = None,
    raw_time: dict[str, Any] | None = None,
    **carried: Any,
) -> tuple[tminus.Message, Sent]:
    """A message; `now` is the time since the Unix epoch, by the clock of the server."""
    assert carried.keys() <= {"tag", "keys", "message_group", "priority"}
    content = (name if body is None else body).encode()
    if body_bytes is not None:
        content = (content + b" ") * (body_bytes // (len(content) + 1) + 1)
        content = content[:body_bytes]
    now_ms = now // timedelta(milliseconds=1)
    properties = dict(properties or {})
    due_ms = deliver_at = deliver_after = None
    if deliver_after_ms is not None:
        deliver_after = timedelta(milliseconds=deliver_after_ms)
        due_ms = now_ms + deliver_after_ms
    if deliver_in_ms is not None:
        due_ms = now_ms + deliver_in_ms
        deliver_at = datetime.fromtimestamp(0, timezone.utc) + timedelta(milliseconds=due_ms)
    if delay_level is not None:
        due_ms = now_ms + 1000 * DELAY_LEVELS[delay_level - 1]
    if raw_time is not None:
        due_ms = now_ms + raw_time["in_ms"]
        properties[raw_time["name"]] = str(due_ms)
    message = tminus.Message(
        topic,
        content,
        properties=properties,
        deliver_at=deliver_at,
        deliver_after=deliver_after,
        delay_level=delay_level,
        **carried,
    )
    return message, Sent(content, due_ms)
