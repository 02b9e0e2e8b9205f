"""mq_http_sdk 1.0.3 doing what a test tells it: it makes a call for every JSON line that it reads, and prints a JSON
line with the answer."""

from __future__ import annotations

import json
import sys
from typing import Any

from mq_http_sdk.mq_client import MQClient
from mq_http_sdk.mq_consumer import Message, MQConsumer
from mq_http_sdk.mq_exception import MQExceptionBase, MQServerException
from mq_http_sdk.mq_producer import MQTransProducer, TopicMessage

USAGE = "usage: main.py ENDPOINT ACCESS-KEY SECRET-KEY [SECURITY-TOKEN]"
WITHOUT_WAIT = -1
RESERVED = ("KEYS", "__STARTDELIVERTIME", "__TransCheckT", "__SHARDINGKEY")


def wanted(message: dict[str, Any]) -> TopicMessage:
    topic_message = TopicMessage(message["body"], message["tag"])
    for name, value in message["properties"].items():
        topic_message.put_property(name, value)
    if message["key"]:
        topic_message.set_message_key(message["key"])
    if message["deliver_at_ms"]:
        topic_message.set_start_deliver_time(message["deliver_at_ms"])
    if message["check_after_s"]:
        topic_message.set_trans_check_immunity_time(message["check_after_s"])
    if message["sharding_key"]:
        topic_message.set_sharding_key(message["sharding_key"])
    return topic_message


def delivered(message: Message) -> dict[str, Any]:
    return {
        "message_id": message.message_id,
        "handle": message.receipt_handle,
        "body": message.message_body,
        "body_md5": message.message_body_md5,
        "tag": message.message_tag,
        "key": message.get_message_key(),
        "properties": {name: value for name, value in message.properties.items() if name not in RESERVED},
        "deliver_at_ms": message.get_start_deliver_time(),
        "sharding_key": message.get_sharding_key(),
        "check_after_s": message.get_trans_check_immunity_time(),
        "published_ms": message.publish_time,
        "next_consume_ms": message.next_consume_time,
        "first_consume_ms": message.first_consume_time,
        "consumed_times": message.consumed_times,
    }


class Caller:
    def __init__(self, client: MQClient) -> None:
        self.client = client

    def consumer(self, call: dict[str, Any]) -> MQConsumer:
        return self.client.get_consumer(call["instance"], call["topic"], call["group"], call["tag"])

    def transactions(self, call: dict[str, Any]) -> MQTransProducer:
        return self.client.get_trans_producer(call["instance"], call["topic"], call["group"])

    def publish(self, call: dict[str, Any]) -> list[dict[str, Any]]:
        producer = self.client.get_producer(call["instance"], call["topic"])
        message = producer.publish_message(wanted(call["message"]))
        return [
            {"message_id": message.message_id, "handle": message.receipt_handle, "body_md5": message.message_body_md5}
        ]

    def consume(self, call: dict[str, Any]) -> list[dict[str, Any]]:
        if call["mode"] == "order":
            consume = self.consumer(call).consume_message_orderly
        elif call["mode"] == "pop":
            consume = self.transactions(call).consume_half_message
        else:
            consume = self.consumer(call).consume_message
        return [delivered(message) for message in consume(call["max"], call["wait_s"] or WITHOUT_WAIT)]

    def ack(self, call: dict[str, Any]) -> None:
        self.consumer(call).ack_message(call["handles"])

    def commit(self, call: dict[str, Any]) -> None:
        self.transactions(call).commit(call["handles"][0])

    def rollback(self, call: dict[str, Any]) -> None:
        self.transactions(call).rollback(call["handles"][0])

    def answer(self, call: dict[str, Any]) -> dict[str, Any]:
        """The messages of a publish or consume, or the error's text."""
        try:
            return {"messages": getattr(self, call["do"])(call) or []}
        except MQServerException as error:
            refused = [{"handle": e["ReceiptHandle"], "code": e["ErrorCode"]} for e in error.sub_errors or []]
            return {"error": str(error), "refused": refused}
        except MQExceptionBase as error:
            return {"error": str(error)}


def main() -> None:
    """Answers calls until the input ends."""
    if len(sys.argv) < 4:
        sys.exit(USAGE)
    caller = Caller(MQClient(*sys.argv[1:]))
    for line in sys.stdin:
        print(json.dumps(caller.answer(json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
