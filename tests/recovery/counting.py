"""A Bytewax flow that counts keys, run as a process: ``python -m tests.recovery.counting``.

Every record is an epoch of its own. It writes each key's newest count as JSON to standard output.
"""

from __future__ import annotations

import json
import os
import sys
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from time import sleep, time

import bytewax.operators as op
import msgspec
from bytewax.dataflow import Dataflow
from bytewax.inputs import AbortExecution, FixedPartitionedSource, StatefulSourcePartition
from bytewax.operators import StatefulBatchLogic
from bytewax.outputs import DynamicSink, StatelessSinkPartition
from bytewax.recovery import RecoveryConfig, init_db_dir
from bytewax.run import cli_main

from loom_runtime.recovery.identity import SOURCE_STEP
from loom_runtime.recovery.positions import decode_position, encode_position
from loom_runtime.recovery.store import prepare_store
from tests.recovery.stores import COUNT_STEP, FLOW, IDENTITY

KEYS = 7


class Job(msgspec.Struct, kw_only=True):
    """What one run does.

    Attributes:
        db_dir: Its store.
        records: Records of each partition in all.
        stop_at: Offset at which a run aborts; ``None`` runs to the end.
        guarded: Whether the store is prepared before.
        partitions: Source partitions.
        pause_s: Wait before each record.
        addresses: Addresses of a cluster.
        process_id: Index in it.
        workers: Worker threads of each process.
        files: Files of a new store.
    """

    db_dir: str
    records: int
    stop_at: int | None = None
    guarded: bool = True
    partitions: int = 1
    pause_s: float = 0.0
    addresses: tuple[str, ...] | None = None
    process_id: int | None = None
    workers: int = 1
    files: int = 3


def key_at(offset: int) -> str:
    """Return the key of the record at *offset*: runs of one key, then of the next."""
    return f"k{offset // 5 % KEYS}"


def expected_counts(job: Job) -> dict[str, int]:
    """Return what the whole input counts to."""
    counts: dict[str, int] = {}
    for partition in range(job.partitions):
        for offset in range(job.records):
            key = f"{partition}/{key_at(offset)}"
            counts[key] = counts.get(key, 0) + 1
    return counts


class _Records(StatefulSourcePartition[tuple[str, int], bytes]):
    def __init__(self, job: Job, part: str, state: bytes | None) -> None:
        self._job = job
        self._partition = int(part.rpartition(":")[2])
        self._offset = 0 if state is None else decode_position(state).offset

    def next_batch(self) -> list[tuple[str, int]]:
        if self._offset == self._job.stop_at:
            raise AbortExecution
        if self._offset == self._job.records:
            raise StopIteration
        sleep(self._job.pause_s)
        self._offset += 1
        return [(f"{self._partition}/{key_at(self._offset - 1)}", 1)]

    def snapshot(self) -> bytes:
        return encode_position(
            self._offset, at_ms=int(time() * 1000), revision="r1", epoch=self._offset
        )


class _Source(FixedPartitionedSource[tuple[str, int], bytes]):
    def __init__(self, job: Job) -> None:
        self._job = job

    def list_parts(self) -> list[str]:
        processes = len(self._job.addresses or ("",))
        return [
            f"keys:{partition}"
            for partition in range(self._job.partitions)
            if partition % processes == (self._job.process_id or 0)
        ]

    def build_part(self, step_id: str, for_part: str, resume_state: bytes | None) -> _Records:
        return _Records(self._job, for_part, resume_state)


class _Count(StatefulBatchLogic[int, int, bytes]):
    def __init__(self, state: bytes | None) -> None:
        self._count = 0 if state is None else int(state)

    def on_batch(self, values: list[int]) -> tuple[list[int], bool]:
        self._count += len(values)
        return [self._count], False

    def snapshot(self) -> bytes:
        return str(self._count).encode()


class _Out(StatelessSinkPartition[tuple[str, int]]):
    def write_batch(self, items: list[tuple[str, int]]) -> None:
        lines = "".join(json.dumps(item) + "\n" for item in items)
        os.write(sys.stdout.fileno(), lines.encode())


class _Sink(DynamicSink[tuple[str, int]]):
    def build(self, step_id: str, worker_index: int, worker_count: int) -> _Out:
        return _Out()


def build(job: Job) -> Dataflow:
    """Return the flow."""
    flow = Dataflow(FLOW.replace(".", "_"))
    keys = op.input(SOURCE_STEP, flow, _Source(job))
    counts = op.stateful_batch(COUNT_STEP, keys, _Count)
    op.output("out", counts, _Sink())
    return flow


def run(job: Job) -> None:
    """Run the flow."""
    db_dir = Path(job.db_dir)
    with ExitStack() as stack:
        if job.guarded:
            stack.enter_context(
                prepare_store(
                    db_dir,
                    IDENTITY,
                    partitions=job.files,
                    initialise=init_db_dir,
                    addresses=job.addresses,
                    process_id=job.process_id,
                )
            )
        cli_main(  # type: ignore[no-untyped-call]
            build(job),
            workers_per_process=job.workers,
            process_id=job.process_id,
            addresses=None if job.addresses is None else list(job.addresses),
            epoch_interval=timedelta(0),
            recovery_config=RecoveryConfig(db_dir, timedelta(days=1)),  # type: ignore[no-untyped-call]
        )


if __name__ == "__main__":
    run(msgspec.json.decode(sys.argv[1], type=Job))
