"""`mq_http_sdk.mq_producer` as programs know it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import tminus

from .mq_consumer import Message, body_md5, messages, print_request_id
from .mq_exception import (
    MQClientException,
    MQClientNetworkException,
    MQClientParameterException,
    MQExceptionBase,
    MQServerException,
    raising,
)

if TYPE_CHECKING:
    from .mq_client import MQClient

__all__ = [
    "MQClientException",
    "MQClientNetworkException",
    "MQClientParameterException",
    "MQExceptionBase",
    "MQProducer",
    "MQServerException",
    "MQTransProducer",
    "Message",
    "TopicMessage",
]


class MQProducer:
    """Publishes to one topic."""

    def __init__(self, instance_id: str | None, topic_name: str, mq_client: MQClient, debug: bool = False) -> None:
        self.instance_id = instance_id or ""
        self.topic_name = topic_name
        self.mq_client = mq_client
        self.debug = debug

    def set_debug(self, debug: bool) -> None:
        """Whether the request id of every call that brought something is printed."""
        self.debug = debug

    def publish_message(self, message: TopicMessage) -> TopicMessage:
        """Publishes, once: gives the `message_id`, `message_body_md5` and, of a half message, the `receipt_handle`.

        The `outcome` of an exception says whether the message may be stored.
        """
        with raising():
            outgoing = message._native(self.topic_name)
        receipt = self.mq_client._publish(self.instance_id, outgoing)
        if self.debug:
            print_request_id(receipt.request_id)
        published = TopicMessage()
        published.message_id = receipt.message_id
        published.message_body_md5 = body_md5(message.message_body)
        published.receipt_handle = receipt.transaction_id or ""
        return published


class TopicMessage:
    """A message to publish, and what its publish gave."""

    def __init__(self, message_body: str = "", message_tag: str = "") -> None:
        self.message_body = message_body
        self.message_tag = message_tag
        self.properties: dict[str, str] = {}
        self.message_id = ""
        self.message_body_md5 = ""
        self.receipt_handle = ""

    def set_message_body(self, message_body: str) -> None:
        self.message_body = message_body

    def set_message_tag(self, message_tag: str) -> None:
        self.message_tag = message_tag

    def set_message_key(self, key: Any) -> None:
        self.put_property("KEYS", key)

    def set_trans_check_immunity_time(self, time_in_seconds: int) -> None:
        """Makes it the half message of a transaction that is first asked about after so many seconds, 10 to 300."""
        self.put_property("__TransCheckT", time_in_seconds)

    def set_start_deliver_time(self, time_in_millis: int) -> None:
        """When it is delivered, Unix ms; past: at once."""
        self.put_property("__STARTDELIVERTIME", time_in_millis)

    def set_sharding_key(self, sharding_key: Any) -> None:
        """Messages of one key keep their order."""
        self.put_property("__SHARDINGKEY", sharding_key)

    def put_property(self, key: Any, value: Any) -> None:
        self.properties[str(key)] = str(value)

    def _native(self, topic: str) -> tminus.Message:
        if not isinstance(self.message_body, str):
            raise TypeError(f"message_body is of {type(self.message_body)}, not a str")
        body, properties = self.message_body.encode(), self.properties or {}
        return tminus.Message(topic, body, tag=self.message_tag or None, properties=properties)


class MQTransProducer(MQProducer):
    """Publishes half messages, and ends their transactions: consumers get the message when it is committed."""

    def __init__(
        self, instance_id: str | None, topic_name: str, group_id: str, mq_client: MQClient, debug: bool = False
    ) -> None:
        super().__init__(instance_id, topic_name, mq_client, debug)
        if not group_id:
            raise MQClientParameterException("InitMQTransProducerError", "group_id is None or empty")
        self.group_id = group_id

    def consume_half_message(self, batch_size: int = 1, wait_seconds: int = -1) -> list[Message]:
        """Takes half messages whose time to be asked about has come; arguments as for a consumer."""
        client, instance, topic = self.mq_client, self.instance_id, self.topic_name
        consumed = client._consume(instance, topic, self.group_id, "", "half", batch_size, wait_seconds)
        return messages(consumed, self.debug)

    def commit(self, receipt_handle: str) -> None:
        """Lets consumers have the message; the handle is that of the publish, or of `consume_half_message`."""
        self._end(receipt_handle, tminus.TransactionResolution.COMMIT)

    def rollback(self, receipt_handle: str) -> None:
        """Drops the message."""
        self._end(receipt_handle, tminus.TransactionResolution.ROLLBACK)

    def _end(self, handle: str, resolution: tminus.TransactionResolution) -> None:
        self.mq_client._end_transaction(self.instance_id, self.topic_name, self.group_id, handle, resolution)
