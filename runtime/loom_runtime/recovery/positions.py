"""The position of a source partition as the recovery store keeps it."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import msgspec

from loom_runtime.model import LoomFrozenStruct
from loom_runtime.recovery.contents import read_values
from loom_runtime.recovery.errors import NotPlainError
from loom_runtime.recovery.identity import SOURCE_STEP

POSITION_VERSION: Final = 1
"""Version of the blob's layout."""


class SourcePosition(LoomFrozenStruct, frozen=True, kw_only=True):
    """Where a partition stood when an epoch was closed.

    Attributes:
        loom_position: Version of the layout.
        offset: Next offset to read.
        at_ms: Wall clock at the end of the epoch, milliseconds since 1970.
        revision: Revision of the flow's code, when one was known.
        epoch: Ordinal of the epoch in its run, from 1. Bytewax numbers epochs on across runs; its
            number is the ``snap_epoch`` of the row.
    """

    loom_position: int = POSITION_VERSION
    offset: int
    at_ms: int
    revision: str | None = None
    epoch: int


_ENCODE = msgspec.msgpack.Encoder().encode
_DECODE = msgspec.msgpack.Decoder(SourcePosition).decode


def encode_position(offset: int, *, at_ms: int, revision: str | None, epoch: int) -> bytes:
    """Return a position as a self-describing MessagePack map."""
    return _ENCODE(SourcePosition(offset=offset, at_ms=at_ms, revision=revision, epoch=epoch))


def decode_position(blob: bytes) -> SourcePosition:
    """Return the position in *blob*.

    Raises:
        NotPlainError: When it is no position, or of a version that is not known here.
    """
    try:
        position = _DECODE(blob)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise NotPlainError(f"no source position: {error}") from error
    if position.loom_position != POSITION_VERSION:
        raise NotPlainError(
            f"a source position of layout version {position.loom_position}; this runtime reads "
            f"version {POSITION_VERSION}"
        )
    return position


def read_positions(db_dir: Path) -> dict[str, SourcePosition]:
    """Return the position that a run would resume each source partition from, by partition key.

    Raises:
        StoreError: When the store cannot be read.
        NotPlainError: When it holds positions of another kind.
    """
    return {key: decode_position(value) for key, value in read_values(db_dir, SOURCE_STEP).items()}
