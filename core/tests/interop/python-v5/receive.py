"""Runs consumers of one group and prints every message they get, until its standard input ends.

It prints {"started": N} first.
"""

from __future__ import annotations

import argparse
import os
import sys
import threading
import time
from collections.abc import Callable

from rocketmq import (
    ClientConfiguration,
    ConsumeResult,
    FilterExpression,
    Message,
    MessageListener,
    PushConsumer,
    SimpleConsumer,
)
from rocketmq.grpc_protocol import FilterType
from rocketmq.v5.exception import InternalErrorException

INVISIBLE_S = 15
POLL_S = 5


def flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-group", default="python-v5-consumer", help="consumer group")
    parser.add_argument("-consumers", type=int, default=1, help="how many consumers of the group")
    parser.add_argument("-tags", default="*", help="tag expression")
    parser.add_argument("-sql", help="SQL92 expression, instead of tags")
    parser.add_argument("-retries", type=int, default=0, help="ask so many times for another delivery of each message")
    parser.add_argument(
        "-simple", action="store_true", help="simple consumers; the other delivery is asked for in a second"
    )


class Receiver(MessageListener):  # type: ignore[misc]
    """One consumer of the group."""

    def __init__(
        self,
        index: int,
        arguments: argparse.Namespace,
        configuration: ClientConfiguration,
        line: Callable[[dict[str, object]], None],
    ) -> None:
        self.index = index
        self.retries = arguments.retries
        self.line = line
        filtered = FilterExpression(arguments.tags)
        if arguments.sql:
            filtered = FilterExpression(arguments.sql, FilterType.SQL)
        subscription = {arguments.topic: filtered}
        if arguments.simple:
            self.simple = SimpleConsumer(
                configuration, arguments.group, subscription, await_duration=POLL_S, tls_enable=arguments.tls
            )
            self.simple.startup()
            threading.Thread(target=self.poll, daemon=True).start()
        else:
            push = PushConsumer(configuration, arguments.group, self, subscription, tls_enable=arguments.tls)
            push.startup()

    def consume(self, message: Message) -> ConsumeResult:
        return ConsumeResult.FAILURE if self.print(message) else ConsumeResult.SUCCESS

    def poll(self) -> None:
        try:
            while True:
                self.settle(self.receive())
        except Exception as error:
            print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
            os._exit(1)

    def receive(self) -> list[Message]:
        """The client may ask before the server has its settings, which the real one takes for a fault of its own."""
        for _ in range(50):
            try:
                return self.simple.receive(16, INVISIBLE_S) or []
            except InternalErrorException:
                time.sleep(0.1)
        raise TimeoutError("the server never had the settings")

    def settle(self, messages: list[Message]) -> None:
        for message in messages:
            if self.print(message):
                self.simple.change_invisible_duration(message, 1)
            else:
                self.simple.ack(message)

    def print(self, message: Message) -> bool:
        """Whether the message is to come again."""
        reconsumed = message.delivery_attempt - 1
        self.line(
            {
                "consumer": self.index,
                "message_id": message.message_id,
                "topic": message.topic,
                "body": message.body.decode(),
                "tag": message.tag or "",
                "reconsumed": reconsumed,
                "at_ms": time.time_ns() // 1_000_000,
            }
        )
        return bool(reconsumed < self.retries)


def run(
    arguments: argparse.Namespace, configuration: ClientConfiguration, line: Callable[[dict[str, object]], None]
) -> None:
    receivers = [Receiver(index, arguments, configuration, line) for index in range(arguments.consumers)]
    line({"started": len(receivers)})
    sys.stdin.read()
