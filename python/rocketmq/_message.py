from __future__ import annotations

from typing import Union

import tminus

from .consts import MessageProperty

Text = Union[str, bytes]


def to_text(value: Text) -> str:
    return value.decode() if isinstance(value, bytes) else value


def to_bytes(value: Text) -> bytes:
    return value.encode() if isinstance(value, str) else value


class Message:
    """A message to send."""

    def __init__(self, topic: Text) -> None:
        self.topic = to_text(topic)
        self._body = b""
        self._properties: dict[str, str] = {}

    def set_keys(self, keys: Text) -> None:
        self.set_property(MessageProperty.KEYS.value, keys)

    def set_tags(self, tags: Text) -> None:
        self.set_property(MessageProperty.TAGS.value, tags)

    def set_body(self, body: Text) -> None:
        self._body = to_bytes(body)

    def set_property(self, key: Text, value: Text) -> None:
        self._properties[to_text(key)] = to_text(value)

    def set_delay_time_level(self, delay_time_level: int) -> None:
        """Delivers after the server's delay level 1 to 18; 0 is no delay."""
        self.set_property(MessageProperty.DELAY_TIME_LEVEL.value, str(delay_time_level))

    def to_native(self) -> tminus.Message:
        return tminus.Message(self.topic, self._body, properties=self._properties)


class ReceivedMessage:
    """A received message: `topic` and `id` are str; `tags`, `keys`, `body` and properties are bytes."""

    def __init__(self, view: tminus.MessageView) -> None:
        self._view = view

    @property
    def topic(self) -> str:
        return self._view.topic

    @property
    def tags(self) -> bytes:
        return self.get_property(MessageProperty.TAGS)

    @property
    def keys(self) -> bytes:
        return self.get_property(MessageProperty.KEYS)

    @property
    def body(self) -> bytes:
        return self._view.body

    @property
    def id(self) -> str:
        return self._view.message_id

    @property
    def delay_time_level(self) -> int:
        return int(self.get_property(MessageProperty.DELAY_TIME_LEVEL) or 0)

    @property
    def queue_id(self) -> int:
        return self._view.queue_id

    @property
    def reconsume_times(self) -> int:
        return self._view.reconsume_times

    @property
    def store_size(self) -> int:
        return self._view.store_size

    @property
    def born_timestamp(self) -> int:
        return self._view.born_at_ms

    @property
    def store_timestamp(self) -> int:
        return self._view.stored_at_ms

    @property
    def queue_offset(self) -> int:
        return self._view.queue_offset

    @property
    def commit_log_offset(self) -> int:
        return self._view.commit_log_offset

    @property
    def prepared_transaction_offset(self) -> int:
        return self._view.prepared_transaction_offset

    def get_property(self, prop: Text | MessageProperty) -> bytes:
        """The value of a property; empty where it is not set."""
        name = prop.value if isinstance(prop, MessageProperty) else to_text(prop)
        return (self._view.get_property(name) or "").encode()

    def __getitem__(self, key: Text | MessageProperty) -> bytes:
        return self.get_property(key)

    def __str__(self) -> str:
        return self.body.decode()

    def __bytes__(self) -> bytes:
        return self.body

    def __repr__(self) -> str:
        return f"<ReceivedMessage topic={self.topic!r} id={self.id!r} body={self.body!r}>"


RecvMessage = ReceivedMessage
