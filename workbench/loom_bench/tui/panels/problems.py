"""The panel of what is wrong now, and of the revisions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from loom_bench.protocol.diagnosis import Diagnosis
from loom_bench.session.value import Revision, SessionValue
from loom_bench.tui.figures import age_text, clock_text, of_many
from loom_bench.tui.ink import Ink, Line, Run, plain
from loom_bench.tui.panels.spec import PanelSpec, Place, no_summary
from loom_bench.tui.panels.texts import diagnosis_body, heading, labelled, place_text
from loom_bench.tui.widgets.line_table import Column, TableForm

_COLUMNS = (
    Column("where", 26),
    Column("what", 0),
    Column("in", 16, from_cells=100),
)

_REVISION_COLUMNS = (
    Column("rev", 5),
    Column("saved", 6, right=True),
    Column("state", 8),
    Column("hash", 8, from_cells=70),
    Column("what changed", 0),
)

_MAX_SOURCE = 500

_STATE_INKS = {
    "running": Ink.GOOD,
    "refused": Ink.BAD,
    "waiting": Ink.WARN,
    "ready": Ink.ACCENT,
    "loading": Ink.ACCENT,
}


def problems_of(value: SessionValue) -> Sequence[Diagnosis]:
    """Return everything that is wrong: the flow, the broker, the feed."""
    others = (value.broker.problem, value.feed.problem)
    return (*value.diagnoses, *(problem for problem in others if problem is not None))


def _cells(diagnosis: Diagnosis, _: int) -> Sequence[Run]:
    where = diagnosis.component
    if diagnosis.file is not None:
        where = place_text(diagnosis.file, diagnosis.line)
    source = f"   | {diagnosis.source[:_MAX_SOURCE].strip()}" if diagnosis.source else ""
    return (
        (_end_of(where, _COLUMNS[0].width), Ink.ACCENT),
        (f"{diagnosis.message}{source}", Ink.BAD),
        (diagnosis.component, Ink.DIM),
    )


def _end_of(text: str, cells: int) -> str:
    """The end of a path tells more than its start."""
    return text if len(text) <= cells else "…" + text[1 - cells :]


def _summary(value: SessionValue) -> Line:
    problems = problems_of(value)
    if not problems and value.conflict is not None:
        waits = f"r{value.conflict.revision} waits: decide about its state  "
        return (waits, Ink.WARN), ("c", Ink.KEY)
    if not problems:
        return ((("nothing is wrong", Ink.GOOD)),)
    running = next((each for each in reversed(value.revisions) if each.state == "running"), None)
    line = [(f"x {of_many(len(problems), 'problem')}", Ink.BAD)]
    if running is not None:
        line.append((f"  r{running.number} goes on running", Ink.PLAIN))
    line.extend(((" e", Ink.KEY), (" opens the line", Ink.DIM)))
    return line


def _empty(value: SessionValue) -> Sequence[Line]:
    if problems_of(value):
        return (plain("No problem matches. Esc drops the filter."),)
    return (
        ((f"Nothing {'else ' if value.conflict is not None else ''}is wrong.", Ink.GOOD),),
        (("A module that does not load, or a run that fails, is explained here.", Ink.DIM),),
    )


def _fields(diagnosis: Diagnosis) -> Mapping[str, str]:
    return {
        "file": diagnosis.file or "",
        "code": diagnosis.code,
        "node": diagnosis.component,
        "text": diagnosis.message,
    }


def _badge(value: SessionValue) -> Run | None:
    count = len(problems_of(value))
    return (str(count), Ink.BAD) if count else None


PROBLEMS = PanelSpec(
    id="problems",
    title="Problems",
    form=TableForm(_COLUMNS, _cells, lambda each: (each.code, each.file, each.line, each.message)),
    items=problems_of,
    summary=_summary,
    empty=_empty,
    names=("file", "code", "node"),
    fields=_fields,
    detail=lambda diagnosis, _: tuple(diagnosis_body(diagnosis)),
    badge=_badge,
    place=lambda diagnosis: None if diagnosis.file is None else (diagnosis.file, diagnosis.line),
    node=lambda diagnosis: diagnosis.component or None,
    preview=True,
)


def _revision_cells(revision: Revision, now_ms: int) -> Sequence[Run]:
    ink = _STATE_INKS.get(revision.state, Ink.DIM)
    told = revision.summary
    if not told and revision.diagnoses:
        told = revision.diagnoses[0].message
    return (
        (f"r{revision.number}", Ink.STRONG),
        (age_text(revision.at_ms, now_ms), Ink.PLAIN),
        (revision.state, ink),
        (revision.content_hash, Ink.DIM),
        (told, Ink.BAD if revision.state == "refused" else Ink.PLAIN),
    )


def _revision_detail(revision: Revision, _: SessionValue) -> Iterator[Line]:
    yield heading(f"r{revision.number}")
    yield labelled("saved", clock_text(revision.at_ms))
    yield labelled("state", revision.state, _STATE_INKS.get(revision.state, Ink.PLAIN))
    yield labelled("hash", revision.content_hash)
    yield labelled("changed", revision.summary or "nothing told")
    for diagnosis in revision.diagnoses:
        yield ()
        yield from diagnosis_body(diagnosis)


def _revision_place(revision: Revision) -> Place | None:
    for diagnosis in revision.diagnoses:
        if diagnosis.file is not None:
            return diagnosis.file, diagnosis.line
    return None


REVISIONS = PanelSpec(
    id="revisions",
    title="Revisions",
    form=TableForm(
        _REVISION_COLUMNS, _revision_cells, lambda each: each.number, follows=True, ages=True
    ),
    items=lambda value: value.revisions,
    summary=no_summary,
    empty=lambda _: ((("No revision yet: the module is being loaded.", Ink.DIM),),),
    names=("state", "hash"),
    fields=lambda each: {"state": each.state, "text": each.summary, "hash": each.content_hash},
    detail=lambda revision, value: tuple(_revision_detail(revision, value)),
    place=_revision_place,
)
