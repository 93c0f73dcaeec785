"""An envelope without a trace as lines: why there is none, and what is known all the same."""

from __future__ import annotations

from collections.abc import Iterator

from loom_bench.session.envelopes.value import OpenEnvelope, ShownBytes, ShownRecord
from loom_bench.tui.figures import clock_text
from loom_bench.tui.ink import Ink, Line, plain
from loom_bench.tui.panels.texts import diagnosis_body, heading
from loom_bench.tui.stepping.payloads import PayloadView, pair_lines
from loom_runtime.tracing.shown import ShownValue, ValueForm

_MAX_TRACEBACK_LINES = 200


def untraced_lines(opened: OpenEnvelope, view: PayloadView, width: int) -> Iterator[Line]:
    """Yield what is known of an envelope whose record cannot be traced, or not yet."""
    if opened.problem is not None:
        yield from diagnosis_body(opened.problem)
        yield ()
    for title, record in (("the record that failed", opened.source), ("envelope", opened.record)):
        if record is not None:
            yield heading(title)
            yield from _record(record, view, width)
            yield ()
    if opened.traceback:
        yield heading("traceback")
        for line in opened.traceback.splitlines()[:_MAX_TRACEBACK_LINES]:
            yield plain(line)
        yield ()
    for name, text in opened.headers:
        yield ((f"{name}  ", Ink.DIM), (text, Ink.PLAIN))


def _record(record: ShownRecord, view: PayloadView, width: int) -> Iterator[Line]:
    at = clock_text(record.at_ms) if record.at_ms is not None else "-"
    yield (
        (str(record.place) if record.place is not None else "imported", Ink.ACCENT),
        ("  key ", Ink.DIM),
        (_text(record.key.content), Ink.PLAIN),
        (f"  at {at}", Ink.DIM),
    )
    if record.value.content is None:
        yield (("  no value", Ink.DIM),)
    else:
        yield from pair_lines(raw_value(record.value), None, view, width).before
    for name, content in record.headers:
        yield ((f"  {name}  ", Ink.DIM), (_text(content.content), Ink.PLAIN))


def raw_value(shown: ShownBytes) -> ShownValue:
    """Return bytes of a topic as a value that the views can show."""
    content = shown.content or b""
    return ShownValue(
        type_name="bytes",
        text=_text(content),
        form=ValueForm.RAW,
        complete=not shown.cut,
        raw=content,
        size=shown.size_bytes,
    )


def _text(content: bytes | None) -> str:
    return "none" if content is None else content.decode("utf-8", "backslashreplace")
