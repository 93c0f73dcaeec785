"""Pickles of another program, decoded in a host because the user asks for it: that runs code."""

from __future__ import annotations

import msgspec


class DecodePickles(msgspec.Struct, frozen=True, kw_only=True, tag="decode_pickles"):
    """Unpickle values; answered by PicklesDecoded.

    Attributes:
        target: Path of the module beside which their classes are imported.
        pickles: The values.
    """

    target: str
    pickles: tuple[bytes, ...]


class DecodedPickle(msgspec.Struct, frozen=True, kw_only=True):
    """What a pickle came to.

    Attributes:
        text: The value, JSON where it can be, else as Python writes it; of one that failed why.
        decoded: Whether it did not fail.
    """

    text: str
    decoded: bool = True


class PicklesDecoded(msgspec.Struct, frozen=True, kw_only=True, tag="pickles_decoded"):
    """The answer, in the order of the question.

    Attributes:
        values: What they came to.
    """

    values: tuple[DecodedPickle, ...]
