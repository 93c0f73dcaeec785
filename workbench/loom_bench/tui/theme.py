"""The two looks of the workbench: Textual's colours, and a style for every ink."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Final

from rich.style import Style
from textual.theme import Theme

from loom_bench.tui.ink import Ink

DARK: Final = Theme(
    name="loom-dark",
    primary="#7aa2c8",
    secondary="#5f7a94",
    accent="#6cc4c4",
    warning="#e0b050",
    error="#f07470",
    success="#7cc07c",
    foreground="#d6dbe0",
    background="#12161a",
    surface="#171c21",
    panel="#222a31",
    dark=True,
    variables={
        "dim": "#7d8994",
        "cursor": "#2c4a66",
        "cursor-idle": "#28323b",
        "border": "#3a4650",
        "border-blurred": "#3a4650",
        "scrollbar": "#3f5a74",
        "scrollbar-hover": "#5f7a94",
        "scrollbar-active": "#7aa2c8",
        "scrollbar-background": "#1c2329",
        "scrollbar-background-hover": "#1c2329",
        "scrollbar-background-active": "#1c2329",
        "scrollbar-corner-color": "#1c2329",
    },
)

LIGHT: Final = Theme(
    name="loom-light",
    primary="#1f5f96",
    secondary="#5a7288",
    accent="#00707a",
    warning="#8a5a00",
    error="#b3201c",
    success="#23702a",
    foreground="#1c2329",
    background="#f7f8f9",
    surface="#ffffff",
    panel="#e6eaee",
    dark=False,
    variables={
        "dim": "#66727c",
        "cursor": "#c4dcf2",
        "cursor-idle": "#e0e6eb",
        "border": "#a8b4be",
        "border-blurred": "#a8b4be",
        "scrollbar": "#9db4c8",
        "scrollbar-hover": "#7f9cb6",
        "scrollbar-active": "#1f5f96",
        "scrollbar-background": "#e6eaee",
        "scrollbar-background-hover": "#e6eaee",
        "scrollbar-background-active": "#e6eaee",
        "scrollbar-corner-color": "#e6eaee",
    },
)

THEMES: Final = (DARK, LIGHT)


def ink_styles(theme: Theme) -> Mapping[Ink, Style]:
    """Return what each ink adds to a widget's own style; a foreign theme gets the dark inks."""
    return _styles(theme.name if theme.name == LIGHT.name else DARK.name)


@cache
def _styles(name: str) -> Mapping[Ink, Style]:
    theme = LIGHT if name == LIGHT.name else DARK
    own = theme.variables
    ground = theme.background
    return {
        Ink.PLAIN: Style(),
        Ink.DIM: Style(color=own["dim"]),
        Ink.STRONG: Style(bold=True),
        Ink.GOOD: Style(color=theme.success),
        Ink.WARN: Style(color=theme.warning),
        Ink.BAD: Style(color=theme.error, bold=True),
        Ink.ACCENT: Style(color=theme.accent),
        Ink.HEAD: Style(color=own["dim"], bgcolor=theme.panel),
        Ink.KEY: Style(color=theme.primary, bold=True),
        Ink.CURSOR: Style(bgcolor=own["cursor"], bold=True),
        Ink.CURSOR_IDLE: Style(bgcolor=own["cursor-idle"]),
        Ink.CURSOR_BORDER: Style(color=theme.primary, bold=True),
        Ink.BADGE: Style(color=ground, bgcolor=theme.secondary, bold=True),
        Ink.BADGE_GOOD: Style(color=ground, bgcolor=theme.success, bold=True),
        Ink.BADGE_WARN: Style(color=ground, bgcolor=theme.warning, bold=True),
        Ink.BADGE_BAD: Style(color=ground, bgcolor=theme.error, bold=True),
    }
