"""Numbers as short text of steady width: counts, rates, times, ages, small histories."""

from __future__ import annotations

import time
from collections.abc import Sequence

_HISTORY_CELLS = " .╷│┃"
"""From nothing to the most; box drawing only, which every terminal's font has."""


def count_text(count: int) -> str:
    """Return *count* in at most five characters, to 999 billion: ``9999``, ``12.3k``, ``4.5M``."""
    if abs(count) < 10_000:
        return str(count)
    size = float(count)
    for unit in ("k", "M", "G"):
        size /= 1000
        if abs(size) < 100:
            return f"{size:.1f}{unit}"
        if abs(size) < 1000:
            return f"{size:.0f}{unit}"
    return f"{size / 1000:.1f}T"


def rate_text(rate_per_s: float) -> str:
    """Return a rate per second: ``0``, ``0.4``, ``52``, ``12.3k``."""
    if 0 < rate_per_s < 10:
        return f"{rate_per_s:.1f}"
    return count_text(round(rate_per_s))


def millis_text(duration_ms: float | None) -> str:
    """Return a duration with three digits at most and its unit; ``-`` when it is not known."""
    if duration_ms is None:
        return "-"
    for size, unit in ((duration_ms * 1000, "us"), (duration_ms, "ms")):
        if size < 999.5:
            return f"{size:.0f}{unit}" if size >= 9.95 else f"{size:.1f}{unit}"
    return seconds_text(duration_ms / 1000)


def seconds_text(duration_s: float) -> str:
    """Return a span: ``4s``, ``2m05s``, ``3h12m``, ``2d04h``."""
    whole = max(0, int(duration_s))
    if whole < 60:
        return f"{whole}s"
    minutes, seconds = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes}m{seconds:02}s"
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        return f"{hours}h{minutes:02}m"
    days, hours = divmod(hours, 24)
    return f"{days}d{hours:02}h"


def age_text(at_ms: int | None, now_ms: int) -> str:
    """Return how long ago *at_ms* was; ``-`` when it never was."""
    return "-" if at_ms is None else seconds_text((now_ms - at_ms) / 1000)


def clock_text(at_ms: int) -> str:
    """Return the local time of day to the millisecond; the number itself where no clock goes."""
    seconds, millis = divmod(at_ms, 1000)
    try:
        moment = time.localtime(seconds)
    except (OverflowError, OSError, ValueError):
        return str(at_ms)
    return f"{time.strftime('%H:%M:%S', moment)}.{millis:03}"


def moment_text(at_ms: int, now_ms: int) -> str:
    """Return when *at_ms* was in at most 16 characters: the time of day where that was today, else
    the date and the minute."""
    try:
        moment, now = (time.localtime(each // 1000) for each in (at_ms, now_ms))
    except (OverflowError, OSError, ValueError):
        return str(at_ms)[:16]
    same_day = moment[:3] == now[:3]
    return clock_text(at_ms) if same_day else time.strftime("%Y-%m-%d %H:%M", moment)


def bytes_text(size_bytes: int) -> str:
    """Return a size in bytes: ``812 B``, ``24 KiB``, ``1.5 GiB``."""
    if size_bytes < 1024:
        return f"{size_bytes} B"
    size = float(size_bytes)
    for unit in ("KiB", "MiB", "GiB"):
        size /= 1024
        if size < 1024:
            return f"{size:.1f} {unit}" if size < 10 else f"{size:.0f} {unit}"
    return f"{size / 1024:.1f} TiB"


def bar_text(share: float, cells: int = 12) -> str:
    """Return a share from 0 to 1 as a bar: ``[======      ] 50%``."""
    inside = min(1.0, max(0.0, share))
    done = round(inside * cells)
    return f"[{'=' * done}{' ' * (cells - done)}] {inside:.0%}"


def history_text(history: Sequence[int], cells: int) -> str:
    """Return the newest *cells* values as bars, the greatest of them full height."""
    newest = list(history[-cells:]) if cells > 0 else []
    top = max(newest, default=0)
    steps = len(_HISTORY_CELLS) - 1
    bars = (_HISTORY_CELLS[-(-value * steps // top)] if value > 0 else " " for value in newest)
    return "".join(bars).rjust(cells)


def trend_text(history: Sequence[int]) -> str:
    """Return whether a history ``grows``, ``falls`` or is ``steady``; empty when it is too short.

    The newest third is compared with the oldest: single reports jump with every batch.
    """
    third = len(history) // 3
    if third == 0:
        return ""
    before, after = sum(history[:third]) / third, sum(history[-third:]) / third
    if after > before * 1.1 + 1:
        return "grows"
    if after < before * 0.9 - 1:
        return "falls"
    return "steady"


def of_many(count: int, noun: str) -> str:
    """Return ``1 event``, ``2 events``."""
    return f"{count_text(count)} {noun}" + ("" if count == 1 else "s")
