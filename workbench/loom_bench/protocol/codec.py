"""Frames on a byte stream: four bytes of length, big-endian, then one MessagePack struct."""

from __future__ import annotations

from typing import Any, Final, Generic, TypeVar

import msgspec

LENGTH_BYTES: Final = 4

MAX_FRAME_BYTES: Final = 16 * 1024 * 1024
"""A plan of a thousand nodes takes about 0.5 MB; whatever claims more than this is no frame."""

FrameT = TypeVar("FrameT")

_encoder = msgspec.msgpack.Encoder()


class ProtocolError(Exception):
    """Bytes on the channel that are no frame of this protocol.

    Args:
        what: What was wrong with them.
    """

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what


def encode_frame(frame: msgspec.Struct) -> bytes:
    """Return *frame* as it travels. Lone surrogates in its texts, for which UTF-8 has no form,
    are written out as their codes.

    Raises:
        ProtocolError: When it is larger than ``MAX_FRAME_BYTES``.
    """
    try:
        body = _encoder.encode(frame)
    except UnicodeEncodeError:
        body = _encoder.encode(_encodable(msgspec.to_builtins(frame)))
    if len(body) > MAX_FRAME_BYTES:
        raise ProtocolError(
            f"a {type(frame).__name__} frame of {len(body)} bytes; the most is {MAX_FRAME_BYTES}"
        )
    return len(body).to_bytes(LENGTH_BYTES, "big") + body


def _encodable(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, dict):
        return {_encodable(key): _encodable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_encodable(item) for item in value]
    return value


class FrameDecoder(Generic[FrameT]):
    """Turns received bytes into frames, however they were cut on the way.

    After the first :class:`ProtocolError` the stream has no next frame to be found: every later
    call raises it again.

    Args:
        frames: Union of the tagged structs that may come.
    """

    def __init__(self, frames: Any) -> None:
        self._decoder: msgspec.msgpack.Decoder[FrameT] = msgspec.msgpack.Decoder(frames)
        self._received = bytearray()
        self._broken: ProtocolError | None = None

    def feed(self, received: bytes) -> list[FrameT]:
        """Take in *received* and return the frames that it completes.

        Raises:
            ProtocolError: When the bytes are no frames. Frames before them in *received* are lost.
        """
        if self._broken is not None:
            raise self._broken
        self._received += received
        frames, at = [], 0
        try:
            while (end := self._end_of_frame(at)) is not None:
                frames.append(self._decoded(at + LENGTH_BYTES, end))
                at = end
        except ProtocolError as error:
            self._broken = error
            raise
        del self._received[:at]
        return frames

    def finish(self) -> None:
        """Take in that nothing more will come.

        Raises:
            ProtocolError: When it ended within a frame.
        """
        if self._broken is not None:
            raise self._broken
        if self._received:
            raise ProtocolError(
                f"the stream ended within a frame, after {len(self._received)} of its bytes"
            )

    def _end_of_frame(self, at: int) -> int | None:
        body = at + LENGTH_BYTES
        if len(self._received) < body:
            return None
        length = int.from_bytes(self._received[at:body], "big")
        if length > MAX_FRAME_BYTES:
            raise ProtocolError(f"a frame claims {length} bytes; the most is {MAX_FRAME_BYTES}")
        end = body + length
        return end if len(self._received) >= end else None

    def _decoded(self, start: int, end: int) -> FrameT:
        try:
            return self._decoder.decode(memoryview(self._received)[start:end])
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise ProtocolError(f"bytes that are no frame: {error}") from error
