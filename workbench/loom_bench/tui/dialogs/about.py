"""What a dialog is about, in lines at its head."""

from __future__ import annotations

from collections.abc import Sequence

from loom_bench.tui.ink import Line
from loom_bench.tui.widgets.lines import Lines


def about_lines(told: Sequence[Line]) -> Lines:
    """Return a widget as high as *told* that shows it."""
    about = Lines(classes="about")
    about.styles.height = len(told)
    about.show(told)
    return about
