"""A table of choices in a dialog: left and right turn the choice under the cursor."""

from __future__ import annotations

from typing import ClassVar, TypeVar

from textual.binding import BindingType

from loom_bench.tui.widgets.line_table import LineTable

T = TypeVar("T")


class TurnedTable(LineTable[T]):
    """The table; its screen has an ``action_turn(step)``."""

    BINDINGS: ClassVar[list[BindingType]] = [
        ("left,h,minus", "screen.turn(-1)", "Before"),
        ("right,l,space,plus", "screen.turn(1)", "Next"),
    ]
