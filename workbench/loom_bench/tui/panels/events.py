"""The panel of lifecycle events."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from loom_bench.protocol.frames import SeenEvent
from loom_bench.session.value import SessionValue
from loom_bench.tui.figures import clock_text, count_text, millis_text, of_many
from loom_bench.tui.ink import Ink, Line, Run, plain
from loom_bench.tui.panels.spec import PanelSpec
from loom_bench.tui.panels.texts import body_lines, heading, labelled, sunk_into
from loom_bench.tui.widgets.line_table import Column, TableForm

_MAX_RELATED = 200

_TOLD_ELSEWHERE = frozenset({"flow", "path"})
"""The flow stands at the top of the screen, and a node's path says less than its name."""

_COLUMNS = (
    Column("time", 12),
    Column("scope", 11, from_cells=84),
    Column("kind", 5),
    Column("name", 20),
    Column("took", 6, right=True, from_cells=58),
    Column("what", 0),
)


def _cells(event: SeenEvent, _: int) -> Sequence[Run]:
    failed = event.kind == "error" or event.status == "failure"
    return (
        (clock_text(event.at_ms), Ink.DIM),
        (event.scope, Ink.ACCENT),
        (event.kind, Ink.BAD if failed else Ink.PLAIN),
        (sunk_into(event.name) or event.name, Ink.BAD if failed else Ink.PLAIN),
        (millis_text(event.duration_ms) if event.duration_ms is not None else "", Ink.DIM),
        (_what(event), Ink.BAD if failed else Ink.DIM),
    )


def _what(event: SeenEvent) -> str:
    parts = [event.error] if event.error else []
    told = (name for name in event.meta if name not in _TOLD_ELSEWHERE)
    parts.extend(f"{name}={event.meta[name]}" for name in sorted(told, key="records".__ne__))
    return "  ".join(parts)


def _summary(value: SessionValue) -> Line:
    line = [(of_many(value.events_seen, "event"), Ink.PLAIN)]
    if value.events_left_out:
        line.append((f"  {count_text(value.events_left_out)} of them left out here", Ink.WARN))
    return line


def _empty(value: SessionValue) -> Sequence[Line]:
    if value.plan is None:
        return (plain("No events yet: the flow has not loaded."),)
    if not value.feed.running and not value.events_seen:
        return (
            plain("No events yet: nothing was read."),
            (
                ("Write a record with ", Ink.DIM),
                ("a", Ink.KEY),
                (", or start the feed with ", Ink.DIM),
                ("+", Ink.KEY),
                (".", Ink.DIM),
            ),
        )
    return (plain("No events match. Esc drops the filter."),)


def _fields(event: SeenEvent) -> Mapping[str, str]:
    return {
        "scope": event.scope,
        "node": event.name,
        "kind": event.kind,
        "trace": event.trace_id or "",
        "status": event.status or "",
        "text": _what(event),
    }


def _detail(event: SeenEvent, value: SessionValue) -> Iterator[Line]:
    yield labelled("when", clock_text(event.at_ms))
    yield labelled("scope", event.scope)
    yield labelled("name", event.name)
    yield labelled("kind", event.kind)
    if event.status:
        yield labelled("status", event.status, Ink.BAD if event.status == "failure" else Ink.GOOD)
    if event.duration_ms is not None:
        yield labelled("took", millis_text(event.duration_ms))
    if event.trace_id:
        yield labelled("trace", event.trace_id)
    for name, detail in event.meta.items():
        yield labelled(name, str(detail))
    if event.error:
        yield ()
        yield heading("Error")
        yield from body_lines(event.error)
    if event.trace_id:
        yield from _related(event, value)


def _related(event: SeenEvent, value: SessionValue) -> Iterator[Line]:
    same = [other for other in value.events if other.trace_id == event.trace_id]
    yield ()
    yield heading(f"The same trace: {of_many(len(same), 'event')} at hand")
    for other in same[-_MAX_RELATED:]:
        bad = other.kind == "error" or other.status == "failure"
        yield (
            ("> " if other is event else "  ", Ink.ACCENT),
            (f"{clock_text(other.at_ms)}  ", Ink.DIM),
            (
                f"{other.scope} {other.kind} {other.name}  {_what(other)}",
                Ink.BAD if bad else Ink.PLAIN,
            ),
        )


def _badge(value: SessionValue) -> Run | None:
    return (count_text(value.events_seen), Ink.DIM) if value.events_seen else None


EVENTS = PanelSpec(
    id="events",
    title="Events",
    form=TableForm(_COLUMNS, _cells, id, follows=True),
    items=lambda value: value.events,
    summary=_summary,
    empty=_empty,
    names=("scope", "node", "kind", "trace", "status"),
    fields=_fields,
    detail=lambda event, value: tuple(_detail(event, value)),
    badge=_badge,
    node=lambda event: event.name,
)
