"""The panel of source partitions and of commits as they happen."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from loom_bench.session.value import CommitSeen, OffsetView, SessionValue
from loom_bench.tui.figures import (
    age_text,
    clock_text,
    count_text,
    history_text,
    of_many,
    rate_text,
    trend_text,
)
from loom_bench.tui.ink import Ink, Line, Run, plain
from loom_bench.tui.panels.spec import PanelSpec, no_summary
from loom_bench.tui.panels.texts import labelled
from loom_bench.tui.widgets.line_table import Column, TableForm

_TREND_CELLS = 10
_TREND_INKS = {"grows": Ink.WARN, "falls": Ink.GOOD}

_COLUMNS = (
    Column("topic", most=40),
    Column("part", 4, right=True),
    Column("position", 11, right=True),
    Column("committed", 11, right=True),
    Column("end", 11, right=True, from_cells=66),
    Column("lag", 6, right=True),
    Column("trend", 6),
    Column("lately", _TREND_CELLS, from_cells=92),
    Column("rate/s", 6, right=True, from_cells=100),
    Column("commit", 6, right=True),
    Column("failed", 6, right=True, from_cells=84),
)

_COMMIT_COLUMNS = (
    Column("commits", 12),
    Column("topic", most=40),
    Column("part", 4, right=True),
    Column("offset", 12, right=True),
    Column("", 24, from_cells=70),
)


def _number(value: int | None) -> str:
    return "-" if value is None else str(value)


def _cells(view: OffsetView, now_ms: int) -> Sequence[Run]:
    row, trend = view.row, trend_text(view.lag_history)
    ink = _TREND_INKS.get(trend, Ink.PLAIN)
    return (
        (row.topic, Ink.STRONG),
        (str(row.partition), Ink.PLAIN),
        (_number(row.position), Ink.PLAIN),
        (_number(row.committed), Ink.PLAIN),
        (_number(row.end_offset), Ink.DIM),
        ("-" if view.lag is None else count_text(view.lag), ink),
        (trend, ink),
        (history_text(view.lag_history, _TREND_CELLS), ink),
        (rate_text(view.rate_per_s), Ink.PLAIN),
        (age_text(view.committed_at_ms, now_ms), Ink.PLAIN),
        (_number(view.commit_failures), Ink.BAD if view.commit_failures else Ink.DIM),
    )


def _summary(value: SessionValue) -> Line:
    lags = [view.lag for view in value.offsets if view.lag is not None]
    line = [(of_many(len(value.offsets), "partition"), Ink.PLAIN)]
    if lags:
        line.append((f"  lag {count_text(sum(lags))}", Ink.PLAIN))
    commits = sum(view.commits for view in value.offsets)
    line.append((f"  {of_many(commits, 'commit')}", Ink.PLAIN))
    failures = sum(view.commit_failures for view in value.offsets)
    if failures:
        line.append((f"  {count_text(failures)} failed", Ink.BAD))
    return line


def _empty(value: SessionValue) -> Sequence[Line]:
    if value.offsets:
        return (plain("No partition matches. Esc drops the filter."),)
    return (
        plain("No partition is assigned yet."),
        (("They show here when the flow runs: the engine keeps its own offsets.", Ink.DIM),),
    )


def _fields(view: OffsetView) -> Mapping[str, str]:
    return {"topic": view.row.topic, "partition": str(view.row.partition)}


def _detail(view: OffsetView, value: SessionValue) -> Iterator[Line]:
    row = view.row
    yield labelled("topic", row.topic, Ink.STRONG)
    yield labelled("partition", str(row.partition))
    yield labelled("position", f"{_number(row.position)}  next offset to read")
    yield labelled("committed", _number(row.committed))
    yield labelled("end", _number(row.end_offset))
    yield labelled("lag", _number(view.lag))
    yield labelled("lag lately", history_text(view.lag_history, len(view.lag_history)))
    yield labelled("rate", f"{rate_text(view.rate_per_s)} records/s")
    yield labelled("commits", f"{view.commits}, {view.commit_failures} failed")
    yield ()
    for commit in value.commits:
        if (commit.topic, commit.partition) == (row.topic, row.partition):
            yield (
                (f"{clock_text(commit.at_ms)}  ", Ink.DIM),
                (f"{commit.offset}  ", Ink.PLAIN),
                (commit.problem or "", Ink.BAD),
            )


def _badge(value: SessionValue) -> Run | None:
    if any(view.commit_failures for view in value.offsets):
        return ("commits fail", Ink.BAD)
    lag = sum(view.lag or 0 for view in value.offsets)
    return (f"lag {count_text(lag)}", Ink.DIM) if lag else None


OFFSETS = PanelSpec(
    id="offsets",
    title="Offsets",
    form=TableForm(_COLUMNS, _cells, lambda view: (view.row.topic, view.row.partition), ages=True),
    items=lambda value: value.offsets,
    summary=_summary,
    empty=_empty,
    names=("topic", "partition"),
    fields=_fields,
    detail=lambda view, value: tuple(_detail(view, value)),
    badge=_badge,
)


def _commit_cells(commit: CommitSeen, _: int) -> Sequence[Run]:
    return (
        (clock_text(commit.at_ms), Ink.DIM),
        (commit.topic, Ink.PLAIN),
        (str(commit.partition), Ink.PLAIN),
        (str(commit.offset), Ink.BAD if commit.problem else Ink.GOOD),
        (commit.problem or "", Ink.BAD),
    )


def _commit_detail(commit: CommitSeen, _: SessionValue) -> Sequence[Line]:
    return (
        labelled("when", clock_text(commit.at_ms)),
        labelled("topic", commit.topic),
        labelled("partition", str(commit.partition)),
        labelled("offset", str(commit.offset)),
        labelled("problem", commit.problem or "none", Ink.BAD if commit.problem else Ink.GOOD),
    )


COMMITS = PanelSpec(
    id="commits",
    title="Commits",
    form=TableForm(_COMMIT_COLUMNS, _commit_cells, id, follows=True),
    items=lambda value: value.commits,
    summary=no_summary,
    empty=lambda _: (
        (("No commit yet: one comes with every epoch that read something.", Ink.DIM),),
    ),
    names=("topic", "partition", "offset"),
    fields=lambda commit: {
        "topic": commit.topic,
        "partition": str(commit.partition),
        "offset": str(commit.offset),
        "text": commit.problem or "",
    },
    detail=_commit_detail,
)
