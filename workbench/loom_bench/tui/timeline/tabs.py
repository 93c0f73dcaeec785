"""What stands above every screen over a recovery store: the screens, what is done, what failed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from loom_bench.protocol.diagnosis import Diagnosis
from loom_bench.session.snapshots.value import SnapshotsValue
from loom_bench.tui.actions import BY_ID, key_text
from loom_bench.tui.ink import Ink, Line, Run, plain

TABS: Final = ("timeline", "key", "forks", "replay", "compare", "bisect")
"""Ids of the screens, from left to right."""


def tab_line(
    active: str, keymap: Mapping[str, str], snapshots: SnapshotsValue
) -> tuple[Line, Sequence[str]]:
    """Return the screens with their keys and what is being done, and what each run stands for."""
    runs: list[Run] = []
    meant: list[str] = []
    for screen_id in TABS:
        action = BY_ID[f"view.{screen_id}"]
        key = key_text(keymap.get(action.id, action.keys)).rpartition(" ")[2]
        on = screen_id == active
        runs += [
            (f" {key}", Ink.CURSOR if on else Ink.KEY),
            (f" {screen_id} ", Ink.CURSOR if on else Ink.DIM),
        ]
        meant += [screen_id, screen_id]
    if snapshots.busy:
        runs.append((f"  {snapshots.busy}", Ink.WARN))
        meant.append(active)
    return runs, meant


def trouble_lines(problem: Diagnosis | None) -> Sequence[Line]:
    """Return what went wrong and what to do; nothing when nothing did."""
    if problem is None:
        return ()
    place = f"{problem.file}:{problem.line}: " if problem.file is not None else ""
    lines: list[Line] = [((f" x {place}{problem.message}", Ink.BAD),)]
    if problem.hint:
        lines.append(((f"   {problem.hint}", Ink.DIM),))
    return tuple(lines)


def no_store_lines(snapshots: SnapshotsValue) -> Iterator[Line]:
    """Yield why no store is open, and how a flow comes to have one."""
    problem = snapshots.problem
    if problem is None:
        yield plain(" The store is being opened.")
        return
    if problem.code != "no_store":
        yield from trouble_lines(problem)
    else:
        yield plain(" This flow keeps no recovery store, so it has no history yet.")
        yield ()
        yield ((" It keeps one by itself as soon as it has keyed state or windows.", Ink.DIM),)
        yield ((" For any other flow, name a folder in its configuration:", Ink.DIM),)
        yield (("   streaming: {runtime: {recovery: {db_dir: state/NAME}}}", Ink.STRONG),)
        yield ((" or keep one without a screen:", Ink.DIM),)
        yield (("   loom-bench run FLOW --store DIR", Ink.STRONG),)
    yield ()
    yield ((" O", Ink.KEY), (" opens the folder of any store, read only", Ink.DIM))
