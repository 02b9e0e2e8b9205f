"""Makes topics and groups on the server that the environment names, in milliseconds: no JVM is started for it.

gRPC makes no topic by itself, and takes a message only where the topic's type is the message's.
"""

from __future__ import annotations

import json
import os
import re
import time

import remoting

TYPES = ["NORMAL", "FIFO", "DELAY", "TRANSACTION", "PRIORITY", "MIXED"]
ROUTE_LIMIT_S = 10


class AdminError(Exception):
    """The server refused; the text says why."""


def create_topic(name: str, kind: str, queues: int) -> None:
    """Returns once the name server answers with the topic's route."""
    fields = {
        "topic": name,
        "defaultTopic": "TBW102",
        "readQueueNums": str(queues),
        "writeQueueNums": str(queues),
        "perm": "6",
        "topicFilterType": "SINGLE_TAG",
        "topicSysFlag": "0",
        "order": "false",
        "attributes": f"+message.type={kind}",
    }
    _broker(remoting.UPDATE_AND_CREATE_TOPIC, fields=fields)
    deadline = time.monotonic() + ROUTE_LIMIT_S
    while _ask(_name_server(), remoting.GET_ROUTEINFO_BY_TOPIC, fields={"topic": name}).code != 0:
        if time.monotonic() > deadline:
            raise AdminError(f"topic {name}: no route after {ROUTE_LIMIT_S} s")
        time.sleep(0.005)


def create_group(name: str, fifo: bool, retries: int) -> None:
    config = {"groupName": name, "consumeMessageOrderly": fifo, "retryMaxTimes": retries}
    _broker(remoting.UPDATE_AND_CREATE_SUBSCRIPTIONGROUP, body=json.dumps(config).encode())


def _name_server() -> int:
    address = os.environ.get("TMINUS_TEST_APACHE")
    if not address:
        raise AdminError("TMINUS_TEST_APACHE names no server: run this inside server.py run")
    return int(address.rpartition(":")[2])


def _broker(code: int, body: bytes = b"", fields: dict[str, str] | None = None) -> None:
    # The server writes the numbers of its brokers as bare keys, which is no JSON.
    cluster = _ask(_name_server(), remoting.GET_BROKER_CLUSTER_INFO).body
    found = re.search(rb'"127\.0\.0\.1:(\d+)"', cluster)
    if not found:
        raise AdminError("the name server knows no broker on 127.0.0.1")
    answer = _ask(int(found[1]), code, body, fields)
    if answer.code != 0:
        raise AdminError(f"the broker answered {answer.code}: {answer.remark}")


def _ask(port: int, code: int, body: bytes = b"", fields: dict[str, str] | None = None) -> remoting.Answer:
    access_key = os.environ.get("TMINUS_TEST_APACHE_ACCESS_KEY")
    credentials = None
    if access_key:
        credentials = remoting.Credentials(access_key, os.environ["TMINUS_TEST_APACHE_SECRET_KEY"])
    return remoting.call(port, code, body, credentials, fields)
