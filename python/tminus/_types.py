"""Small values: enumerations and what a listener may answer."""

from __future__ import annotations

import enum
from typing import Literal, NamedTuple

ConsumeMode = Literal["concurrent", "orderly", "half"]
"""What `HttpClient.consume` takes."""


class SendStatus(enum.Enum):
    """How durable a stored message is."""

    OK = 0
    """Stored as configured."""
    FLUSH_DISK_TIMEOUT = 1
    """Stored; flushing to disk timed out."""
    FLUSH_SLAVE_TIMEOUT = 2
    """Stored; copying to the replica timed out."""
    SLAVE_NOT_AVAILABLE = 3
    """Stored; no replica was there."""


class ConsumeResult(enum.Enum):
    """What became of a delivered message."""

    SUCCESS = "success"
    """Done."""
    RETRY_LATER = "retry_later"
    """Deliver it again later; the broker's schedule decides when (10 s, 30 s, 1 min, ...)."""
    DEAD_LETTER = "dead_letter"
    """Give it up: move it to the dead letter queue of the group."""


class TransactionResolution(enum.Enum):
    """How a transaction ends."""

    UNKNOWN = "unknown"
    """Not known yet: the server asks again later."""
    COMMIT = "commit"
    """Consumers get the message."""
    ROLLBACK = "rollback"
    """The message is dropped."""


class MessageStage(enum.Enum):
    """Where a message is on its way through a broker to a group."""

    INITIALIZED = "initialized"
    """No broker has it: its producer did not send it yet."""
    TIMING = "timing"
    """The broker keeps it until its delivery time, or that of a delayed retry."""
    READY = "ready"
    """Visible: consumers of the group can get it."""
    IN_FLIGHT = "in_flight"
    """A consumer of the group has it and did not settle it yet."""
    ACKNOWLEDGED = "acknowledged"
    """The group is done with it: it was acknowledged, or became a dead letter."""
    DELETED = "deleted"
    """The broker has it no more: recalled, deleted with its topic, or it made room for newer ones."""


class RetryAfterLevel(NamedTuple):
    """Deliver the message again after the server's delay level 1 to 18."""

    delay_level: int


class Sql92(NamedTuple):
    """A filter over message properties, for example `Sql92("amount > 100")`; the broker must have it enabled."""

    expression: str
