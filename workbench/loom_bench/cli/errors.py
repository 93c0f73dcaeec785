"""``loom-bench errors``: look at error envelopes, redrive them, hand them on; without a screen."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import IO, TYPE_CHECKING, Any

import click

from loom_bench.cli.app import EXIT_FAILED
from loom_bench.cli.errors_options import filtered, on_a_broker, with_traces
from loom_bench.cli.output import print_json

if TYPE_CHECKING:
    from loom_bench.session.envelopes.headless import HeadlessInbox
    from loom_bench.session.envelopes.terms import InboxFilter, Selection
    from loom_bench.session.envelopes.value import InboxValue


@click.group("errors")
def errors_command() -> None:
    """Look at a flow's error envelopes, redrive them, hand them on.

    They are read from the flow's error and dead-letter topics on a broker that runs. ENVELOPE is an
    id that `list` prints, or the fingerprint of a group, which stands for its newest envelope.
    """


@errors_command.command("list")
@on_a_broker
@filtered
@click.option(
    "--envelopes",
    "rows",
    metavar="N",
    type=click.IntRange(min=0),
    default=0,
    help="Print the newest N envelopes too.",
)
def list_command(*, headless: HeadlessInbox, as_json: bool, rows: int, **wanted: Any) -> None:
    """Print the groups of envelopes, the newest first."""
    from loom_bench.cli.errors_report import print_list  # noqa: PLC0415

    chosen = _filter_of(**wanted)
    headless.read_all()
    headless.inbox.set_filter(chosen)
    headless.inbox.show_rows(None, 0, rows)
    value = headless.until(
        lambda value: value.filter == chosen and len(value.window.rows) <= rows,
        "the envelopes were not filtered",
    )
    print_list(value, as_json=as_json)


@errors_command.command("show")
@on_a_broker
@click.argument("envelope", metavar="ENVELOPE")
def show_command(*, headless: HeadlessInbox, as_json: bool, envelope: str) -> None:
    """Print one envelope, and the record that failed."""
    from loom_bench.cli.errors_report import print_envelope  # noqa: PLC0415

    print_envelope(_opened(headless, envelope), as_json=as_json)


@errors_command.command("trace")
@with_traces
@click.argument("envelope", metavar="ENVELOPE")
def trace_command(*, headless: HeadlessInbox, as_json: bool, envelope: str) -> None:
    """Run the record of one envelope through the code on disk, node by node; nothing is written."""
    from loom_bench.cli.trace_report import print_keyed_state, print_trace  # noqa: PLC0415

    _opened(headless, envelope)
    view = headless.traced()
    print_trace(view, as_json=as_json)
    print_keyed_state(view, headless.traces, as_json=as_json)


@errors_command.command("retry")
@with_traces
@click.argument("envelope", metavar="ENVELOPE")
@click.option(
    "--value",
    metavar="FILE",
    type=click.File("rb"),
    help="What the record's value is replaced by; - for standard input.",
)
def retry_command(
    *, headless: HeadlessInbox, as_json: bool, envelope: str, value: IO[bytes] | None
) -> None:
    """Tell whether the record of one envelope passes in the code on disk; nothing is written.

    The exit code is 1 when it does not.
    """
    from loom_bench.cli.trace_report import print_keyed_state, print_outcome  # noqa: PLC0415

    shown = _opened(headless, envelope)
    headless.traced()
    if value is not None:
        before = shown.opened.trace if shown.opened else None
        headless.inbox.retry(value.read())
        headless.until(
            lambda value: value.opened is not None and value.opened.trace != before,
            "the record was not traced again",
        )
    view = headless.traced()
    passes = print_outcome(view, as_json=as_json)
    print_keyed_state(view, headless.traces, as_json=as_json)
    if not passes:
        sys.exit(EXIT_FAILED)


@errors_command.command("test")
@with_traces
@click.argument("envelope", metavar="ENVELOPE")
@click.option("--path", metavar="FILE", type=click.Path(), help="The file; beside FLOW without.")
def test_command(
    *, headless: HeadlessInbox, as_json: bool, envelope: str, path: str | None
) -> None:
    """Write a pytest file of one envelope: its record, and what comes of it in the code on disk."""
    from loom_bench.cli.trace_report import print_keyed_state  # noqa: PLC0415

    _opened(headless, envelope)
    view = headless.traced()
    _tell_notice(headless, lambda: headless.inbox.write_test(path), as_json=as_json)
    print_keyed_state(view, headless.traces, as_json=as_json)


@errors_command.command("export")
@on_a_broker
@click.argument("envelope", metavar="ENVELOPE")
@click.argument("file", metavar="FILE", type=click.Path())
def export_command(*, headless: HeadlessInbox, as_json: bool, envelope: str, file: str) -> None:
    """Write one envelope and its record to a file, as JSON when its name ends in .json."""
    _opened(headless, envelope)
    _tell_notice(headless, lambda: headless.inbox.export(file), as_json=as_json)


@errors_command.command("import")
@on_a_broker
@click.argument("file", metavar="FILE", type=click.Path(exists=True, dir_okay=False))
def import_command(*, headless: HeadlessInbox, as_json: bool, file: str) -> None:
    """Print an envelope that was exported."""
    from loom_bench.cli.errors_report import print_envelope  # noqa: PLC0415

    before = len(headless.inbox.value().notices)
    headless.inbox.import_file(file)
    value = headless.until(
        lambda value: value.opened is not None or len(value.notices) > before,
        "the file was not read",
    )
    if value.opened is None:
        _fail(value)
    print_envelope(value, as_json=as_json)


@errors_command.command("redrive")
@on_a_broker
@filtered
@click.option("--envelope", "envelopes", metavar="ENVELOPE", multiple=True, help="These.")
@click.option("--group", metavar="FINGERPRINT", help="All of a group.")
@click.option("--all", "everything", is_flag=True, help="All.")
@click.option("--to", "to_topic", metavar="TOPIC", help="A topic instead of the source.")
@click.option(
    "--through-flow",
    is_flag=True,
    help="Run them through the code on disk here, and write what comes out.",
)
@click.option(
    "--rate",
    "rate_per_s",
    metavar="N",
    type=click.FloatRange(min=0, min_open=True),
    help="Records per second; as fast as it goes without.",
)
@click.option(
    "--confirm",
    "address",
    metavar="HOST:PORT",
    help="Do it: the broker's address, typed once more. Without it nothing is written.",
)
def redrive_command(
    *,
    headless: HeadlessInbox,
    as_json: bool,
    to_topic: str | None,
    through_flow: bool,
    rate_per_s: float | None,
    address: str | None,
    **chosen: Any,
) -> None:
    """Write records back to where they came from, open and fixed ones.

    Prints what would be written, and writes it when the broker's address is given with --confirm.
    """
    from loom_bench.cli.errors_report import print_plan, print_progress  # noqa: PLC0415
    from loom_bench.session.envelopes.terms import RedriveGoal, RedriveTarget  # noqa: PLC0415

    selection = _selection(**chosen)
    goal = RedriveGoal.SOURCE if to_topic is None else RedriveGoal.TOPIC
    if through_flow and to_topic is not None:
        raise click.UsageError("either --to or --through-flow")
    if through_flow:
        goal = RedriveGoal.FLOW
    headless.read_all()
    headless.inbox.plan_redrive(selection, RedriveTarget(goal=goal, topic=to_topic or ""))
    value = headless.until(
        lambda value: value.plan is not None and not value.plan.counting, "the dry run did not end"
    )
    plan = value.plan
    if plan is None:
        return
    print_plan(plan, as_json=as_json)
    if plan.problem is not None:
        sys.exit(EXIT_FAILED)
    if address is None or not plan.records:
        return
    before = len(value.notices)
    headless.inbox.start_redrive(rate_per_s=rate_per_s, typed_address=address)
    value = headless.until(
        lambda value: _ended(value) or len(value.notices) > before,
        "the redrive did not end",
        limit_s=float("inf"),
    )
    if value.redrive is None:
        _fail(value)
    else:
        print_progress(value.redrive, as_json=as_json)
        if value.redrive.state != "done" or value.redrive.failed:
            sys.exit(EXIT_FAILED)


def _ended(value: InboxValue) -> bool:
    return value.redrive is not None and value.redrive.state != "running"


def _filter_of(states: tuple[str, ...], **wanted: Any) -> InboxFilter:
    from loom_bench.session.envelopes.terms import InboxFilter, TriageState  # noqa: PLC0415

    return InboxFilter(states=tuple(TriageState(each) for each in states), **wanted)


def _selection(
    envelopes: tuple[str, ...],
    group: str | None,
    everything: bool,
    **wanted: Any,
) -> Selection:
    from loom_bench.session.envelopes.terms import InboxFilter, Selection  # noqa: PLC0415

    chosen = _filter_of(**wanted)
    filtered = chosen != InboxFilter()
    if sum((bool(envelopes), group is not None, everything, filtered)) != 1:
        raise click.UsageError("say which: --envelope, --group, --all, or what must be in them")
    return Selection(
        envelopes=envelopes,
        group=group,
        filter=chosen if filtered else None,
        everything=everything,
    )


def _opened(headless: HeadlessInbox, envelope: str) -> InboxValue:
    """Return the inbox with an envelope open, its records fetched."""
    value = headless.read_all()
    if any(group.fingerprint == envelope for group in value.groups):
        headless.inbox.show_rows(envelope, 0, 1)
        value = headless.until(
            lambda value: value.window.fingerprint == envelope, "the group was not shown"
        )
        envelope = value.window.rows[0].id
    before = len(value.notices)
    headless.inbox.open_envelope(envelope)
    value = headless.until(
        lambda value: _is_open(value, envelope) or len(value.notices) > before,
        "the envelope was not fetched",
    )
    if not _is_open(value, envelope):
        _fail(value)
    return value


def _is_open(value: InboxValue, envelope: str) -> bool:
    opened = value.opened
    if opened is None or opened.row.id != envelope:
        return False
    return opened.record is not None or opened.problem is not None


def _tell_notice(headless: HeadlessInbox, ask: Callable[[], None], *, as_json: bool) -> None:
    """Ask for something and print what came of it."""
    from loom_bench.safe import safe  # noqa: PLC0415

    before = len(headless.inbox.value().notices)
    ask()
    value = headless.until(lambda value: len(value.notices) > before, "nothing came of it")
    notice = value.notices[-1]
    if notice.severity != "information":
        _fail(value)
    if as_json:
        print_json({"type": "written"}, notice)
    else:
        click.echo(safe(notice.text))


def _fail(value: InboxValue) -> None:
    """End with the newest notice."""
    from loom_bench.safe import safe  # noqa: PLC0415

    click.echo(safe(value.notices[-1].text), err=True)
    sys.exit(EXIT_FAILED)
