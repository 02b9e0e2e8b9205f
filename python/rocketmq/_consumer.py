from __future__ import annotations

import os
from collections.abc import Iterator
from enum import IntEnum
from typing import Callable

import tminus

from ._message import ReceivedMessage, Text, to_text
from ._settings import Settings
from .exceptions import ConsumerException, PushConsumerStartFailed, raising


class ConsumeStatus(IntEnum):
    CONSUME_SUCCESS = 0
    RECONSUME_LATER = 1


class MessageModel(IntEnum):
    BROADCASTING = 0
    CLUSTERING = 1


Callback = Callable[[ReceivedMessage], ConsumeStatus]

_ANSWERS = {
    ConsumeStatus.CONSUME_SUCCESS: tminus.ConsumeResult.SUCCESS,
    ConsumeStatus.RECONSUME_LATER: tminus.ConsumeResult.RETRY_LATER,
}


class PushConsumer(Settings):
    def __init__(
        self, group_id: Text, orderly: bool = False, message_model: MessageModel = MessageModel.CLUSTERING
    ) -> None:
        super().__init__(group_id)
        self._client: tminus.PushConsumer | None = None
        self._callbacks: dict[str, tuple[Callback, str]] = {}
        self._options["orderly"] = orderly
        self.set_message_model(message_model)

    def set_message_model(self, model: MessageModel) -> None:
        self._options["model"] = MessageModel(model).name.lower()

    def set_thread_count(self, thread_count: int) -> None:
        """How many callbacks run at the same time."""
        self._options["concurrency"] = thread_count

    def set_message_batch_max_size(self, max_size: int) -> None:
        """Accepted; a callback gets one message at a time, as in the original."""

    def set_instance_name(self, name: Text) -> None:
        """Tells this consumer from others of the process in the server's lists."""
        self._options["client_id"] = f"{os.uname().nodename}@{os.getpid()}@{to_text(name)}"

    def subscribe(self, topic: Text, callback: Callback, expression: Text = "*") -> None:
        """`callback` gets every message of `topic` that has one of the tags of `expression` (`"a || b"`)."""
        topic, expression = to_text(topic), to_text(expression)
        self._callbacks[topic] = callback, expression
        if self._client is not None:
            with raising(ConsumerException):
                self._client.subscribe(topic, expression)

    def start(self) -> None:
        with raising(PushConsumerStartFailed):
            topics = {topic: expression for topic, (_, expression) in self._callbacks.items()}
            client = tminus.PushConsumer(self._endpoint, self._group, topics, self._consume, **self.connection())
            self._client = client.start()

    def shutdown(self) -> None:
        if self._client is not None:
            self._client.close()

    def _consume(self, message: tminus.MessageView) -> tminus.ConsumeResult:
        callback, _ = self._callbacks[message.topic]
        status = callback(ReceivedMessage(message))
        if status not in _ANSWERS:
            raise ValueError(f"a callback must return a ConsumeStatus, not {status!r}")
        return _ANSWERS[status]


class PullConsumer:
    """Not part of this version."""

    def __init__(self, group_id: Text) -> None:
        raise NotImplementedError("the pull consumer is not part of this version of tminus; use PushConsumer")

    def pull(self, topic: Text, expression: Text = "*", max_num: int = 32) -> Iterator[ReceivedMessage]:
        raise NotImplementedError
