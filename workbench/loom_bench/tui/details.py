"""What is known of the selected box: declaration, counters, state, samples."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from loom_bench.session.value import NodeView, Sample, SessionValue
from loom_bench.tui.figures import clock_text, count_text, millis_text, rate_text
from loom_bench.tui.health import INKS, MARKS, WORDS, health_of
from loom_bench.tui.ink import Ink, Line
from loom_bench.tui.panels.spec import Place
from loom_bench.tui.panels.texts import body_lines, place_text
from loom_runtime.compiler.document_parts import (
    NodeDocument,
    PlanDocument,
    SinkDocument,
    SourceDocument,
)

_MAX_SAMPLES = 6

Declared = NodeDocument | SourceDocument | SinkDocument


def declared(plan: PlanDocument | None, box_id: str) -> Declared | None:
    """Return the node, source or sink with this id."""
    if plan is None:
        return None
    parts: tuple[Declared, ...] = (*plan.nodes, plan.source, *plan.sinks)
    return next((part for part in parts if part.id == box_id), None)


def place_of(plan: PlanDocument | None, box_id: str) -> Place | None:
    """Return file and line of its declaration."""
    part = declared(plan, box_id)
    if part is None or part.file is None:
        return None
    return part.file, part.line


def detail_lines(value: SessionValue, box_id: str, *, whole: bool = False) -> Sequence[Line]:
    """Return everything about the box *box_id*, the most important first.

    Args:
        value: The value.
        box_id: Id of a node, the source or a sink.
        whole: Whether samples are shown with all their lines, not one each.
    """
    part = declared(value.plan, box_id)
    if part is None:
        return ()
    return tuple(_lines(value, part, whole=whole))


def _lines(value: SessionValue, part: Declared, *, whole: bool) -> Iterator[Line]:
    view = value.nodes.get(part.id)
    yield _title(part, view)
    if part.file is not None:
        yield (
            (place_text(part.file, part.line), Ink.ACCENT),
            ("  e", Ink.KEY),
            (" opens it", Ink.DIM),
        )
    yield from _told(part)
    if view is not None:
        yield from _counters(view)
    if isinstance(part, NodeDocument):
        yield from _samples(value.samples.get(part.id, ()), whole=whole)


def _title(part: Declared, view: NodeView | None) -> Line:
    if not isinstance(part, NodeDocument):
        word = "source" if isinstance(part, SourceDocument) else "sink"
        return ((part.name, Ink.STRONG), (f"  {word}", Ink.DIM))
    health = health_of(view)
    return (
        (part.name, Ink.STRONG),
        (f"  {part.kind.value.replace('_', ' ')}", Ink.DIM),
        (f"  {MARKS[health]} {WORDS[health]}", INKS[health]),
    )


def _told(part: Declared) -> Iterator[Line]:
    if isinstance(part, SourceDocument):
        yield (("topics ", Ink.DIM), (", ".join(part.topics), Ink.PLAIN))
        yield (("types  ", Ink.DIM), (", ".join(part.payload_types), Ink.PLAIN))
        yield (
            ("format ", Ink.DIM),
            (f"{part.format}, {part.delivery.replace('_', ' ')}", Ink.PLAIN),
        )
    elif isinstance(part, SinkDocument):
        yield (("topic  ", Ink.DIM), (part.topic, Ink.PLAIN))
        yield (("type   ", Ink.DIM), (f"{part.payload_type or 'any'}, {part.format}", Ink.PLAIN))
        if part.dlq_topic is not None:
            yield (("dead letters to ", Ink.DIM), (part.dlq_topic, Ink.PLAIN))
    elif part.detail:
        yield ((part.detail, Ink.PLAIN),)


def _counters(view: NodeView) -> Iterator[Line]:
    yield (
        ("in ", Ink.DIM),
        (count_text(view.records_in), Ink.PLAIN),
        ("  out ", Ink.DIM),
        (count_text(view.records_out), Ink.PLAIN),
        ("  errors ", Ink.DIM),
        (count_text(view.errors), Ink.BAD if view.errors else Ink.PLAIN),
        ("  held ", Ink.DIM),
        (count_text(view.held), Ink.ACCENT if view.held else Ink.PLAIN),
        ("  late ", Ink.DIM),
        (count_text(view.late), Ink.WARN if view.late else Ink.PLAIN),
    )
    yield (
        (f"{rate_text(view.rate_per_s)}/s", Ink.PLAIN),
        ("  p50 ", Ink.DIM),
        (millis_text(view.p50_ms), Ink.PLAIN),
        ("  p99 ", Ink.DIM),
        (millis_text(view.p99_ms), Ink.PLAIN),
        ("  busy ", Ink.DIM),
        (f"{view.busy_share:.0%}", INKS[health_of(view)] if view.busy_share >= 0.5 else Ink.PLAIN),
    )


def _samples(samples: Sequence[Sample], *, whole: bool) -> Iterator[Line]:
    if not samples:
        yield (("samples of its records show here while it runs", Ink.DIM),)
        return
    for sample in reversed(samples[-_MAX_SAMPLES:]):
        stamp = ((clock_text(sample.at_ms), Ink.DIM), (f" {sample.key}", Ink.ACCENT))
        if whole:
            yield ()
            yield (*stamp, (" in", Ink.DIM))
            yield from body_lines(sample.taken)
        else:
            yield (*stamp, (" in  ", Ink.DIM), (sample.taken, Ink.PLAIN))
        if not sample.given:
            yield ((f"{'':12} out nothing", Ink.DIM),)
        for given in sample.given:
            if whole:
                yield (("out", Ink.DIM),)
                for line in body_lines(given):
                    yield tuple((text, Ink.GOOD) for text, _ in line)
            else:
                yield ((f"{'':12} out ", Ink.DIM), (given, Ink.GOOD))
