"""The panel of what the flow wrote."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from loom_bench.session.value import OutputSeen, SessionValue
from loom_bench.tui.figures import clock_text, count_text, of_many
from loom_bench.tui.ink import Ink, Line, Run, plain
from loom_bench.tui.panels.spec import PanelSpec
from loom_bench.tui.panels.texts import body_lines, labelled
from loom_bench.tui.widgets.line_table import Column, TableForm

_MAX_TOPICS = 4

_INKS = {"record": Ink.PLAIN, "envelope": Ink.BAD, "dead_letter": Ink.WARN}

_COLUMNS = (
    Column("time", 12, from_cells=66),
    Column("topic", 18),
    Column("key", 12, from_cells=50),
    Column("value", 0),
)


def _cells(output: OutputSeen, _: int) -> Sequence[Run]:
    ink = _INKS.get(output.kind, Ink.PLAIN)
    return (
        (clock_text(output.at_ms), Ink.DIM),
        (output.topic, Ink.ACCENT if ink is Ink.PLAIN else ink),
        (output.key, Ink.DIM),
        (output.text, ink),
    )


def _summary(value: SessionValue) -> Line:
    line = [(of_many(value.outputs_seen, "record") + " written", Ink.PLAIN)]
    left_out = value.outputs_seen - len(value.outputs)
    if left_out > 0:
        line.append((f"  the newest {count_text(len(value.outputs))} here", Ink.WARN))
    topics = Counter(output.topic for output in value.outputs)
    for topic, count in topics.most_common(_MAX_TOPICS):
        line.append((f"  {topic}", Ink.DIM))
        line.append((f" {count_text(count)}", Ink.PLAIN))
    if len(topics) > _MAX_TOPICS:
        line.append((f"  {of_many(len(topics) - _MAX_TOPICS, 'topic')} more", Ink.DIM))
    return line


def _empty(value: SessionValue) -> Sequence[Line]:
    if value.outputs:
        return (plain("No record matches. Esc drops the filter."),)
    if value.outputs_seen:
        return (plain("Records were written, but none could be read back."),)
    return (
        plain("The flow wrote nothing yet."),
        (("Its output, errors and dead letters show here, decoded.", Ink.DIM),),
    )


def _fields(output: OutputSeen) -> Mapping[str, str]:
    return {
        "topic": output.topic,
        "key": output.key,
        "kind": output.kind,
        "text": output.text,
    }


def _detail(output: OutputSeen, _: SessionValue) -> Iterator[Line]:
    yield labelled("when", clock_text(output.at_ms))
    yield labelled("topic", output.topic, Ink.ACCENT)
    yield labelled("kind", output.kind.replace("_", " "), _INKS.get(output.kind, Ink.PLAIN))
    yield labelled("key", output.key)
    yield ()
    yield from body_lines(output.text)


OUTPUT = PanelSpec(
    id="output",
    title="Output",
    form=TableForm(_COLUMNS, _cells, id, follows=True),
    items=lambda value: value.outputs,
    summary=_summary,
    empty=_empty,
    names=("topic", "key", "kind"),
    fields=_fields,
    detail=lambda output, value: tuple(_detail(output, value)),
    badge=lambda value: (count_text(value.outputs_seen), Ink.DIM) if value.outputs_seen else None,
)
