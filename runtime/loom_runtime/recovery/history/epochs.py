"""The epochs that a store holds: when, where its sources stood, which code, what happened."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from datetime import UTC, datetime
from enum import StrEnum

import msgspec

from loom_runtime.recovery.errors import NotPlainError
from loom_runtime.recovery.history.files import OpenStore
from loom_runtime.recovery.history.forks import load_fork
from loom_runtime.recovery.history.segments import Counts
from loom_runtime.recovery.identity import SINK_STEP, SOURCE_STEP, store_step_id
from loom_runtime.recovery.pickled import read_pickled
from loom_runtime.recovery.positions import SourcePosition, decode_position
from loom_runtime.recovery.run_log import read_runs


class Happening(StrEnum):
    """What can happen at an epoch.

    ``start``: a run began with it. ``reload``: one began, with other code. ``error``: records
    failed in it. ``drain``: it is the last of a run that ended in order. ``crash``: it is the last
    whole one of a run that did not.
    """

    START = "start"
    RELOAD = "reload"
    ERROR = "error"
    DRAIN = "drain"
    CRASH = "crash"


class EpochMark(msgspec.Struct, frozen=True):
    """Something that happened at an epoch.

    Attributes:
        kind: What.
        text: In words.
        count: Records that failed.
    """

    kind: Happening
    text: str = ""
    count: int = 0


class Epoch(msgspec.Struct, kw_only=True):
    """One epoch.

    Attributes:
        number: Its number.
        at_ms: When it was closed, milliseconds since 1970.
        positions: Next offset to read, by source partition.
        records: Records consumed since the epoch before it that is still there.
        keys_changed: Rows of stateful steps; ``None`` when they were not counted.
        state_bytes: Size of their values.
        revision: Revision that wrote it.
        marks: What happened at it.
        whole: Whether every partition has it.
        why_not: Why it may not be chosen.
    """

    number: int
    at_ms: int | None = None
    positions: dict[str, int] = {}
    records: int | None = None
    keys_changed: int | None = None
    state_bytes: int | None = None
    revision: str | None = None
    marks: list[EpochMark] = []
    whole: bool = True
    why_not: str = ""


class _Ledger(msgspec.Struct):
    counts: dict[str, int]


def read_epochs(store: OpenStore, counts: Counts) -> list[Epoch]:
    """Return the epochs that *store* holds, oldest first.

    Those of our own runtime come from the rows of their sources; of another program's only numbers
    and times are known, once they were counted.

    Raises:
        StoreError: When a file cannot be read.
    """
    flow = flow_id(store)
    epochs: dict[int, Epoch] = {}
    if flow is not None:
        for key, number, position in _positions(store, f"{flow}.{SOURCE_STEP}"):
            _place(epochs.setdefault(number, Epoch(number=number)), key, position)
    _add_counts(epochs, counts, flow, foreign=not epochs)
    found = [epochs[number] for number in sorted(epochs)]
    if load_fork(store.db_dir) is not None:  # what lies behind its cut is not its own
        found = [each for each in found if each.number < store.resume_epoch]
    _judge(store, found)
    if flow is not None:
        _add_ledgers(found, _ledgers(store, f"{flow}.{SINK_STEP}"))
    _add_starts(store, found)
    return found


def flow_id(store: OpenStore) -> str | None:
    """Return the id that the flow's steps begin with; ``None`` when several do."""
    if store.identity is not None:
        return store_step_id(store.identity.identity.flow, "").removesuffix(".")
    flows = {step.partition(".")[0] for file in store.files for step in file.steps()}
    return flows.pop() if len(flows) == 1 else None


def _positions(store: OpenStore, step_id: str) -> Iterator[tuple[str, int, SourcePosition]]:
    for file in store.files:
        for key, number, blob in file.scan(_OF_STEP, (step_id,)):
            try:
                value = None if blob is None else read_pickled(blob)
                if value is not None:
                    yield key, number, decode_position(value)
            except NotPlainError:
                return


_OF_STEP = "SELECT state_key, snap_epoch, ser_change FROM snaps WHERE step_id = ?"


def _ledgers(store: OpenStore, step_id: str) -> dict[int, dict[str, dict[str, int]]]:
    """Return the counters of each source partition's ledger by epoch."""
    found: dict[int, dict[str, dict[str, int]]] = {}
    decode = msgspec.msgpack.Decoder(_Ledger).decode
    for file in store.files:
        for key, number, blob in file.scan(_OF_STEP, (step_id,)):
            try:
                value = None if blob is None else read_pickled(blob)
                if value is not None:
                    found.setdefault(number, {})[key] = decode(value).counts
            except (NotPlainError, msgspec.MsgspecError, UnicodeDecodeError):
                return found
    return found


def _place(epoch: Epoch, key: str, position: SourcePosition) -> None:
    epoch.positions = {**epoch.positions, key: position.offset}
    epoch.at_ms = max(epoch.at_ms or 0, position.at_ms)
    epoch.revision = position.revision or epoch.revision


def _add_counts(
    epochs: dict[int, Epoch], counts: Counts, flow: str | None, *, foreign: bool
) -> None:
    ends = {f"{flow}.{SOURCE_STEP}", f"{flow}.{SINK_STEP}"}
    for stretch in counts.stretches():
        if foreign:
            epochs.setdefault(stretch.epoch, Epoch(number=stretch.epoch))
        epoch = epochs.get(stretch.epoch)
        if epoch is None:
            continue
        if foreign:
            epoch.at_ms = max(epoch.at_ms or 0, _sqlite_time_ms(stretch.at))
        if foreign or stretch.step_id not in ends:
            epoch.keys_changed = (epoch.keys_changed or 0) + stretch.rows
            epoch.state_bytes = (epoch.state_bytes or 0) + stretch.size_bytes
        else:
            epoch.keys_changed = epoch.keys_changed or 0
            epoch.state_bytes = epoch.state_bytes or 0


def _judge(store: OpenStore, epochs: list[Epoch]) -> None:
    """Say which epochs may be chosen, and fill in where partitions that were not read stood.

    A partition that has come to its end writes nothing more in its run. One that wrote later and
    not in this epoch says that the history was thinned here.
    """
    starts = [number for number, _ in store.starts] or [0]
    last_row: dict[tuple[int, str], int] = {}
    for epoch in epochs:
        run = bisect_right(starts, epoch.number)
        for key in epoch.positions:
            last_row[run, key] = epoch.number
    known: dict[str, int] = {}
    for epoch in epochs:
        run = bisect_right(starts, epoch.number)
        missing = [
            key
            for (of_run, key), last in last_row.items()
            if of_run == run and epoch.number < last and key not in epoch.positions
        ]
        epoch.positions = known = {**known, **epoch.positions}
        epoch.whole = store.is_whole(epoch.number) and not missing
        if epoch.whole:
            continue
        if epoch.number >= store.resume_epoch:
            epoch.why_not = "it is not over in every partition"
        elif missing:
            epoch.why_not = f"the history of it was thinned out ({missing[0]} has no snapshot)"
        else:
            epoch.why_not = f"what was superseded before epoch {store.oldest_epoch} was deleted"


def _add_ledgers(epochs: list[Epoch], ledgers: dict[int, dict[str, dict[str, int]]]) -> None:
    """Tell how many records an epoch consumed, and how many of them failed."""
    before: dict[str, dict[str, int]] = {}
    stood: dict[str, int] = {}
    for epoch in epochs:
        now = ledgers.get(epoch.number)
        if now is None:  # the sink writes what has changed
            epoch.records = 0 if ledgers and epoch.positions == stood else None
            stood = epoch.positions
            continue
        stood = epoch.positions
        consumed = _grown(before, now, "consumed")
        failed = _grown(before, now, "errored")
        epoch.records = consumed
        if failed > 0:
            epoch.marks = [
                *epoch.marks,
                EpochMark(Happening.ERROR, f"{failed:,} record(s) failed", failed),
            ]
        before = {**before, **now}


def _grown(before: dict[str, dict[str, int]], now: dict[str, dict[str, int]], name: str) -> int:
    return sum(
        counts.get(name, 0) - before.get(key, {}).get(name, 0) for key, counts in now.items()
    )


def _add_starts(store: OpenStore, epochs: list[Epoch]) -> None:
    """Mark the first epoch of each run and the last one of the run before it."""
    if not epochs:
        return
    endings = {each.epoch: each.how for each in read_runs(store.db_dir)}
    starts = [number for number, _ in store.starts]
    for index, start in enumerate(starts):
        following = starts[index + 1] if index + 1 < len(starts) else None
        first = next((each for each in epochs if each.number >= start), None)
        if first is not None and (following is None or first.number < following):
            previous = next((e for e in reversed(epochs) if e.number < first.number), None)
            changed = previous is not None and previous.revision != first.revision
            kind = Happening.RELOAD if changed else Happening.START
            text = f"revision {first.revision}" if first.revision else ""
            first.marks = [EpochMark(kind, text), *first.marks]
        how = endings.get(start)
        over = following is not None or how in ("ended", "failed")
        upper = store.resume_epoch if following is None else following
        last = next((e for e in reversed(epochs) if start <= e.number < upper), None)
        if last is not None and over and how is not None:
            kind = Happening.DRAIN if how == "ended" else Happening.CRASH
            last.marks = [*last.marks, EpochMark(kind, _ENDINGS[how])]


_ENDINGS = {
    "ended": "the run ended in order",
    "failed": "the run failed",
    "killed": "the run was killed",
}


def _sqlite_time_ms(text: str) -> int:
    try:
        moment = datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
    except ValueError:
        return 0
    return int(moment.timestamp() * 1000)
