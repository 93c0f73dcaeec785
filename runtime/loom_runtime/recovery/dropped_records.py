"""Tells the ledger of records that a batch or window held and that were dropped with its state."""

from __future__ import annotations

import pickle
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from loom_runtime.ledger import Fate, PartitionLedger, Receipt
from loom_runtime.recovery.contents import read_values
from loom_runtime.recovery.identity import SINK_STEP


class _Record(msgspec.Struct):
    offset: int


class _Group(msgspec.Struct):
    records: list[_Record]


class _Holder(msgspec.Struct):
    partition: str
    groups: list[_Group]


class _Ledger(msgspec.Struct):
    open_tokens: dict[int, Any]


def settled_ledgers(db_dir: Path, dropped_steps: Iterable[str]) -> dict[str, bytes]:
    """Return the ledgers of a store, pickled as Bytewax does, by partition key, in which the
    records that *dropped_steps* hold are filtered.

    Args:
        db_dir: Folder of the store.
        dropped_steps: Step ids of batches and windows, without the flow's.

    Raises:
        StoreError: When the store cannot be read.
        NotPlainError: When a value is something else than bytes.
        msgspec.DecodeError: When a value was not written by such a step.
    """
    held: dict[str, list[int]] = {}
    for step in dropped_steps:
        for blob in read_values(db_dir, step).values():
            holder = msgspec.msgpack.decode(blob, type=_Holder)
            offsets = [record.offset for group in holder.groups for record in group.records]
            held.setdefault(holder.partition, []).extend(offsets)
    ledgers = read_values(db_dir, SINK_STEP) if any(held.values()) else {}
    return {
        partition: pickle.dumps(_settled(partition, ledgers[partition], offsets))
        for partition, offsets in held.items()
        if offsets and partition in ledgers
    }


def _settled(key: str, blob: bytes, offsets: list[int]) -> bytes:
    topic, _, partition = key.rpartition(":")
    tracked = bool(msgspec.msgpack.decode(blob, type=_Ledger).open_tokens)
    ledger = PartitionLedger(topic, int(partition), tracked=tracked)
    ledger.load(blob)
    tokens = [(offset, -count, int(Fate.FILTERED)) for offset, count in Counter(offsets).items()]
    ledger.apply(
        Receipt(filtered=len(offsets), tokens=tokens if tracked else None, released=offsets)
    )
    ledger.close_epoch()
    return ledger.save()
