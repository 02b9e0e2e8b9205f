"""`mq_http_sdk.mq_client` as programs know it."""

from __future__ import annotations

import logging
import os
from datetime import timedelta

import tminus
from tminus import ConsumeMode, _environment, _logging

from .mq_consumer import Message, MQConsumer
from .mq_exception import (
    MQClientException,
    MQClientNetworkException,
    MQClientParameterException,
    MQExceptionBase,
    MQServerException,
    raising,
    translated,
)
from .mq_producer import MQProducer, MQTransProducer, TopicMessage
from .mq_tool import MQLogger

__all__ = [
    "MQClient",
    "MQClientException",
    "MQClientNetworkException",
    "MQClientParameterException",
    "MQConsumer",
    "MQExceptionBase",
    "MQLogger",
    "MQProducer",
    "MQServerException",
    "MQTransProducer",
    "Message",
    "TopicMessage",
]


class MQClient:
    """The service at `host` (`http://...` or `https://...`), from which producers and consumers come. Connections are
    made by the first calls, kept, and shared by all threads."""

    version = "2015-06-06"

    def __init__(
        self,
        host: str,
        access_id: str,
        access_key: str,
        security_token: str = "",
        debug: bool = False,
        logger: logging.Logger | None = None,
    ) -> None:
        scheme, _, address = host.partition("://")
        if scheme not in ("http", "https"):
            raise MQClientParameterException("InvalidHost", f"{host!r} does not begin with http:// or https://")
        self.host = address.rstrip("/")
        self.is_https = scheme == "https"
        self.access_id = access_id
        self.access_key = access_key
        self.security_token = security_token
        self.debug = debug
        self.logger = logger
        self._timeout = timedelta(seconds=60)
        self._clients: dict[tuple[int, str], tminus.HttpClient] = {}
        if logger:
            logger.info("InitClient Host:%s Version:%s", host, self.version)

    def get_consumer(
        self, instance_id: str | None, topic_name: str, consumer: str, message_tag: str | None = ""
    ) -> MQConsumer:
        """A consumer of the group `consumer`; of messages with that tag (several: `"a||b"`) only, if it is given."""
        return MQConsumer(instance_id, topic_name, consumer, message_tag, self, self.debug)

    def get_producer(self, instance_id: str | None, topic_name: str) -> MQProducer:
        return MQProducer(instance_id, topic_name, self, self.debug)

    def get_trans_producer(self, instance_id: str | None, topic_name: str, group_id: str) -> MQTransProducer:
        return MQTransProducer(instance_id, topic_name, group_id, self, self.debug)

    def set_credentials(self, access_id: str, access_key: str, security_token: str = "") -> None:
        """Signs the requests from now on with other keys, as temporary ones need it. (Not in mq_http_sdk.)"""
        self.access_id, self.access_key, self.security_token = access_id, access_key, security_token
        for (process, _), client in list(self._clients.items()):
            if process == os.getpid():
                client.set_credentials(self._credentials())

    def set_log_level(self, log_level: int) -> None:
        if self.logger:
            MQLogger.validate_loglevel(log_level)
            self.logger.setLevel(log_level)

    def close_log(self) -> None:
        self.logger = None

    def set_connection_timeout(self, connection_timeout: float) -> None:
        """Seconds for an answer, beside the wait of a consume; 60 by default. For the calls that begin from now on."""
        self._timeout = timedelta(seconds=connection_timeout)
        self._clients = {}

    def set_keep_alive(self, keep_alive: bool) -> None:
        """Says nothing new: connections are kept and reused while they are good."""

    def close_connection(self) -> None:
        """Closes the connections and ends calls under way; later calls make new ones."""
        clients, self._clients = self._clients, {}
        for client in clients.values():
            client.close()

    def _credentials(self) -> tminus.Credentials:
        return tminus.Credentials(self.access_id, self.access_key, self.security_token or None)

    def _client(self, instance_id: str) -> tminus.HttpClient:
        """That of the instance, in this process: a forked child makes its own."""
        key = (os.getpid(), instance_id)
        client = self._clients.get(key)
        if client is None:
            _logging.start()
            client = tminus.HttpClient(
                f"{'https' if self.is_https else 'http'}://{self.host}",
                credentials=self._credentials(),
                tls=_environment.tls() if self.is_https else None,
                namespace=instance_id or None,
                request_timeout=self._timeout,
            )
            client = self._clients.setdefault(key, client)
        return client

    def _publish(self, instance_id: str, message: tminus.Message) -> tminus.SendReceipt:
        with raising():
            receipt = self._client(instance_id).publish(message)
        if self.logger:
            said = (receipt.request_id, message.topic, receipt.message_id)
            self.logger.info("PublishMessage RequestId:%s TopicName:%s MessageId:%s", *said)
        return receipt

    def _consume(
        self, instance_id: str, topic: str, group: str, tag: str, mode: ConsumeMode, max: int, wait_seconds: int
    ) -> tminus.Consumed:
        with raising():
            if max < 1:
                raise MQClientParameterException("BatchSizeInvalid", f"batch_size is {max}; it is 1 to 16")
            if wait_seconds < -1:
                raise MQClientParameterException("WaitSecondsInvalid", f"wait_seconds is {wait_seconds}; it is 0 to 30")
            wait = timedelta(seconds=wait_seconds if wait_seconds > 0 else 0)
            consumed = self._client(instance_id).consume(topic, group, max, tag=tag, mode=mode, wait=wait)
        if self.logger:
            ids = " ".join(received.message.message_id for received in consumed.messages)
            self.logger.info("ConsumeMessage RequestId:%s TopicName:%s MessageIds:%s", consumed.request_id, topic, ids)
        return consumed

    def _ack(self, instance_id: str, topic: str, group: str, handles: list[str]) -> None:
        with raising():
            results = self._client(instance_id).ack(topic, group, handles)
        refused = [(handle, error) for handle, error in zip(handles, results) if error is not None]
        if self.logger:
            said = (topic, len(handles) - len(refused), len(refused))
            self.logger.info("AckMessage TopicName:%s Acknowledged:%s Refused:%s", *said)
        if refused:
            sub_errors = [
                {
                    "ErrorCode": error.server_code or "",
                    "ErrorMessage": error.server_message or "",
                    "ReceiptHandle": handle,
                }
                for handle, error in refused
            ]
            error = refused[0][1]
            raise translated(error, sub_errors) from error

    def _end_transaction(
        self, instance_id: str, topic: str, group: str, handle: str, resolution: tminus.TransactionResolution
    ) -> None:
        with raising():
            self._client(instance_id).end_transaction(topic, group, handle, resolution)
        if self.logger:
            self.logger.info("EndTransaction TopicName:%s Resolution:%s", topic, resolution.value)
