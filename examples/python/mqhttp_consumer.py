"""Consumes and acknowledges messages over ApsaraMQ HTTP, until Ctrl-C:
`mqhttp_consumer.py http://127.0.0.1:9876 TOPIC GROUP [INSTANCE_ID]`.

The keys come from the environment.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time

from mq_http_sdk.mq_client import MQClient
from mq_http_sdk.mq_exception import MQExceptionBase

BATCH_SIZE = 3
WAIT_SECONDS = 30


def main(endpoint: str, topic: str, group: str, instance_id: str = "") -> None:
    client = MQClient(
        endpoint, os.environ["ALIBABA_CLOUD_ACCESS_KEY_ID"], os.environ["ALIBABA_CLOUD_ACCESS_KEY_SECRET"]
    )
    consumer = client.get_consumer(instance_id, topic, group)
    while True:
        try:
            messages = consumer.consume_message(BATCH_SIZE, WAIT_SECONDS)
        except MQExceptionBase as error:
            if error.type == "MessageNotExist":
                continue
            print(f"not consumed: {error}", file=sys.stderr)
            time.sleep(3)
            continue
        for message in messages:
            late = round(time.time() * 1000) - message.get_start_deliver_time()
            print(message.message_id, message.message_body, message.message_tag, message.get_message_key(), end=" ")
            print(message.get_property("number"), late, "ms late", flush=True)
        try:
            consumer.ack_message([message.receipt_handle for message in messages])
        except MQExceptionBase as error:
            print(f"not acknowledged: {error}", file=sys.stderr)
            for refused in error.sub_errors or ():
                print(refused["ReceiptHandle"], refused["ErrorCode"], refused["ErrorMessage"], file=sys.stderr)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        main(*sys.argv[1:])
