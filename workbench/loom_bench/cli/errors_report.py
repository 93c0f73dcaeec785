"""What the inbox tells, as lines for people or JSON lines for programs."""

from __future__ import annotations

import time
from collections.abc import Iterator

import click

from loom_bench.cli.diagnosis_text import diagnosis_lines
from loom_bench.cli.output import counted, print_json
from loom_bench.safe import safe, safe_lines
from loom_bench.session.envelopes.redrive_value import RedrivePlan, RedriveProgress
from loom_bench.session.envelopes.value import (
    EnvelopeRow,
    InboxGroup,
    InboxValue,
    OpenEnvelope,
    ShownBytes,
    ShownRecord,
)

_REASON_CELLS = 100
_VALUE_CHARACTERS = 4_000


def print_list(value: InboxValue, *, as_json: bool) -> None:
    """Print groups, and the rows of the window."""
    if as_json:
        for group in value.groups:
            print_json({"type": "group"}, group)
        for row in value.window.rows:
            print_json({"type": "envelope"}, row)
        print_json(
            {
                "type": "inbox",
                "envelopes": value.kept.seen,
                "kept": value.kept.kept,
                "groups": value.groups_total,
                "states": {state.value: count for state, count in value.states.items()},
                "strange": sum(each.strange for each in value.topics),
            }
        )
        return
    for group in value.groups:
        for line in _group_lines(group):
            click.echo(line)
    for row in value.window.rows:
        click.echo(_row_line(row))
    for line in _summary(value):
        click.echo(line)


def print_envelope(value: InboxValue, *, as_json: bool) -> None:
    """Print the open envelope."""
    opened = value.opened
    if opened is None:
        return
    if as_json:
        print_json({"type": "envelope"}, opened)
        return
    for line in _envelope_lines(opened):
        click.echo(line)


def print_plan(plan: RedrivePlan, *, as_json: bool) -> None:
    """Print a dry run."""
    if as_json:
        print_json({"type": "plan"}, plan)
        return
    click.echo(
        f"dry run: {counted(plan.envelopes, 'envelope')}, {counted(plan.records, 'record')} "
        f"on {safe(plan.address)}"
    )
    for topic in plan.topics:
        where = f" in {counted(topic.partitions, 'partition')}" if topic.partitions else ", by key"
        click.echo(f"  {counted(topic.records, 'record')} to {safe(topic.topic)}{where}")
    for count, why in (
        (plan.parked, "parked: a redrive of them failed in the same way"),
        (plan.decided, "redriven, ignored or discarded"),
        (plan.without_source, "without a record that is known"),
    ):
        if count:
            click.echo(f"  left out: {count:,} {why}")
    if plan.repeating:
        click.echo(
            f"  beware: {counted(plan.repeating, 'record')} failed behind a fan-out: what their "
            "other branches wrote will be written again"
        )
    if plan.overtaken:
        keys = ", ".join(safe(each, max_cells=40) for each in plan.overtaken_keys[:3])
        click.echo(
            f"  beware: {counted(plan.overtaken, 'record')} will come after later ones of the same "
            f"key ({keys}{', …' if len(plan.overtaken_keys) > 3 else ''})"
        )
    if plan.unchecked:
        click.echo(
            f"  beware: {counted(plan.unchecked, 'partition')} too long to look for later records "
            "of the same key"
        )
    if plan.problem is not None:
        for line in diagnosis_lines(plan.problem):
            click.echo(line)


def print_progress(progress: RedriveProgress, *, as_json: bool) -> None:
    """Print how a redrive ended."""
    if as_json:
        print_json({"type": "redrive"}, progress)
        return
    click.echo(
        f"{progress.state}: {counted(progress.written, 'record')} written in "
        f"{progress.elapsed_s:.1f} s" + (f", {progress.failed:,} failed" if progress.failed else "")
    )
    if progress.problem is not None:
        for line in diagnosis_lines(progress.problem):
            click.echo(line)


def _group_lines(group: InboxGroup) -> Iterator[str]:
    states = ", ".join(f"{count:,} {state.value}" for state, count in group.states.items())
    what = " ".join(each for each in (group.kind, group.node) if each) or group.origin.value
    yield f"{group.fingerprint}  {counted(group.count, 'envelope')}: {states}"
    yield f"    {safe(what)}: {safe(group.exception_type)}"
    yield f"    {safe(group.reason, max_cells=_REASON_CELLS)}"
    parked = f", {group.parked:,} parked" if group.parked else ""
    yield f"    {_when(group.first_ms)} to {_when(group.last_ms)}{parked}"


def _row_line(row: EnvelopeRow) -> str:
    key = f" key {safe(row.key, max_cells=40)}" if row.key else ""
    attempt = f" attempt {row.attempt}" if row.attempt > 1 else ""
    source = f" of {safe(str(row.source))}" if row.source else ""
    reason = safe(row.reason, max_cells=_REASON_CELLS)
    return f"{safe(row.id)} {row.state.value}{source}{key}{attempt}: {reason}"


def _summary(value: InboxValue) -> Iterator[str]:
    yield (
        f"{counted(value.kept.seen, 'envelope')} in {counted(value.groups_total, 'group')}, "
        f"{value.open:,} open"
    )
    if value.kept.text:
        yield value.kept.text
    for topic in value.topics:
        if topic.strange:
            yield (
                f"{safe(topic.topic)}: {counted(topic.strange, 'record')} left alone, no envelope "
                "of any kind that is known"
            )


def _envelope_lines(opened: OpenEnvelope) -> Iterator[str]:
    row = opened.row
    yield _row_line(row)
    yield f"  {safe(' '.join(each for each in (row.kind, row.node) if each) or row.origin.value)}"
    yield f"  {safe(row.exception_type)}: {safe(row.reason)}"
    if opened.traceback:
        yield from (f"  {line}" for line in safe_lines(opened.traceback))
    for name, text in opened.headers:
        if name not in {"traceback", "exception.stacktrace", "stacktrace", "exception-stacktrace"}:
            yield f"  {safe(name)}: {safe(text, max_cells=_REASON_CELLS)}"
    if opened.source is not None:
        yield "the record that failed:"
        yield from _record_lines(opened.source)
    if opened.problem is not None:
        yield from diagnosis_lines(opened.problem)


def _record_lines(record: ShownRecord) -> Iterator[str]:
    if record.at_ms is not None:
        yield f"  at {_when(record.at_ms)}"
    yield f"  key: {_text(record.key)}"
    for name, value in record.headers:
        yield f"  header {safe(name)}: {_text(value)}"
    yield f"  value: {_text(record.value)}"


def _text(shown: ShownBytes) -> str:
    if shown.content is None:
        return "none"
    text = shown.content.decode("utf-8", "backslashreplace")
    if len(text) > _VALUE_CHARACTERS:
        return safe(text[:_VALUE_CHARACTERS]) + f" … {shown.size_bytes:,} bytes"
    return safe(text)


def _when(at_ms: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at_ms / 1000))
