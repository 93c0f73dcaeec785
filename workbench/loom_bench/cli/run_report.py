"""What a run tells, as lines for people or JSON lines for programs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import click

from loom_bench.cli.diagnosis_text import diagnosis_lines, shown_path
from loom_bench.cli.output import counted, print_json
from loom_bench.protocol.frames import ErrorGroup
from loom_bench.safe import safe
from loom_bench.session.happenings import (
    BrokerOpening,
    BrokerReady,
    ErrorSummary,
    Failed,
    FeedEnded,
    FeedStarted,
    FinalLedger,
    FlowLoaded,
    Happening,
    NewError,
    OutputShown,
    Progress,
    RunStarted,
    Stopping,
)
from loom_runtime.places import partition_text, place_text

_MAX_REASON_CELLS = 160
_MAX_LINE_CELLS = 2_000
_MAX_GROUPS_SHOWN = 20

_LEDGER_COLUMNS = ("consumed", "written", "errored", "filtered", "dead_lettered", "held")


def json_report(happening: Happening) -> None:
    """Print *happening* as one JSON line; its ``type`` says what it is."""
    print_json({}, happening)


def text_report(happening: Happening) -> None:
    """Print *happening* for people."""
    for line in _lines(happening):
        click.echo(line)


def _lines(happening: Happening) -> Iterator[str]:  # noqa: PLR0912 - one case for each thing told
    match happening:
        case BrokerOpening():
            share = "" if happening.share is None else f" {happening.share:.0%}"
            yield f"{happening.kind}: {safe(happening.text)}{share}"
        case BrokerReady():
            yield from _broker_lines(happening)
        case FlowLoaded():
            yield from _loaded_lines(happening)
        case RunStarted():
            yield f"running {safe(happening.flow)}; Ctrl-C drains and ends"
        case FeedStarted():
            rate = happening.rate_per_s
            pace = "as fast as it goes" if rate is None else f"{rate:g} records/s"
            yield f"feeding bench_feed() into {safe(happening.topic)}, {pace}"
        case FeedEnded():
            yield f"fed {counted(happening.delivered, 'record')}"
            if happening.failure is not None:
                yield from diagnosis_lines(happening.failure)
        case Progress():
            yield _progress_line(happening)
        case NewError():
            yield f"error: {_group_text(happening.group)}"
        case ErrorSummary():
            yield from _error_lines(happening)
        case OutputShown():
            if happening.left_out:
                yield f"  … {counted(happening.left_out, 'line')} left out …"
            yield f"  {happening.origin} | {safe(happening.text, max_cells=_MAX_LINE_CELLS)}"
        case Stopping():
            yield (
                "draining: what was read is finished and committed; Ctrl-C again ends at once"
                if happening.how == "drain"
                else "ending at once"
            )
        case Failed():
            for diagnosis in happening.diagnoses:
                yield from diagnosis_lines(diagnosis)
        case FinalLedger():
            yield from _ledger_lines(happening)


def _broker_lines(broker: BrokerReady) -> Iterator[str]:
    yield f"broker: {broker.kind} at {safe(broker.bootstrap)}. {safe(broker.reason)}"
    for limit in broker.limits:
        yield f"  note: {safe(limit)}"


def _loaded_lines(loaded: FlowLoaded) -> Iterator[str]:
    sources = ", ".join(shown_path(source) for source in loaded.config_sources)
    yield (
        f"loaded {safe(loaded.flow)} from {shown_path(loaded.target)}: "
        f"{counted(loaded.nodes, 'node')}, reads {safe(', '.join(loaded.topics))}, "
        f"configuration: {sources or 'defaults'}"
    )
    if loaded.replaced_brokers:
        brokers = safe(",".join(loaded.replaced_brokers))
        yield f"  note: its brokers {brokers} are not used; --broker {brokers} would use them"


def _progress_line(progress: Progress) -> str:
    parts = [
        f"{progress.elapsed_s:6.1f} s",
        f"{progress.consumed:,} read ({progress.rate_per_s:,.0f}/s)",
        f"{progress.records_written:,} written",
        f"{progress.errored:,} errored",
        f"{progress.held:,} held",
    ]
    if progress.lag is not None:
        parts.append(f"lag {progress.lag:,}")
    if progress.events_left_out:
        parts.append(f"{progress.events_left_out:,} events left out")
    return "  ".join(parts)


def _error_lines(summary: ErrorSummary) -> Iterator[str]:
    yield f"{counted(summary.seen, 'failure')} of {counted(len(summary.groups), 'kind')}:"
    for group in summary.groups[:_MAX_GROUPS_SHOWN]:
        yield f"  {group.count:>8,} x {_group_text(group)}"
    rest = summary.seen - sum(group.count for group in summary.groups[:_MAX_GROUPS_SHOWN])
    if rest:
        yield f"  {rest:>8,} x in other ways"


def _group_text(group: ErrorGroup) -> str:
    place = ""
    if group.topic is not None:
        place = f" ({place_text(group.topic, group.partition, group.offset)})"
    exception = group.exception_type.rpartition(".")[2]
    reason = safe(group.reason, max_cells=_MAX_REASON_CELLS)
    return f"{safe(group.kind)} in {safe(group.node)}: {safe(exception)}: {reason}{safe(place)}"


def _ledger_lines(ledger: FinalLedger) -> Iterator[str]:
    verdict = "balanced" if ledger.balanced else "NOT BALANCED"
    yield f"{ledger.outcome} after {ledger.elapsed_s:.1f} s; ledger {verdict}"
    rows = [
        [
            partition_text(safe(row.topic), row.partition),
            *(f"{_count(row, c):,}" for c in _LEDGER_COLUMNS),
        ]
        for row in ledger.partitions
    ]
    rows.append(["total", *(f"{_count(ledger, column):,}" for column in _LEDGER_COLUMNS)])
    header = ["partition", *(column.replace("_", "-") for column in _LEDGER_COLUMNS)]
    yield from _table([header, *rows])
    yield (
        f"output: {counted(ledger.records_written, 'record')}, "
        f"{counted(ledger.envelopes_written, 'envelope')}, "
        f"{counted(ledger.dead_letters_written, 'dead letter')}"
    )


def _count(row: object, column: str) -> int:
    value: int = getattr(row, column)
    return value


def _table(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        first, *numbers = [cell.rjust(width) for cell, width in zip(row, widths, strict=True)]
        yield "  ".join([first.strip().ljust(widths[0]), *numbers])
