"""``loom-bench snapshots``: a recovery store read, forked, replayed, searched; no screen."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import Any

import click
import msgspec

from loom_bench.cli.app import EXIT_FAILED, EXIT_USAGE
from loom_bench.cli.diff import diff_command
from loom_bench.cli.snapshot_options import (
    broker_option,
    chosen_stop,
    chosen_store,
    map_option,
    mapped,
    opened_ground,
    stop_options,
    store_options,
    told_failures,
)


@click.group("snapshots")
def snapshots_command() -> None:
    """Read, fork, replay and compare what a flow's recovery store holds; the store itself is never
    written."""


snapshots_command.add_command(diff_command)


@snapshots_command.command("list")
@store_options
def list_command(**arguments: Any) -> None:
    """List the epochs of a store, and its forks."""
    with told_failures(as_json=arguments["as_json"]):
        from loom_bench.session.snapshots.reading import StoreReader  # noqa: PLC0415
        from loom_runtime.places import in_order, place_text_of  # noqa: PLC0415

        reader = StoreReader(chosen_store(arguments))
        reader.count()
        timeline, forks = reader.timeline(), reader.forks()
        if arguments["as_json"]:
            _print("timeline", timeline)
            for fork in forks:
                _print("fork", fork)
            return
        for epoch in timeline.epochs:
            marks = ", ".join(f"{mark.kind.value} {mark.text}".strip() for mark in epoch.marks)
            places = " ".join(place_text_of(*each) for each in in_order(epoch.positions))
            _say(
                f"{epoch.number:>8} {_time(epoch.at_ms)} {epoch.revision or '-':<12} "
                f"{epoch.keys_changed or 0:>7,} keys {epoch.state_bytes or 0:>9,} bytes  {places}  "
                f"{marks}{'' if epoch.complete else f' NOT WHOLE: {epoch.why_not}'}"
            )
        depths = {"": -1}
        for fork in forks:
            depths[fork.name] = depth = depths.get(fork.parent, -1) + 1
            _say(
                f"{'  ' * depth}fork {fork.name} of {fork.parent or 'the store'} at epoch "
                f"{fork.epoch}, revision {fork.revision or '-'}, {fork.size_bytes:,} bytes, made "
                f"{_time(fork.made_at_ms)} {fork.note}"
            )
        _say(
            f"{timeline.flow}: {len(timeline.epochs):,} epochs, the next is "
            f"{timeline.resume_epoch}; {timeline.size_bytes:,} bytes in {timeline.partitions} files"
        )


@snapshots_command.command("show")
@store_options
@click.argument("step")
@click.argument("key")
@click.option(
    "--decode-in-host",
    is_flag=True,
    help="Unpickle what another program wrote, in a process of its own: that runs its code.",
)
def show_command(**arguments: Any) -> None:
    """Show every value that a key has had."""
    with told_failures(as_json=arguments["as_json"]):
        from loom_bench.session.snapshots.reading import StoreReader  # noqa: PLC0415

        reader = StoreReader(chosen_store(arguments))
        history = reader.key(arguments["step"], arguments["key"])
        if arguments["decode_in_host"]:
            from loom_bench.session.snapshots.decoding import decoded_history  # noqa: PLC0415

            history = decoded_history(arguments["flow"], reader, history)
        if arguments["as_json"]:
            _print("key", history)
        else:
            for row in history.rows:
                _say(f"{row.written_at_epoch:>8} {row.text or '(discarded)'}")
    sys.exit(0 if history.rows else EXIT_FAILED)


@snapshots_command.command("state")
@store_options
@click.option("--epoch", type=int, help="The epoch; without it the last whole one.")
@click.option("--step", help="The step; without it the first one.")
@click.option("--search", default="", help="Only keys with this in them; `abc*` for a beginning.")
@click.option("--changed", is_flag=True, help="Only keys that the epoch wrote, with what differs.")
@click.option("--after", help="Begin behind this key.")
@click.option("--limit", type=click.IntRange(min=1), default=100, show_default=True)
def state_command(**arguments: Any) -> None:
    """Show the state at an epoch."""
    with told_failures(as_json=arguments["as_json"]):
        from loom_bench.session.snapshots.ground import last_epoch  # noqa: PLC0415
        from loom_bench.session.snapshots.reading import StoreReader  # noqa: PLC0415
        from loom_bench.session.snapshots.value import StateQuery  # noqa: PLC0415

        store = chosen_store(arguments)
        page = StoreReader(store).page(
            StateQuery(
                epoch=arguments["epoch"] or last_epoch(store),
                step_id=arguments["step"],
                search=arguments["search"],
                changed_only=arguments["changed"],
                after=arguments["after"],
                limit=arguments["limit"],
            )
        )
        if arguments["as_json"]:
            _print("state", page)
            return
        for row in page.rows:
            changes = "; ".join(f"{e.path}: {e.before} → {e.after}" for e in row.changes)
            _say(f"{row.key}  {row.text or '(discarded)'}  {changes}")
        if page.more:
            last = page.looked_up_to or page.rows[-1].key
            _say(f"more follow: --after {last!r}")


@snapshots_command.command("fork")
@store_options
@click.option("--epoch", type=int, help="The epoch; without it the last whole one.")
@click.option("--of", "parent", default="", help="Fork this fork instead of the store.")
@click.option("--name", default="", help="Its name; one is made without it.")
@click.option("--note", default="", help="What it is for.")
@click.option("--remove", metavar="NAME", help="Delete this fork instead.")
def fork_command(**arguments: Any) -> None:
    """Fork a store at an epoch, or delete a fork."""
    with told_failures(as_json=arguments["as_json"]):
        from loom_bench.session.snapshots.ground import last_epoch  # noqa: PLC0415
        from loom_runtime.recovery.history.cutting import fork_store  # noqa: PLC0415
        from loom_runtime.recovery.history.forks import known_fork, remove_fork  # noqa: PLC0415

        store = chosen_store(arguments)
        if arguments["remove"]:
            remove_fork(store, arguments["remove"])
            return
        parent = arguments["parent"]
        epoch = arguments["epoch"] or last_epoch(known_fork(store, parent))
        record = fork_store(
            store, epoch, parent=parent, name=arguments["name"], note=arguments["note"]
        )
        if arguments["as_json"]:
            _print("fork", record)
        else:
            _say(f"{record.name}: forked at epoch {record.epoch}")


@snapshots_command.command("check")
@store_options
@click.argument("fork")
@click.option("--revision", metavar="REVISION|PATH", default="current", show_default=True)
@broker_option
def check_command(**arguments: Any) -> None:
    """Tell whether a fork can be replayed with a revision, and which records are gone; exits with 1
    when it is refused."""
    with told_failures(as_json=arguments["as_json"]), opened_ground(arguments) as ground:
        from loom_bench.session.snapshots.compatibility import check_fit  # noqa: PLC0415
        from loom_bench.session.snapshots.value import Fit  # noqa: PLC0415
        from loom_runtime.recovery.history.forks import known_fork  # noqa: PLC0415

        fork, revision = arguments["fork"], arguments["revision"]
        folder, loaded = known_fork(ground.store, fork), ground.load(revision)
        found = check_fit(folder, loaded, fork=fork, revision=revision)
        if arguments["as_json"]:
            _print("compatibility", found)
        else:
            for each in found.findings:
                _say(f"{each.fit.value}: {each.what}. {each.what_next}")
            for old, new in found.suggested.items():
                _say(f"looks renamed: --map {old}={new}")
            _say(found.fit.value)
    sys.exit(EXIT_FAILED if found.fit is Fit.REFUSED else 0)


@snapshots_command.command("replay")
@store_options
@click.argument("fork")
@click.option("--revision", metavar="REVISION|PATH", default="current", show_default=True)
@stop_options
@click.option(
    "--pace", type=click.FloatRange(min=0), default=0.0, help="0: full speed; 1: as it was."
)
@click.option("--record-by-record", is_flag=True, help="One record an epoch.")
@click.option("--real-topics", is_flag=True, help="Write to the real topics too.")
@click.option("--confirm", default="", help="The fork's name, typed: needed for --real-topics.")
@map_option
@broker_option
def replay_command(**arguments: Any) -> None:
    """Replay a fork up to where the original run stood; outputs are captured."""
    if arguments["real_topics"] and arguments["confirm"] != arguments["fork"]:
        click.echo(
            f"Writing to real topics needs --confirm {arguments['fork']}: what is written cannot "
            "be taken back.",
            err=True,
        )
        sys.exit(EXIT_USAGE)
    with told_failures(as_json=arguments["as_json"]), opened_ground(arguments) as ground:
        from loom_bench.session.snapshots.replay_run import ReplayRunner  # noqa: PLC0415
        from loom_bench.session.snapshots.replay_value import ReplayRequest  # noqa: PLC0415
        from loom_bench.session.snapshots.replaying import replay_of  # noqa: PLC0415
        from loom_runtime.recovery.history.forks import known_fork  # noqa: PLC0415
        from loom_runtime.recovery.remapping import Remapping, remap_store  # noqa: PLC0415

        request = ReplayRequest(
            fork=arguments["fork"],
            revision=arguments["revision"],
            stop=chosen_stop(arguments),
            pace=arguments["pace"],
            record_by_record=arguments["record_by_record"],
            real_topics=arguments["real_topics"],
            confirmation=arguments["confirm"],
        )
        mapping, empty = mapped(arguments["mapping"])
        identity = ground.load(request.revision).identity if mapping or empty else None
        if identity is not None:
            folder = known_fork(ground.store, request.fork)
            remap_store(folder, identity, Remapping(renamed=mapping, emptied=empty))
        plan, warning = replay_of(ground, request)
        if not arguments["as_json"]:
            click.echo(warning, err=True)
        ended = ReplayRunner(plan).run()
        if arguments["as_json"]:
            _print("replay", ended)
        else:
            _say(
                f"{ended.records:,} records, {ended.outputs:,} outputs, {ended.failures:,} failed; "
                f"stopped by {ended.stopped_by}; outputs are in {plan.capture}"
            )


@snapshots_command.command("bisect")
@store_options
@click.option("--expression", default="", help="Holds while all is well: over state, outputs.")
@click.option("--pytest", "test", default="", help="A test that passes while all is well.")
@click.option("--good", type=int, help="An epoch at which it holds; without it the oldest.")
@click.option("--bad", type=int, help="An epoch at which it fails; without it the newest.")
@click.option("--revision", metavar="REVISION|PATH", default="current", show_default=True)
@broker_option
def bisect_command(**arguments: Any) -> None:
    """Find the first epoch and the first record at which a predicate fails."""
    if bool(arguments["expression"]) == bool(arguments["test"]):
        click.echo("Give either --expression or --pytest.", err=True)
        sys.exit(EXIT_USAGE)
    with told_failures(as_json=arguments["as_json"]), opened_ground(arguments) as ground:
        from loom_bench.session.snapshots.bisecting import Bisecter  # noqa: PLC0415
        from loom_bench.session.snapshots.bisection_value import BisectRequest  # noqa: PLC0415
        from loom_runtime.places import place_text_of  # noqa: PLC0415

        found = Bisecter(
            ground,
            BisectRequest(
                expression=arguments["expression"],
                pytest=arguments["test"],
                good_epoch=arguments["good"],
                bad_epoch=arguments["bad"],
                revision=arguments["revision"],
            ),
        ).run()
        if arguments["as_json"]:
            _print("bisection", found)
            return
        first = found.found
        place = ""
        if first is not None and first.partition:
            place = f"{place_text_of(first.partition, first.offset)} {first.record}"
        _say(f"first bad epoch {found.bad}; first bad record {place.strip() or 'not repeated'}")
        _say(f"{len(found.probes)} looks, {found.runs} of them replays")


@snapshots_command.command("why")
@store_options
@click.argument("step")
@click.argument("key")
@click.option(
    "--from", "from_epoch", type=int, required=True, help="Epoch before the first record."
)
@click.option("--to", "to_epoch", type=int, required=True, help="Epoch after the last one.")
@broker_option
def why_command(**arguments: Any) -> None:
    """Show the source records that touched a key between two epochs."""
    with told_failures(as_json=arguments["as_json"]), opened_ground(arguments) as ground:
        from loom_bench.session.snapshots.explaining import Explainer  # noqa: PLC0415
        from loom_bench.session.snapshots.value import Why  # noqa: PLC0415
        from loom_runtime.places import place_text_of  # noqa: PLC0415

        why = Explainer(
            ground,
            Why(
                step_id=arguments["step"],
                key=arguments["key"],
                from_epoch=arguments["from_epoch"],
                to_epoch=arguments["to_epoch"],
            ),
        ).run()
        if arguments["as_json"]:
            _print("why", why)
            return
        for touch in why.touches:
            _say(
                f"{place_text_of(touch.partition, touch.offset)} {touch.record}  "
                f"{touch.before or '-'} → {touch.after or '-'}"
            )


def _print(kind: str, value: msgspec.Struct) -> None:
    from loom_bench.cli.output import print_json  # noqa: PLC0415

    print_json({"type": kind}, value)


def _say(text: str) -> None:
    from loom_bench.safe import safe  # noqa: PLC0415

    click.echo(safe(text.rstrip()))


def _time(at_ms: int | None) -> str:
    if at_ms is None:
        return "-" * 19
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")
