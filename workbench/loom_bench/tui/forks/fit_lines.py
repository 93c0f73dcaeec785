"""Whether a fork can be replayed with a revision, in words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from loom_bench.session.snapshots.replay_value import CURRENT
from loom_bench.session.snapshots.value import Compatibility, Fit, ForkView
from loom_bench.tui.figures import count_text
from loom_bench.tui.ink import Ink, Line, plain
from loom_runtime.places import partition_text_of

_FITS: Final = {
    Fit.FITS: (" fits ", Ink.BADGE_GOOD),
    Fit.WARNED: (" runs, with warnings ", Ink.BADGE_WARN),
    Fit.REFUSED: (" does not fit ", Ink.BADGE_BAD),
}

_MARKS: Final = {
    Fit.FITS: ("  ", Ink.GOOD),
    Fit.WARNED: ("! ", Ink.WARN),
    Fit.REFUSED: ("x ", Ink.BAD),
}


def code_text(revision: str) -> str:
    """Return which code *revision* stands for."""
    return "the code as it is" if revision == CURRENT else f"revision {revision}"


def fit_lines(fork: ForkView | None, fit: Compatibility | None) -> Iterator[Line]:
    """Yield what the last check found, when it was one of *fork*; else what can be done."""
    if fork is None:
        return
    if fit is None or fit.fork != fork.name:
        yield (
            ("c", Ink.KEY),
            (" checks whether the code as it is can run on ", Ink.DIM),
            (fork.name, Ink.STRONG),
        )
        yield (
            ("enter", Ink.KEY),
            (" opens it in the timeline   ", Ink.DIM),
            ("p", Ink.KEY),
            (" replays it", Ink.DIM),
        )
        return
    yield (
        (fork.name, Ink.STRONG),
        (" with ", Ink.DIM),
        (code_text(fit.revision), Ink.STRONG),
        ("  ", Ink.PLAIN),
        _FITS[fit.fit],
    )
    for finding in fit.findings:
        yield (_MARKS[finding.fit], (finding.what, Ink.PLAIN))
        if finding.what_next:
            yield (("  ", Ink.PLAIN), (finding.what_next, Ink.DIM))
    for missing in fit.missing:
        yield (
            ("! ", Ink.WARN),
            (f"{partition_text_of(missing.partition)}: ", Ink.PLAIN),
            (f"{count_text(missing.gone)} records are gone", Ink.PLAIN),
            (f", needed from {missing.needed_from}, there from {missing.log_begins}", Ink.DIM),
        )
    if not fit.findings and not fit.missing:
        yield plain("Steps, state types, topics and records are as it needs them.")
    yield from _mapping(fit)


def _mapping(fit: Compatibility) -> Iterator[Line]:
    if fit.gone or fit.new:
        yield ()
    if fit.gone:
        yield (("its steps that this code lacks  ", Ink.DIM), (", ".join(fit.gone), Ink.WARN))
    if fit.new:
        yield (("steps that it has no state of   ", Ink.DIM), (", ".join(fit.new), Ink.ACCENT))
    for old, new in fit.suggested.items():
        yield ((old, Ink.WARN), (" looks like it was renamed to ", Ink.DIM), (new, Ink.ACCENT))
    if fit.gone:
        yield (("m", Ink.KEY), (" maps them", Ink.DIM))
