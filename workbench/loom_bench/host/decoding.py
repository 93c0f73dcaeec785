"""Unpickles what another program has stored; only here, and only when the user asks for it."""

from __future__ import annotations

import pickle
import sys
from pathlib import Path
from typing import Final

import msgspec

from loom_bench.protocol.decoding import DecodedPickle, DecodePickles, PicklesDecoded

_MAX_TEXT: Final = 20_000


def decode_pickles(command: DecodePickles) -> PicklesDecoded:
    """Return what the pickles come to; their classes are imported as the flow's module would."""
    sys.path.insert(0, str(Path(command.target).absolute().parent))
    return PicklesDecoded(values=tuple(map(_decoded, command.pickles)))


def _decoded(blob: bytes) -> DecodedPickle:
    try:
        return DecodedPickle(text=_text(pickle.loads(blob))[:_MAX_TEXT])  # noqa: S301 - asked for
    except Exception as error:  # noqa: BLE001 - it may run anything
        return DecodedPickle(text=f"{type(error).__name__}: {error}"[:_MAX_TEXT], decoded=False)


def _text(value: object) -> str:
    try:
        return msgspec.json.encode(value).decode()
    except (TypeError, ValueError, msgspec.MsgspecError):
        return repr(value)
