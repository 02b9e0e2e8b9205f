"""Just enough of the remoting protocol to ask a server whether it is ready."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import socket
import struct
from typing import NamedTuple

GET_BROKER_CLUSTER_INFO = 106
UPDATE_BROKER_CONFIG = 25
GET_BROKER_RUNTIME_INFO = 28


class Credentials(NamedTuple):
    access_key: str
    secret_key: str


def call(port: int, code: int, body: bytes = b"", credentials: Credentials | None = None) -> bytes:
    """Sends one request to a server on loopback and returns the answer's frame, header and body in one."""
    header = {"code": code, "language": "OTHER", "version": 0, "opaque": 1, "flag": 0, "extFields": {}}
    if credentials:
        signed = credentials.access_key.encode() + body
        digest = hmac.new(credentials.secret_key.encode(), signed, hashlib.sha1).digest()
        header["extFields"] = {
            "AccessKey": credentials.access_key,
            "Signature": base64.b64encode(digest).decode(),
        }
    head = json.dumps(header).encode()
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        connection.sendall(struct.pack(">ii", 4 + len(head) + len(body), len(head)) + head + body)
        (length,) = struct.unpack(">i", _read(connection, 4))
        return _read(connection, length)


def _read(connection: socket.socket, length: int) -> bytes:
    data = b""
    while len(data) < length:
        chunk = connection.recv(length - len(data))
        if not chunk:
            raise ConnectionError("the server closed the connection")
        data += chunk
    return data
