"""`mq_http_sdk.mq_consumer` as programs know it."""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING

import tminus
from tminus import ConsumeMode, _logging

from .mq_exception import (
    MQClientException,
    MQClientNetworkException,
    MQClientParameterException,
    MQExceptionBase,
    MQServerException,
)

if TYPE_CHECKING:
    from .mq_client import MQClient

__all__ = [
    "MQClientException",
    "MQClientNetworkException",
    "MQClientParameterException",
    "MQConsumer",
    "MQExceptionBase",
    "MQServerException",
    "Message",
]


class MQConsumer:
    """Consumes one topic as a member of a group."""

    def __init__(
        self,
        instance_id: str | None,
        topic_name: str,
        consumer: str,
        message_tag: str | None,
        mq_client: MQClient,
        debug: bool = False,
    ) -> None:
        self.instance_id = instance_id or ""
        self.topic_name = topic_name
        self.consumer = consumer
        self.message_tag = message_tag or ""
        self.mq_client = mq_client
        self.debug = debug

    def set_debug(self, debug: bool) -> None:
        """Whether the request id of every call that brought something is printed."""
        self.debug = debug

    def consume_message(self, batch_size: int = 1, wait_seconds: int = -1) -> list[Message]:
        """Takes up to `batch_size` (1 to 16) messages; waits up to `wait_seconds` (at most 30) for the first one.

        `MQServerException` of the type `MessageNotExist` if there was none.
        """
        return self._consume("concurrent", batch_size, wait_seconds)

    def consume_message_orderly(self, batch_size: int = 1, wait_seconds: int = -1) -> list[Message]:
        """The same in order: the next messages of a sharding key come when all before them are acknowledged."""
        return self._consume("orderly", batch_size, wait_seconds)

    def ack_message(self, receipt_handle_list: list[str]) -> None:
        """Acknowledges up to 16 messages; the `sub_errors` of an `MQServerException` are of those that failed."""
        handles = list(receipt_handle_list)
        self.mq_client._ack(self.instance_id, self.topic_name, self.consumer, handles)

    def _consume(self, mode: ConsumeMode, batch_size: int, wait_seconds: int) -> list[Message]:
        consumed = self.mq_client._consume(
            self.instance_id, self.topic_name, self.consumer, self.message_tag, mode, batch_size, wait_seconds
        )
        return messages(consumed, self.debug)


class Message:
    """A received message; times are Unix ms."""

    def __init__(self) -> None:
        self.message_body = ""
        self.message_tag: str | None = None
        self.message_id = ""
        self.message_body_md5 = ""
        self.consumed_times = -1
        self.publish_time = -1
        self.first_consume_time = -1
        self.receipt_handle = ""
        self.next_consume_time = 1
        self.properties: dict[str, str] = {}

    def get_message_key(self) -> str:
        return self.get_property("KEYS")

    def get_start_deliver_time(self) -> int:
        return self._number("__STARTDELIVERTIME")

    def get_trans_check_immunity_time(self) -> int:
        return self._number("__TransCheckT")

    def get_sharding_key(self) -> str:
        return self.get_property("__SHARDINGKEY")

    def get_property(self, key: str) -> str:
        """The value of a property; empty where it is not set."""
        return self.properties.get(key, "")

    def _number(self, key: str) -> int:
        return int(self.get_property(key) or 0)


def messages(consumed: tminus.Consumed, debug: bool) -> list[Message]:
    """What was consumed, without those messages whose body was damaged under way: they come again."""
    if debug:
        print_request_id(consumed.request_id)
    sound = []
    for received in consumed.messages:
        if received.corrupted:
            _logging.logger.warning("the body of %r does not fit its digest; it is left out", received.message)
        else:
            sound.append(_message(received))
    return sound


def print_request_id(request_id: str | None) -> None:
    print(f"===================DEBUG INFO===================\nRequestId: {request_id}\n{'=' * 48}")


def body_md5(body: str) -> str:
    """As the service writes it."""
    return hashlib.new("md5", body.encode(), usedforsecurity=False).hexdigest().upper()


def _message(received: tminus.Received) -> Message:
    view, message = received.message, Message()
    message.properties = view.properties
    message.message_tag = message.properties.pop("TAGS", "")
    try:
        message.message_body = view.body.decode()
    except UnicodeDecodeError:
        # A producer of tminus sent bytes that are no text: this is what travelled.
        message.message_body = base64.b64encode(view.body).decode()
        message.properties["__BODY_ENCODING"] = "base64"
    message.message_id = view.message_id
    message.message_body_md5 = body_md5(message.message_body)
    message.consumed_times = view.delivery_attempt
    message.publish_time = view.born_at_ms
    message.first_consume_time = received.first_delivered_at_ms or -1
    message.receipt_handle = received.receipt.handle
    message.next_consume_time = received.invisible_until_ms or 1
    return message
