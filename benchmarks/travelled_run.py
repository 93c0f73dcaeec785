"""The travelled flow on a broker that has its records: run plainly, and where it is replayed."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Final

import msgspec

from benchmarks.broker import prefill
from benchmarks.child import RunFailedError
from benchmarks.contestants import travelled
from benchmarks.movements import PARTITIONS, make_movement, movement_records
from loom_bench.broker import topics
from loom_bench.protocol.frames import Finished, Load, Loaded, LoadFailed, Start, Started
from loom_bench.session.host_process import HostEnded, HostNews, HostProcess
from loom_bench.session.snapshots.ground import Ground
from loom_bench.session.snapshots.replay_run import ReplayRunner
from loom_bench.session.snapshots.replay_value import CURRENT
from loom_runtime.recovery.history.cutting import fork_store
from loom_runtime.recovery.history.epochs import read_epochs
from loom_runtime.recovery.history.files import looking
from loom_runtime.recovery.history.forks import known_fork, remove_fork
from loom_runtime.recovery.history.segments import Counts

SOURCE: Final = "movements"
SINK: Final = "balances"

_SILENCE_S: Final = 120.0


def filled_ground(
    folder: Path, broker: str, *, records: int, large_id: int | None = None
) -> Ground:
    """Write the flow's module and its records; return where it runs and is replayed.

    Args:
        folder: An empty folder.
        broker: ``host:port`` of a broker without the flow's topics.
        records: How many.
        large_id: The one that the flow books wrongly; ``None`` for none.
    """
    module = folder / "travelled.py"
    module.write_text(Path(travelled.__file__).read_text())
    topics.create_topics(broker, {SOURCE: PARTITIONS, SINK: PARTITIONS})
    prefill(broker, SOURCE, _records(records, large_id))
    return Ground(store=folder / "store", target=str(module), bootstrap=broker, plaintext=True)


def _records(count: int, large_id: int | None) -> Iterator[tuple[int, bytes, bytes]]:
    for movement_id, record in enumerate(movement_records(count)):
        if movement_id == large_id:
            movement = msgspec.structs.replace(make_movement(movement_id), amount=10**9)
            yield record[0], record[1], msgspec.json.encode(movement)
        else:
            yield record


def _config(store: Path, broker: str) -> Path:
    """Write a configuration with a group of its own: another run's has read everything."""
    path = store.with_suffix(".yaml")
    path.write_text(
        f"kafka: {{consumer: {{brokers: ['{broker}'], group_id: {store.name}, "
        f"auto_offset_reset: earliest}}, producer: {{brokers: ['{broker}']}}}}\n"
    )
    return path


def run_plainly(ground: Ground, store: Path, *, records: int) -> float:
    """Run the flow over its records as ``loom-bench run --store`` does; return the seconds between
    its start and its end.

    Raises:
        RunFailedError: It failed, or said nothing for two minutes.
    """
    news: SimpleQueue[HostNews] = SimpleQueue()
    host = HostProcess(news.put)
    began_s = 0.0
    config = _config(store, ground.bootstrap or "")
    try:
        host.send(
            Load(
                target=ground.target,
                config_path=str(config),
                bootstrap=ground.bootstrap,
                plaintext=True,
                to_run=True,
            )
        )
        while True:
            item = news.get(timeout=_SILENCE_S)
            if isinstance(item, Loaded):
                host.send(Start(store=str(store), max_records=records))
            elif isinstance(item, Started):
                began_s = time.perf_counter()
            elif isinstance(item, Finished) and item.failure is None:
                return time.perf_counter() - began_s
            elif isinstance(item, Finished | LoadFailed | HostEnded):
                raise RunFailedError(f"the plain run failed: {item}")
    except Empty:
        raise RunFailedError("the plain run says nothing") from None
    finally:
        host.close()


def replay_again(ground: Ground, *, records: int = 0, record_by_record: bool = False) -> float:
    """Replay a fork of the store's first epoch; return the records per second between the first
    and the last news of it.

    Args:
        ground: Where the flow has run.
        records: Stop after so many; 0 goes up to where the run ended.
        record_by_record: Whether an epoch takes one record.

    Raises:
        ReplayFailedError: The replay failed.
    """
    with looking(ground.store) as store:
        epochs = [each for each in read_epochs(store, Counts()) if each.whole]
    fork = fork_store(ground.store, epochs[0].number)
    plan = ground.plan(
        known_fork(ground.store, fork.name),
        CURRENT,
        ends=epochs[-1].positions,
        max_records=records or None,
        record_by_record=record_by_record,
    )
    heard: list[tuple[float, int]] = []
    try:
        ReplayRunner(plan, lambda news: heard.append((time.perf_counter(), news.records))).run()
    finally:
        remove_fork(ground.store, fork.name)
    (began_s, before), (ended_s, after) = heard[0], heard[-1]
    return (after - before) / (ended_s - began_s)
