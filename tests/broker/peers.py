"""Small servers that stand for what may listen where the user says there is a broker."""

import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Iterator

Serve = Callable[[socket.socket], None]


@contextlib.contextmanager
def listening(serve: Serve) -> Iterator[int]:
    """A loopback port on which every connection is handed to `serve`, then closed."""
    server = socket.create_server(("127.0.0.1", 0))

    def accept_all() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = server.accept()
                with connection, contextlib.suppress(OSError):
                    serve(connection)

    thread = threading.Thread(target=accept_all, daemon=True)
    thread.start()
    try:
        yield server.getsockname()[1]
    finally:
        server.shutdown(socket.SHUT_RDWR)
        server.close()
        thread.join()


def says(answer: bytes) -> Serve:
    """Reads the first request, says one thing and hangs up."""

    def serve(connection: socket.socket) -> None:
        connection.recv(65_536)
        connection.sendall(answer)

    return serve


def kafka(*advertised: tuple[str, int], login: bool = False) -> Serve:
    """A Kafka broker that sends clients on; with `login` it hangs up at the first real request."""

    def serve(connection: socket.socket) -> None:
        _respond(connection, struct.pack(">hihhh", 0, 1, 3, 0, 4))
        if login:
            connection.recv(65_536)
            return
        brokers = b"".join(
            struct.pack(">i", node) + _text(host) + struct.pack(">i", port) + _text(None)
            for node, (host, port) in enumerate(advertised)
        )
        head = struct.pack(">ii", 0, len(advertised))
        _respond(connection, head + brokers + _text("a-cluster") + struct.pack(">ii", 0, 0))

    return serve


def kafka_then(answer: bytes, good_answers: int) -> Serve:
    """Answers with these bytes: as they are (0), or as the first (1) or second (2) response."""

    def serve(connection: socket.socket) -> None:
        if not good_answers:
            says(answer)(connection)
            return
        if good_answers > 1:
            _respond(connection, struct.pack(">hi", 0, 0))
        _respond(connection, answer)

    return serve


def _respond(connection: socket.socket, body: bytes) -> None:
    request = connection.recv(65_536)
    correlation_id = request[8:12]
    connection.sendall(struct.pack(">i", len(body) + 4) + correlation_id + body)


def _text(text: str | None) -> bytes:
    if text is None:
        return struct.pack(">h", -1)
    return struct.pack(">h", len(text)) + text.encode()
