"""Publishes messages that are delivered ten seconds later, over ApsaraMQ HTTP:
`mqhttp_producer.py http://127.0.0.1:9876 TOPIC [INSTANCE_ID]`.

The keys come from the environment.
"""

from __future__ import annotations

import os
import sys
import time

from mq_http_sdk.mq_client import MQClient
from mq_http_sdk.mq_exception import MQExceptionBase
from mq_http_sdk.mq_producer import TopicMessage

COUNT = 4
DELAY_MS = 10_000


def main(endpoint: str, topic: str, instance_id: str = "") -> None:
    client = MQClient(
        endpoint, os.environ["ALIBABA_CLOUD_ACCESS_KEY_ID"], os.environ["ALIBABA_CLOUD_ACCESS_KEY_SECRET"]
    )
    producer = client.get_producer(instance_id, topic)
    for number in range(COUNT):
        message = TopicMessage(f"reminder {number}", "TagA")
        message.put_property("number", number)
        message.set_message_key(f"order-{number}")
        message.set_start_deliver_time(round(time.time() * 1000) + DELAY_MS)
        try:
            published = producer.publish_message(message)
        except MQExceptionBase as error:
            sys.exit(f"not published: {error}")
        print("published", published.message_id, published.message_body_md5, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
