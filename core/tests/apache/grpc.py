"""Just enough of gRPC to ask a proxy for a route: one unary call over HTTP/2 without TLS."""

from __future__ import annotations

import hashlib
import hmac
import socket
import struct
import time
from collections.abc import Iterator

from remoting import Credentials, read

DATA, HEADERS, RST_STREAM, SETTINGS, GOAWAY = 0, 1, 3, 4, 7
ACK, END_STREAM, END_HEADERS = 1, 1, 4
TOPIC_NOT_FOUND = 40402


def query_route(port: int, topic: str, credentials: Credentials | None = None) -> int:
    """The code the proxy answers with: 20000, or why not. OSError when it does not answer."""
    endpoints = _number(1, 1) + _bytes(2, _bytes(1, b"127.0.0.1") + _number(2, port))
    answer = _call(port, "QueryRoute", _bytes(1, _bytes(2, topic.encode())) + _bytes(2, endpoints), credentials)
    status = dict(_fields(answer)).get(1)
    code = dict(_fields(status)).get(1) if isinstance(status, bytes) else None
    if not isinstance(code, int):
        raise ConnectionError("the proxy's answer has no status")
    return code


def _call(port: int, method: str, message: bytes, credentials: Credentials | None) -> bytes:
    date = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    headers = {
        ":method": "POST",
        ":scheme": "http",
        ":path": f"/apache.rocketmq.v2.MessagingService/{method}",
        ":authority": f"127.0.0.1:{port}",
        "te": "trailers",
        "content-type": "application/grpc",
        "x-mq-client-id": "harness",
        "x-mq-language": "OTHER",
        "x-mq-date-time": date,
    }
    if credentials:
        signature = hmac.new(credentials.secret_key.encode(), date.encode(), hashlib.sha1).hexdigest()
        headers["authorization"] = (
            f"MQv2-HMAC-SHA1 Credential={credentials.access_key}, SignedHeaders=x-mq-date-time, Signature={signature}"
        )
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        connection.sendall(
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
            + _frame(SETTINGS, 0, 0, b"")
            + _frame(HEADERS, END_HEADERS, 1, b"".join(_header(*header) for header in headers.items()))
            + _frame(DATA, END_STREAM, 1, struct.pack(">BI", 0, len(message)) + message)
        )
        answer = b""
        while True:
            length, kind, flags, stream = struct.unpack(">3sBBI", read(connection, 9))
            payload = read(connection, int.from_bytes(length, "big"))
            if kind == SETTINGS and not flags & ACK:
                connection.sendall(_frame(SETTINGS, ACK, 0, b""))
            elif kind in (RST_STREAM, GOAWAY):
                raise ConnectionError("the proxy ended the call")
            elif stream == 1:
                answer += payload if kind == DATA else b""
                if flags & END_STREAM:
                    return answer[5:]


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def _header(name: str, value: str) -> bytes:
    """A field that is in no table, each length below 127 in one byte."""
    text = value.encode()
    length = bytes([len(text)]) if len(text) < 127 else b"\x7f" + _varint(len(text) - 127)
    return b"\x00" + bytes([len(name)]) + name.encode() + length + text


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _bytes(field: int, value: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(value)) + value


def _varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def _fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """The numbers and the bytes of a protobuf message; the proxy's status has no others."""
    at = 0

    def varint() -> int:
        nonlocal at
        value = shift = 0
        while True:
            byte = message[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while at < len(message):
        key = varint()
        value = varint()
        if key & 7 == 2:
            yield key >> 3, message[at : at + value]
            at += value
        else:
            yield key >> 3, value
