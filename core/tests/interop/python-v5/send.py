"""Publishes messages "message 0", "message 1", ... and prints what the server answered to each."""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Callable

from rocketmq import ClientConfiguration, Message, Producer, SendReceipt, TransactionChecker, TransactionResolution


def flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-mode", choices=["sync", "async"], default="sync")
    parser.add_argument("-n", type=int, default=1, help="how many")
    parser.add_argument("-tag", help="tag of every message")
    parser.add_argument("-size", type=int, default=0, help="pad bodies to this many bytes")
    parser.add_argument("-delay", default="0s", help="deliver so much later; the client knows whole seconds only")
    parser.add_argument("-message-group", help="message group of every message")
    parser.add_argument(
        "-transaction",
        choices=["commit", "rollback", "check-commit", "check-rollback"],
        help="how it ends, or what to answer when asked, until the input ends",
    )
    parser.add_argument("-recall", action="store_true", help="recall every message after it was sent")


class Checker(TransactionChecker):  # type: ignore[misc]
    """Is asked by the server what became of a transaction that nobody ended."""

    def __init__(self, resolution: int) -> None:
        self.resolution = resolution

    def check(self, message: Message) -> int:
        return self.resolution


class Sender:
    def __init__(
        self,
        arguments: argparse.Namespace,
        configuration: ClientConfiguration,
        line: Callable[[dict[str, object]], None],
    ) -> None:
        self.arguments = arguments
        self.line = line
        rolled_back = arguments.transaction == "check-rollback"
        checker = Checker(TransactionResolution.ROLLBACK if rolled_back else TransactionResolution.COMMIT)
        self.producer = Producer(configuration, (arguments.topic,), checker=checker, tls_enable=arguments.tls)
        self.producer.startup()
        delay = float(arguments.delay.removesuffix("s"))
        self.due = math.ceil(time.time() + delay) if delay else time.time()

    def send_all(self) -> None:
        messages = [self.message(index) for index in range(self.arguments.n)]
        if self.arguments.mode == "async":
            for future in [self.producer.send_async(message) for message in messages]:
                self.answered(future.result())
        else:
            for message in messages:
                self.send(message)
        if (self.arguments.transaction or "").startswith("check"):
            sys.stdin.read()

    def send(self, message: Message) -> None:
        if self.arguments.transaction:
            transaction = self.producer.begin_transaction()
            receipt = self.producer.send(message, transaction)
            if self.arguments.transaction == "commit":
                transaction.commit()
            elif self.arguments.transaction == "rollback":
                transaction.rollback()
        else:
            receipt = self.producer.send(message)
        recalled = ""
        if self.arguments.recall:
            recalled = self.producer.recall_message(self.arguments.topic, receipt.recall_handle)
        self.answered(receipt, recalled)

    def message(self, index: int) -> Message:
        body = f"message {index}"
        message = Message()
        message.topic = self.arguments.topic
        message.body = (
            f"{body} ".ljust(self.arguments.size, "0") if self.arguments.size > len(body) else body
        ).encode()
        if self.arguments.tag:
            message.tag = self.arguments.tag
        if self.arguments.delay != "0s":
            message.delivery_timestamp = self.due
        if self.arguments.message_group:
            message.message_group = self.arguments.message_group
        return message

    def answered(self, receipt: SendReceipt, recalled: str = "") -> None:
        """Due is the delivery time asked for or, without one, a time before it was sent."""
        self.line(
            {
                "message_id": receipt.message_id,
                "status": 0,
                "due_ms": int(self.due * 1000),
                "answered_ms": time.time_ns() // 1_000_000,
                "recalled": recalled,
            }
        )


def run(
    arguments: argparse.Namespace, configuration: ClientConfiguration, line: Callable[[dict[str, object]], None]
) -> None:
    Sender(arguments, configuration, line).send_all()
