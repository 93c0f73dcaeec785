"""Gives the state of a step that was renamed to its successor, or drops it; with no run under way.

The files of a store cannot be changed as one. So what is to be done is written down first, every
part of it can be done twice, and whoever prepares the store next finishes what was begun.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import msgspec

from loom_runtime.compiler.plan import NodeKind
from loom_runtime.model import LoomFrozenStruct
from loom_runtime.recovery.difference import difference, refuse
from loom_runtime.recovery.dropped_records import settled_ledgers
from loom_runtime.recovery.errors import NotPlainError, StoreDamagedError, StoreMismatchError
from loom_runtime.recovery.identity import (
    SINK_STEP,
    SOURCE_STEP,
    IdentityFile,
    StoreIdentity,
    StoreStage,
    load_identity,
    save_identity,
    store_step_id,
    sync_folder,
)
from loom_runtime.recovery.lease import Claim, leased
from loom_runtime.recovery.part_access import Access
from loom_runtime.recovery.parts import PartFile, check_complete, part_files

REMAPPING_FILE: Final = "loom-remapping.json"

_WAIT_S: Final = 5.0


class Remapping(LoomFrozenStruct, frozen=True, kw_only=True):
    """What is to become of state that a revision does not read by itself.

    Attributes:
        renamed: New step id by old step id.
        emptied: Ids of steps whose state is dropped.
    """

    renamed: dict[str, str] = msgspec.field(default_factory=dict)
    emptied: tuple[str, ...] = ()


class _Journal(LoomFrozenStruct, frozen=True, kw_only=True):
    moved: dict[str, str]
    dropped: tuple[str, ...]
    dropped_keys: dict[str, tuple[str, ...]]
    ledgers: dict[str, bytes]
    ledger_step: str
    after: IdentityFile


def remapped_identity(
    stored: StoreIdentity, current: StoreIdentity, remapping: Remapping, *, where: str
) -> StoreIdentity:
    """Return whose a store is when it was remapped for a plan.

    The flow may have another name and read fewer topics: its steps are the same ones.

    Args:
        stored: Identity in the store.
        current: What the plan demands.
        remapping: What is to become of the state.
        where: The store, for errors.

    Raises:
        StoreMismatchError: When the remapping names steps that are not there, leaves state that
            the plan cannot read, or gives one step the state of two.
    """
    renamed, emptied = remapping.renamed, remapping.emptied
    unknown = [each for each in (*renamed, *emptied) if each not in stored.steps]
    taken = [each for each in renamed.values() if each in stored.steps]
    missing = [each for each in renamed.values() if each not in current.steps]
    doubled = len(set(renamed.values())) < len(renamed) or set(renamed) & set(emptied)
    if unknown or taken or missing or doubled:
        raise StoreMismatchError(
            "the state cannot be moved so: "
            + (
                f"the store has no state of {unknown[0]!r}"
                if unknown
                else f"the store has state of {taken[0]!r} already"
                if taken
                else f"the flow has no step {missing[0]!r}"
                if missing
                else "a step is named twice"
            ),
            where=where,
            what_next="give each state that has lost its step one new step, or drop it",
        )
    kept = StoreIdentity(
        flow=current.flow,
        topics=tuple(topic for topic in stored.topics if topic in current.topics),
        steps={
            renamed.get(step_id, step_id): step
            for step_id, step in stored.steps.items()
            if step_id not in emptied
        },
    )
    refuse(where, difference(kept, current))
    return kept


def remap_store(db_dir: Path, current: StoreIdentity, remapping: Remapping) -> None:
    """Change the store in *db_dir* so that a plan resumes from it.

    Args:
        db_dir: Folder of the store; no run may use it.
        current: What the plan demands.
        remapping: What is to become of the state.

    Raises:
        StoreMismatchError: As :func:`remapped_identity`.
        StoreDamagedError: When files are missing, damaged or not Bytewax's.
        StoreBusyError: When a run uses the store.
        StoreUnreachableError: When the machine refuses.
        OSError: When the file system refuses.
    """
    claim = Claim(db_dir=db_dir, cluster="", process_id=0, processes=1, timeout_s=_WAIT_S)
    with leased(claim):
        finish_remapping(db_dir)
        found = load_identity(db_dir)
        if found is None or found.stage is not StoreStage.READY:
            raise StoreDamagedError(
                "the store does not say whose it is",
                where=str(db_dir),
                what_next="run the flow that it belongs to once",
            )
        after = remapped_identity(found.identity, current, remapping, where=str(db_dir))
        _write_journal(db_dir, _journal(db_dir, found, after, remapping))
        finish_remapping(db_dir)


def finish_remapping(db_dir: Path) -> bool:
    """Do what a remapping that was begun has left; return whether there was one.

    For whoever holds the store's lease.

    Raises:
        StoreDamagedError: When it cannot be understood, or files are missing.
        OSError: When the file system refuses.
    """
    path = db_dir / REMAPPING_FILE
    try:
        journal = msgspec.json.decode(path.read_bytes(), type=_Journal)
    except FileNotFoundError:
        return False
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise StoreDamagedError(
            f"what was begun with the store cannot be understood: {error}",
            where=str(path),
            what_next="restore the whole folder from a backup",
        ) from error
    with ExitStack() as stack:
        files = [stack.enter_context(PartFile(part, Access.WRITE)) for part in part_files(db_dir)]
        check_complete(db_dir, [file.read() for file in files], journal.after.partitions)
        for file in files:
            for partition, ledger in journal.ledgers.items():
                file.replace_latest(journal.ledger_step, partition, ledger)
            file.remap(journal.moved, journal.dropped, journal.dropped_keys)
    save_identity(db_dir, journal.after)
    path.unlink()
    sync_folder(db_dir)
    return True


def _journal(
    db_dir: Path, found: IdentityFile, after: StoreIdentity, remapping: Remapping
) -> _Journal:
    before = found.identity
    steps: Mapping[str, str] = {
        **{each: each for each in (SOURCE_STEP, SINK_STEP, *before.steps)},
        **remapping.renamed,
    }
    moved = {
        store_step_id(before.flow, old): store_step_id(after.flow, new)
        for old, new in steps.items()
        if old not in remapping.emptied
    }
    gone = tuple(f"{topic}:" for topic in before.topics if topic not in after.topics)
    ends = (SOURCE_STEP, SINK_STEP)
    holding = [
        each for each in remapping.emptied if before.steps[each].kind is NodeKind.COLLECT_BATCH
    ]
    return _Journal(
        moved={old: new for old, new in moved.items() if old != new},
        dropped=tuple(store_step_id(before.flow, each) for each in remapping.emptied),
        dropped_keys={store_step_id(before.flow, end): gone for end in ends} if gone else {},
        ledgers=_ledgers(db_dir, holding),
        ledger_step=store_step_id(before.flow, SINK_STEP),
        after=IdentityFile(stage=StoreStage.READY, partitions=found.partitions, identity=after),
    )


def _ledgers(db_dir: Path, holding: list[str]) -> dict[str, bytes]:
    try:
        return settled_ledgers(db_dir, holding)
    except (NotPlainError, msgspec.MsgspecError) as error:
        raise StoreDamagedError(
            f"what batches and windows hold cannot be read: {error}",
            where=str(db_dir),
            what_next="keep the step that holds it, or start with an empty store",
        ) from error


def _write_journal(db_dir: Path, journal: _Journal) -> None:
    temporary = db_dir / f"{REMAPPING_FILE}.tmp"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(msgspec.json.encode(journal))
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(db_dir / REMAPPING_FILE)
    sync_folder(db_dir)
