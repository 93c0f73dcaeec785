"""A socket that carries frames, used by one reading and any number of writing threads."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from typing import Any, Generic, TypeVar

import msgspec

from loom_bench.protocol.codec import FrameDecoder, ProtocolError, encode_frame
from loom_bench.protocol.frames import PROTOCOL_VERSION, Hello

_READ_BYTES = 256 * 1024

FrameT = TypeVar("FrameT")


class Channel(Generic[FrameT]):
    """One end of the connection between the bench and a host.

    Args:
        connection: A connected stream socket; the channel owns it from now on.
        frames: Union of the frames that the other end sends.
    """

    def __init__(self, connection: socket.socket, frames: Any) -> None:
        self._connection = connection
        self._decoder: FrameDecoder[FrameT | Hello] = FrameDecoder(frames | Hello)
        self._sending = threading.Lock()

    def send(self, frame: msgspec.Struct) -> None:
        """Send *frame*; blocks while the other end does not read.

        Raises:
            ProtocolError: When the frame is too large.
            OSError: When the other end is gone.
        """
        encoded = encode_frame(frame)
        with self._sending:
            self._connection.sendall(encoded)

    def receive(self) -> Iterator[FrameT]:
        """Yield every frame that comes, until the other end closes.

        The first one must be a :class:`Hello` of the same protocol version; it is not yielded.

        Raises:
            ProtocolError: When what comes is no frame, or of another version.
        """
        greeted = False
        while received := self._read():
            for frame in self._decoder.feed(received):
                if isinstance(frame, Hello) is greeted:
                    raise ProtocolError(f"a {type(frame).__name__} frame out of turn")
                if isinstance(frame, Hello):
                    greeted = True
                    if frame.version != PROTOCOL_VERSION:
                        raise ProtocolError(
                            f"the other side speaks version {frame.version} of the protocol, "
                            f"this one version {PROTOCOL_VERSION}"
                        )
                else:
                    yield frame
        self._decoder.finish()

    def close(self) -> None:
        """Close the connection; may be called twice, and while another thread reads."""
        with contextlib.suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)
        self._connection.close()

    def _read(self) -> bytes:
        try:
            return self._connection.recv(_READ_BYTES)
        except OSError:  # reset by the other end's death, or closed here
            return b""
