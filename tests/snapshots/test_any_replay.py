"""Any flow, run on threads or processes and killed: a fork of any epoch, replayed, ends exactly as
the oracle says, and the original's bytes stay as they are."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections import Counter
from pathlib import Path

import msgspec
import pytest
from confluent_kafka import Producer
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from loom_bench.session.snapshots.ground import Ground, last_epoch
from loom_bench.session.snapshots.replay_run import ReplayRunner
from loom_runtime.recovery.history.cutting import fork_store
from loom_runtime.recovery.history.epochs import Epoch, read_epochs
from loom_runtime.recovery.history.files import looking
from loom_runtime.recovery.history.forks import known_fork
from loom_runtime.recovery.history.segments import Counts
from loom_runtime.recovery.history.state import read_all
from loom_runtime.recovery.history.values import show_value
from loom_runtime.recovery.identity import load_identity, store_step_id
from loom_runtime.recovery.pickled import read_pickled
from loom_runtime.replay.capture import read_captured
from tests.delivery.places import Place
from tests.snapshots.random_flows import (
    BEGAN_MS,
    NAME,
    SHAPES,
    STEP_MS,
    Item,
    Oracle,
    Shape,
    Tally,
    item_at,
)
from tests.snapshots.random_run import run_cluster

pytestmark = pytest.mark.timeout(240)

ROOT = Path(__file__).parents[2]
MOST = 30
"""Records of a partition."""


class History(msgspec.Struct, frozen=True, kw_only=True):
    """What a store has been through, and where it is forked.

    Attributes:
        seed: Of the records.
        ends: Records of each source partition.
        workers: Worker threads of each process, and processes: one of the two is 1.
        files: Files of the store.
        kills: Records after which everything is killed.
        forks: Where epochs are chosen, as shares of the history.
        batch_size: Most records of a read.
    """

    seed: int
    ends: list[int]
    workers: tuple[int, int]
    files: int
    kills: list[int]
    forks: list[float]
    batch_size: int


HISTORIES = st.builds(
    History,
    seed=st.integers(0, 1_000),
    ends=st.lists(st.integers(1, MOST), min_size=1, max_size=3),
    workers=st.sampled_from([(1, 1), (2, 1), (3, 1), (1, 2), (1, 3)]),
    files=st.integers(1, 3),
    kills=st.lists(st.integers(1, 2 * MOST), max_size=2),
    forks=st.lists(st.floats(0, 1, exclude_max=True), min_size=1, max_size=2),
    batch_size=st.integers(1, 8),
)


class _Record(msgspec.Struct):
    offset: int


class _Group(msgspec.Struct):
    records: list[_Record]


class _Holder(msgspec.Struct):
    partition: str
    groups: list[_Group]


def produce(place: Place, history: History) -> None:
    producer = Producer({"bootstrap.servers": place.bootstrap, "linger.ms": 5, "log_level": 0})
    for partition, end in enumerate(history.ends):
        for number in range(end):
            producer.produce(
                place.names["items"],
                msgspec.json.encode(item_at(partition, number, history.seed)),
                partition=partition,
                timestamp=BEGAN_MS + number * STEP_MS,
            )
    assert producer.flush(15) == 0


def check_state(folder: Path, epoch: int, oracle: Oracle) -> None:
    """Compare the state at the end of an epoch, and what batches and windows hold."""
    stored = load_identity(folder)
    assert stored is not None
    held: dict[int, list[int]] = {partition: [] for partition in oracle.held}
    with looking(folder) as store:
        for step in stored.identity.steps:
            rows = read_all(store, store_step_id(NAME, step), epoch)
            if step in oracle.state:
                found = {key: msgspec.convert(show_value(blob).data, Tally) for key, blob in rows}
                assert found == oracle.state[step], step
                continue
            for _, blob in rows:
                holder = msgspec.msgpack.decode(read_pickled(blob) or b"", type=_Holder)
                offsets = [each.offset for group in holder.groups for each in group.records]
                held[int(holder.partition.rpartition(":")[2])] = offsets
    assert held == oracle.held


def check_outputs(capture: Path, before: Oracle, after: Oracle) -> None:
    """Compare what a replay gave with what the oracle makes of its stretch."""
    outputs: Counter[tuple[int, int, Item]] = Counter()
    failures: Counter[tuple[int, int]] = Counter()
    for each in read_captured(capture):
        partition = int(each.partition.rpartition(":")[2])
        if each.kind == "record":
            item = msgspec.json.decode(each.value or b"", type=Item)
            outputs[partition, each.offset, item] += 1
        elif each.kind == "failure":
            failures[partition, each.offset] += 1
    assert outputs == after.outputs - before.outputs
    assert failures == after.failures - before.failures


def digest(folder: Path) -> dict[str, str]:
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.iterdir())
        if path.is_file()
    }


def whole_epochs(folder: Path) -> list[Epoch]:
    with looking(folder) as store:
        return [each for each in read_epochs(store, Counts()) if each.whole]


def upto(epoch: Epoch, history: History) -> list[int]:
    at = {int(key.rpartition(":")[2]): offset for key, offset in epoch.positions.items()}
    return [at.get(partition, 0) for partition in range(len(history.ends))]


@settings(
    max_examples=10,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(SHAPES, HISTORIES)
def test_a_replayed_fork_ends_as_the_oracle(
    embedded: Place, monkeypatch: pytest.MonkeyPatch, shape: Shape, history: History
) -> None:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
    threads, processes = history.workers
    place = Place("embedded", embedded.topics)
    place.topic("items", partitions=len(history.ends))
    place.topic("out")
    place.topic("errors")
    produce(place, history)
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        store = folder / "store"
        config = place.config(
            consumer={"batch_size": history.batch_size},
            workers_per_process=threads,
            epoch_interval_ms=5,
            recovery={"db_dir": str(store), "partitions": history.files},
        )
        module = folder / "travelling.py"
        module.write_text(
            "from tests.snapshots.random_flows import Shape, build\n\n"
            f"flow = build(Shape(stages={shape.stages!r}, batch={shape.batch}, "
            f"states={shape.states}))\n"
        )
        module.with_suffix(".yaml").write_text(json.dumps(config))
        for kill_at in history.kills:
            run_cluster(shape, config, processes, kill_at=kill_at)
        run_cluster(shape, config, processes)

        epochs, before = whole_epochs(store), digest(store)
        end = Oracle(shape, history.seed, history.ends)
        check_state(store, epochs[-1].number, end)
        ground = Ground(store=store, target=str(module), bootstrap=place.bootstrap, plaintext=True)
        for share in history.forks:
            epoch = epochs[int(share * len(epochs))]
            note(f"epoch {epoch.number} of {len(epochs)}, {epoch.positions}")
            begin = Oracle(shape, history.seed, upto(epoch, history))
            check_state(store, epoch.number, begin)
            fork = known_fork(store, fork_store(store, epoch.number).name)
            plan = ground.plan(fork, "", ends=epochs[-1].positions)
            ReplayRunner(plan).run()
            check_state(fork, last_epoch(fork), end)
            check_outputs(plan.capture, begin, end)
        assert digest(store) == before
