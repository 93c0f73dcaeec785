"""The panel of failures, grouped by what they have in common."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from loom_bench.session.value import ErrorGroupView, SessionValue
from loom_bench.tui.figures import age_text, clock_text, count_text, history_text, of_many
from loom_bench.tui.ink import Ink, Line, Run, plain
from loom_bench.tui.panels.spec import PanelSpec, Place
from loom_bench.tui.panels.texts import body_lines, heading, labelled
from loom_bench.tui.widgets.line_table import Column, TableForm
from loom_runtime.places import place_text

_HISTORY_CELLS = 16
_MAX_TRACEBACK = 100_000
"""Characters of a traceback that are searched for its places."""

_FRAME = re.compile(r'File "([^"\n]+)", line (\d{1,9})')

_COLUMNS = (
    Column("", 1),
    Column("count", 6, right=True),
    Column("lately", _HISTORY_CELLS, from_cells=72),
    Column("last", 6, right=True),
    Column("first", 6, right=True, from_cells=100),
    Column("kind", 8, from_cells=84),
    Column("node", 16),
    Column("what", 0),
)


def _cells(view: ErrorGroupView, now_ms: int) -> Sequence[Run]:
    group = view.group
    name = group.exception_type.rpartition(".")[2]
    return (
        ("*" if view.is_new else " ", Ink.WARN),
        (count_text(group.count), Ink.BAD),
        (history_text(view.history, _HISTORY_CELLS), Ink.BAD),
        (age_text(group.last_ms, now_ms), Ink.PLAIN),
        (age_text(group.first_ms, now_ms), Ink.DIM),
        (group.kind, Ink.ACCENT),
        (group.node, Ink.STRONG),
        (f"{name}: {group.reason}" if name else group.reason, Ink.PLAIN),
    )


def _items(value: SessionValue) -> Sequence[ErrorGroupView]:
    """New groups first, then the largest: the newest failure would make them change places."""
    return sorted(value.errors, key=lambda view: (not view.is_new, -view.group.count))


def _summary(value: SessionValue) -> Line:
    line = [
        (of_many(value.errors_seen, "failure"), Ink.BAD if value.errors_seen else Ink.PLAIN),
        (f" in {of_many(len(value.errors), 'group')}", Ink.PLAIN),
    ]
    new = sum(view.is_new for view in value.errors)
    if new:
        line.append((f"  * {new} new since the last reload", Ink.WARN))
    if value.errors_ungrouped:
        line.append((f"  {count_text(value.errors_ungrouped)} in no group", Ink.WARN))
    return line


def _empty(value: SessionValue) -> Sequence[Line]:
    if value.errors:
        return (plain("No group matches. Esc drops the filter."),)
    return (
        (("No record failed.", Ink.GOOD),),
        (("Failures show here, grouped by kind, node and place in your code.", Ink.DIM),),
    )


def _fields(view: ErrorGroupView) -> Mapping[str, str]:
    group = view.group
    return {
        "node": group.node,
        "kind": group.kind,
        "type": group.exception_type,
        "text": group.reason,
        "topic": group.topic or "",
    }


def _detail(view: ErrorGroupView) -> Iterator[Line]:
    group = view.group
    yield ((group.exception_type, Ink.BAD),)
    yield from body_lines(group.reason)
    yield ()
    if group.traceback:
        yield heading("Where, in your code")
        yield from body_lines(group.traceback)
    else:
        yield (("No frame of your code was on the way there.", Ink.DIM),)
    yield ()
    yield labelled("kind", group.kind)
    yield labelled("node", group.node, Ink.STRONG)
    yield labelled("count", count_text(group.count))
    yield labelled("lately", history_text(view.history, len(view.history)), Ink.BAD)
    yield labelled("first", clock_text(group.first_ms))
    yield labelled("last", clock_text(group.last_ms))
    new = ", new since the last reload" if view.is_new else ""
    yield labelled("revision", f"r{view.revision}{new}")
    if group.topic is not None:
        yield labelled("newest record", place_text(group.topic, group.partition, group.offset))
    yield labelled("fingerprint", group.fingerprint, Ink.DIM)


def place_in(traceback: str | None) -> Place | None:
    """Return file and line of the innermost frame that *traceback* names."""
    frames = _FRAME.findall((traceback or "")[:_MAX_TRACEBACK])
    return (frames[-1][0], int(frames[-1][1])) if frames else None


def _badge(value: SessionValue) -> Run | None:
    return (count_text(value.errors_seen), Ink.BAD) if value.errors_seen else None


ERRORS = PanelSpec(
    id="errors",
    title="Errors",
    form=TableForm(_COLUMNS, _cells, lambda view: view.group.fingerprint, ages=True),
    items=_items,
    summary=_summary,
    empty=_empty,
    names=("node", "kind", "type", "topic"),
    fields=_fields,
    detail=lambda view, _: tuple(_detail(view)),
    badge=_badge,
    place=lambda view: place_in(view.group.traceback),
    node=lambda view: view.group.node,
    preview=True,
)
