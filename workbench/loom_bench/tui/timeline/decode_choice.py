"""What is asked before another program's pickles are decoded."""

from __future__ import annotations

from typing import Final

from loom_bench.tui.dialogs.choosing import Choice
from loom_bench.tui.ink import Ink, Line, plain

DECODING: Final[tuple[Line, ...]] = (
    plain("To decode a pickle runs code of the program that wrote it."),
    (("It runs in a process of its own, beside the flow's module. Without it the", Ink.DIM),),
    (("structure is shown, as the pickle tells it by itself.", Ink.DIM),),
)

DECODE: Final = (
    Choice("", "leave it", "the structure is enough"),
    Choice("decode", "decode", "runs code of whoever wrote the store"),
)
"""An empty answer is a no."""
