"""Just enough of the remoting protocol to ask a server whether it is ready, and to make topics and groups."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import socket
import struct
from typing import NamedTuple

UPDATE_AND_CREATE_TOPIC = 17
UPDATE_BROKER_CONFIG = 25
GET_BROKER_RUNTIME_INFO = 28
GET_ROUTEINFO_BY_TOPIC = 105
GET_BROKER_CLUSTER_INFO = 106
UPDATE_AND_CREATE_SUBSCRIPTIONGROUP = 200


class Credentials(NamedTuple):
    access_key: str
    secret_key: str


class Answer(NamedTuple):
    code: int
    remark: str
    body: bytes


def call(
    port: int,
    code: int,
    body: bytes = b"",
    credentials: Credentials | None = None,
    fields: dict[str, str] | None = None,
) -> Answer:
    """Sends one request to a server on loopback."""
    fields = dict(fields or {})
    if credentials:
        fields["AccessKey"] = credentials.access_key
        signed = "".join(fields[name] for name in sorted(fields)).encode() + body
        digest = hmac.new(credentials.secret_key.encode(), signed, hashlib.sha1).digest()
        fields["Signature"] = base64.b64encode(digest).decode()
    header = {"code": code, "language": "OTHER", "version": 0, "opaque": 1, "flag": 0, "extFields": fields}
    head = json.dumps(header).encode()
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        connection.sendall(struct.pack(">ii", 4 + len(head) + len(body), len(head)) + head + body)
        (length,) = struct.unpack(">i", read(connection, 4))
        frame = read(connection, length)
    end = 4 + int.from_bytes(frame[1:4], "big")
    answered = json.loads(frame[4:end])
    return Answer(answered["code"], answered.get("remark") or "", frame[end:])


def read(connection: socket.socket, length: int) -> bytes:
    data = b""
    while len(data) < length:
        chunk = connection.recv(length - len(data))
        if not chunk:
            raise ConnectionError("the server closed the connection")
        data += chunk
    return data
