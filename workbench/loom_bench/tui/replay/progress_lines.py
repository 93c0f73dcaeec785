"""How far a replay is, what is not isolated in it, and how it ended."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from typing import Final

from loom_bench.safe import safe
from loom_bench.session.snapshots.replay_value import (
    WARNING,
    WARNING_REAL,
    Replay,
    ReplayPartition,
    ReplayPhase,
)
from loom_bench.tui.figures import bar_text, count_text, rate_text, seconds_text
from loom_bench.tui.forks.fit_lines import code_text
from loom_bench.tui.ink import Ink, Line, Run
from loom_bench.tui.timeline.tabs import trouble_lines
from loom_runtime.places import partition_text_of

_BADGES: Final = {
    ReplayPhase.PREPARING: Ink.BADGE,
    ReplayPhase.RUNNING: Ink.BADGE_GOOD,
    ReplayPhase.PAUSED: Ink.BADGE_WARN,
    ReplayPhase.ENDED: Ink.BADGE,
    ReplayPhase.FAILED: Ink.BADGE_BAD,
}

OVER: Final = (ReplayPhase.ENDED, ReplayPhase.FAILED)

_MOST_WARNING: Final = 400
"""Characters of the warning: it comes from the session, which has two of them."""


def progress_lines(replay: Replay | None, width: int, *, real_topics: bool) -> Sequence[Line]:
    """Return how far *replay* is; what is not isolated in one that would be begun.

    Args:
        replay: The replay that runs or ran last.
        width: Cells.
        real_topics: Whether the next one would write to topics.
    """
    return tuple(_lines(replay, width, real_topics=real_topics))


def _lines(replay: Replay | None, width: int, *, real_topics: bool) -> Iterator[Line]:
    over = replay is None or replay.phase in OVER
    if replay is not None:
        yield _first(replay)
        yield _second(replay)
    if replay is not None and replay.problem is not None:
        yield from trouble_lines(replay.problem)
        return
    text = (WARNING_REAL if real_topics else WARNING) if over else replay.warning if replay else ""
    ink = Ink.BAD if over and real_topics else Ink.WARN
    for line in textwrap.wrap(safe(text[:_MOST_WARNING]), max(20, width - 2)):
        yield ((f" {line}", ink),)


def _first(replay: Replay) -> Line:
    runs: list[Run] = [
        (f" {replay.phase.value.upper()} ", _BADGES[replay.phase]),
        (f" {replay.request.fork}", Ink.STRONG),
        (f" with {code_text(replay.request.revision)}", Ink.DIM),
    ]
    if replay.epoch is not None:
        runs.append((f"  epoch {replay.epoch}", Ink.ACCENT))
    if replay.stopped_by:
        runs.append((f"  stopped by {replay.stopped_by}", Ink.DIM))
    return runs


def _second(replay: Replay) -> Line:
    share = share_of(replay.partitions)
    runs: list[Run] = [] if share is None else [(f" {bar_text(share)}", Ink.PLAIN)]
    runs += [
        (f"  {count_text(replay.records)}", Ink.STRONG),
        (" records", Ink.DIM),
        (f"  {count_text(replay.outputs)}", Ink.STRONG),
        (" written" if replay.request.real_topics else " captured", Ink.DIM),
        (f"  {count_text(replay.errors)} failed", Ink.BAD if replay.errors else Ink.DIM),
        (f"  {rate_text(replay.rate_per_s)}/s", Ink.DIM),
        (f"  {seconds_text(replay.elapsed_s)}", Ink.DIM),
    ]
    return runs


def share_of(partitions: Sequence[ReplayPartition]) -> float | None:
    """Return the share of all records that were read; ``None`` where no end is known."""
    ends = [(each.position - each.began, each.end - each.began) for each in partitions if each.end]
    whole = sum(max(0, all_of) for _, all_of in ends)
    return sum(done for done, _ in ends) / whole if whole else None


def partition_line(partitions: Sequence[ReplayPartition]) -> Line:
    """Return how far each source partition is."""
    runs: list[Run] = [(" ", Ink.PLAIN)]
    for each in partitions:
        end = "" if each.end is None else f"/{each.end}"
        runs += [
            (f"{partition_text_of(each.partition)} ", Ink.DIM),
            (f"{each.position}{end}  ", Ink.PLAIN),
        ]
    return runs
