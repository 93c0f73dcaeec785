"""The two Kafka requests that tell whether an address speaks Kafka, without a client library.

A client library retries for ever and reports causes by log line; a probe has to say within a short
time which of them it was. Layouts: ApiVersions v0 and Metadata v4 of the Kafka protocol guide.
"""

import socket
import struct
import time
from dataclasses import dataclass

_API_METADATA = 3
_API_VERSIONS = 18
_METADATA_VERSION = 4
_CORRELATION_ID = 0x6C6F6F6D
# Far above the metadata of any cluster the bench meets, far below what a wrong peer may claim.
_MAX_RESPONSE_BYTES = 16 * 1024 * 1024


class NotKafkaError(Exception):
    """The peer accepted the connection and answered something that is no Kafka response.

    `head` is the beginning of what it said, for telling what it may be.
    """

    def __init__(self, head: bytes = b"") -> None:
        super().__init__(head)
        self.head = head


class ClosedByPeerError(Exception):
    """The peer closed the connection instead of answering."""


@dataclass(frozen=True, slots=True)
class ClusterFacts:
    """What a broker tells about its cluster.

    `brokers` are the addresses it sends clients on to. Both fields are empty (None, ()) when
    it answers ApiVersions and then closes the connection, as one does that asks for a login, and
    when it speaks TLS (`tls`), under which nothing was asked.
    """

    cluster_id: str | None
    brokers: tuple[tuple[str, int], ...]
    tls: bool = False


def probe(host: str, port: int, *, timeout_s: float) -> ClusterFacts:
    """Ask the broker at `host:port` for its cluster, topics left out.

    Raises:
        NotKafkaError: what answers is no Kafka broker.
        ClosedByPeerError: it closed the connection at the first request.
        TimeoutError: no answer within `timeout_s`.
        OSError: no connection (`ConnectionRefusedError`, `socket.gaierror`, …).
    """
    deadline = time.monotonic() + timeout_s
    with socket.create_connection((host, port), timeout=timeout_s) as connection:
        _check_versions(_ask(connection, deadline, _API_VERSIONS, 0, b""))
        # No topics (a count of zero, null would mean all), no creation of topics.
        try:
            answer = _ask(connection, deadline, _API_METADATA, _METADATA_VERSION, b"\0\0\0\0\0")
        except ClosedByPeerError:
            return ClusterFacts(None, ())
        return _read_metadata(answer)


def speaks_tls(host: str, port: int, *, timeout_s: float) -> bool:
    """Whether what listens there begins TLS with whoever comes. Nothing is sent under it."""
    import ssl  # noqa: PLC0415 - takes 10 ms, and the embedded broker's start waits for this module

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        with (
            socket.create_connection((host, port), timeout=timeout_s) as connection,
            context.wrap_socket(connection, server_hostname=host),
        ):
            return True
    except ssl.SSLError as error:
        # An alert about us, such as the lack of a certificate, is TLS all the same.
        return "ALERT" in (error.reason or "")
    except (OSError, ValueError):
        return False


def _ask(
    connection: socket.socket, deadline: float, api: int, version: int, body: bytes
) -> "_Reader":
    client_id = b"loom-bench"
    head = struct.pack(">hhih", api, version, _CORRELATION_ID, len(client_id)) + client_id
    request = head + body
    try:
        connection.settimeout(_left(deadline))
        connection.sendall(struct.pack(">i", len(request)) + request)
        response_head = _receive(connection, deadline, 8)
        size, correlation_id = struct.unpack(">ii", response_head)
        if correlation_id != _CORRELATION_ID or not 4 <= size <= _MAX_RESPONSE_BYTES:
            raise NotKafkaError(response_head)
        return _Reader(_receive(connection, deadline, size - 4))
    except (ConnectionResetError, BrokenPipeError) as error:
        raise ClosedByPeerError from error


def _receive(connection: socket.socket, deadline: float, size: int) -> bytes:
    received = bytearray()
    while len(received) < size:
        connection.settimeout(_left(deadline))
        chunk = connection.recv(min(size - len(received), 65_536))
        if not chunk:
            if received:
                raise NotKafkaError(bytes(received))
            raise ClosedByPeerError
        received += chunk
    return bytes(received)


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


class _Reader:
    """Reads big-endian fields off a response body."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self._at = 0

    def int16(self) -> int:
        return int(self._unpack(">h", 2))

    def int32(self) -> int:
        return int(self._unpack(">i", 4))

    def count(self) -> int:
        count = self.int32()
        if not 0 <= count <= len(self._body):
            raise NotKafkaError
        return count

    def string(self) -> str | None:
        length = self.int16()
        if length < 0:
            return None
        text = self._body[self._at : self._at + length]
        if len(text) != length:
            raise NotKafkaError
        self._at += length
        return text.decode("utf-8", "replace")

    def _unpack(self, layout: str, size: int) -> int:
        field = self._body[self._at : self._at + size]
        if len(field) != size:
            raise NotKafkaError
        self._at += size
        value: int = struct.unpack(layout, field)[0]
        return value


def _check_versions(answer: _Reader) -> None:
    answer.int16()  # error code: an old broker may dislike the request and still be one
    for _ in range(answer.count()):
        answer.int16(), answer.int16(), answer.int16()


def _read_metadata(answer: _Reader) -> ClusterFacts:
    answer.int32()  # throttle time
    brokers = []
    for _ in range(answer.count()):
        answer.int32()  # node id
        host, port, _rack = answer.string(), answer.int32(), answer.string()
        if not host or not 0 < port < 65_536:
            raise NotKafkaError
        brokers.append((host, port))
    return ClusterFacts(answer.string(), tuple(brokers))
