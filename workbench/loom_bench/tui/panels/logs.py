"""The panel of what the flow printed and logged."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from loom_bench.session.value import LogLine, SessionValue
from loom_bench.tui.figures import clock_text, count_text, of_many
from loom_bench.tui.ink import Ink, Line, Run, plain
from loom_bench.tui.panels.spec import PanelSpec
from loom_bench.tui.panels.texts import body_lines, labelled
from loom_bench.tui.widgets.line_table import Column, TableForm

_COLUMNS = (
    Column("time", 12, from_cells=66),
    Column("rev", 4),
    Column("", 3),
    Column("line", 0),
)


def _cells(line: LogLine, _: int) -> Sequence[Run]:
    err = line.stream == "stderr"
    return (
        (clock_text(line.at_ms), Ink.DIM),
        (f"r{line.revision}", Ink.ACCENT),
        ("err" if err else "out", Ink.WARN if err else Ink.DIM),
        (line.text, Ink.PLAIN),
    )


def _summary(value: SessionValue) -> Line:
    line = [(of_many(value.logs_seen, "line"), Ink.PLAIN)]
    if value.logs_left_out:
        line.append((f"  {count_text(value.logs_left_out)} of them left out here", Ink.WARN))
    return line


def _empty(value: SessionValue) -> Sequence[Line]:
    if value.logs:
        return (plain("No line matches. Esc drops the filter."),)
    return (
        plain("The flow printed nothing."),
        (("What it prints or logs shows here, with the revision that said it.", Ink.DIM),),
    )


def _fields(line: LogLine) -> Mapping[str, str]:
    return {"rev": f"r{line.revision}", "stream": line.stream, "text": line.text}


def _detail(line: LogLine, _: SessionValue) -> Iterator[Line]:
    yield labelled("when", clock_text(line.at_ms))
    yield labelled("revision", f"r{line.revision}")
    yield labelled("stream", line.stream)
    yield ()
    yield from body_lines(line.text)


LOGS = PanelSpec(
    id="logs",
    title="Logs",
    form=TableForm(_COLUMNS, _cells, id, follows=True),
    items=lambda value: value.logs,
    summary=_summary,
    empty=_empty,
    names=("rev", "stream"),
    fields=_fields,
    detail=lambda line, value: tuple(_detail(line, value)),
    badge=lambda value: (count_text(value.logs_seen), Ink.DIM) if value.logs_seen else None,
)
