"""How far a comparison is, and what came of it in figures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from loom_bench.session.snapshots.comparison_value import Comparison, ComparisonPhase, SideSummary
from loom_bench.tui.figures import bar_text, count_text, of_many, seconds_text
from loom_bench.tui.forks.fit_lines import code_text
from loom_bench.tui.ink import Ink, Line, Run
from loom_bench.tui.timeline.tabs import trouble_lines

OVER: Final = (ComparisonPhase.ENDED, ComparisonPhase.FAILED)

_PHASES: Final = {
    ComparisonPhase.FORKING: "forks the epoch",
    ComparisonPhase.RUNNING_LEFT: "1 of 3: runs the left one",
    ComparisonPhase.RUNNING_LEFT_AGAIN: "2 of 3: runs it again, to see what differs by itself",
    ComparisonPhase.RUNNING_RIGHT: "3 of 3: runs the right one",
    ComparisonPhase.COMPARING: "compares",
}


def outcome_lines(comparison: Comparison | None) -> Sequence[Line]:
    """Return the comparison in at most five lines."""
    return () if comparison is None else tuple(_lines(comparison))


def _lines(comparison: Comparison) -> Iterator[Line]:
    if comparison.phase is ComparisonPhase.FAILED:
        yield ((" FAILED ", Ink.BADGE_BAD),)
        yield from trouble_lines(comparison.problem)
        return
    yield _first(comparison)
    for name, side, revision in (
        ("left ", comparison.left, comparison.request.against),
        ("right", comparison.right, comparison.request.revision),
    ):
        yield _side(name, side, revision)
    if comparison.phase is ComparisonPhase.ENDED:
        yield _differing(comparison)
        yield _set_apart(comparison)


def _first(comparison: Comparison) -> Line:
    request = comparison.request
    begins = f"  from epoch {request.epoch}{f' of {request.fork}' if request.fork else ''}"
    if comparison.phase is not ComparisonPhase.ENDED:
        return (
            (" COMPARING ", Ink.BADGE_WARN),
            (begins, Ink.DIM),
            (f"  {_PHASES[comparison.phase]} ", Ink.PLAIN),
            (bar_text(comparison.progress), Ink.PLAIN),
            ("  x", Ink.KEY),
            (" calls it off", Ink.DIM),
        )
    equal = (" EQUAL ", Ink.BADGE_GOOD) if comparison.equal else (" THEY DIFFER ", Ink.BADGE_BAD)
    rules = len(request.ignore)
    told = "" if not rules else f"  fields are left out by {of_many(rules, 'rule')}"
    return (equal, (begins, Ink.DIM), (told, Ink.WARN))


def _side(name: str, side: SideSummary | None, revision: str) -> Line:
    runs: list[Run] = [(f" {name}  ", Ink.DIM), (code_text(revision), Ink.STRONG)]
    if side is not None:
        runs += [
            (f"  {count_text(side.records)} records", Ink.PLAIN),
            (f"  {count_text(side.outputs)} outputs", Ink.PLAIN),
            (f"  {count_text(side.errors)} failed", Ink.BAD if side.errors else Ink.DIM),
            (f"  {count_text(side.keys)} keys", Ink.PLAIN),
            (f"  {seconds_text(side.elapsed_s)}", Ink.DIM),
        ]
    return runs


def _differing(comparison: Comparison) -> Line:
    return (
        _counted(
            f" {count_text(comparison.outputs_differing)} outputs", comparison.outputs_differing
        ),
        _counted(
            f"  {count_text(comparison.state_differing)} keys differ", comparison.state_differing
        ),
        (f"  errors: {count_text(comparison.errors_fixed)} fixed", Ink.GOOD),
        _counted(f"  {count_text(comparison.errors_new)} new", comparison.errors_new),
        (f"  {count_text(comparison.errors_same)} same", Ink.DIM),
    )


def _counted(text: str, count: int) -> Run:
    return text, Ink.BAD if count else Ink.GOOD


def _set_apart(comparison: Comparison) -> Line:
    outputs, keys = comparison.outputs_unstable, comparison.state_unstable
    runs: list[Run] = []
    if outputs or keys:
        told = f" {count_text(outputs)} outputs and {count_text(keys)} keys differ by themselves: "
        runs += [(told, Ink.WARN), ("u", Ink.KEY), (" shows them", Ink.DIM)]
    if comparison.report:
        runs.append((f"  report: {comparison.report}", Ink.DIM))
    return runs
