"""The two looks of the workbench."""

from __future__ import annotations

from typing import Final

from textual.theme import Theme

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
        "ink-dim": "#7d8994",
        "ink-cursor": "#2c4a66",
        "ink-cursor-idle": "#28323b",
        "border": "#3a4650",
        "border-blurred": "#3a4650",
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
        "ink-dim": "#66727c",
        "ink-cursor": "#c4dcf2",
        "ink-cursor-idle": "#e0e6eb",
        "border": "#a8b4be",
        "border-blurred": "#a8b4be",
    },
)

THEMES: Final = (DARK, LIGHT)
