"""A replay ends where it was told to, as fast as it was told to; and goes on when it is told to."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from loom_bench.broker.embedded import EmbeddedBroker
from loom_bench.protocol.replaying import ReplayProgress
from loom_bench.session.snapshots.ground import Ground, last_epoch
from loom_bench.session.snapshots.replay_run import ReplayFailedError, ReplayRunner
from loom_bench.session.snapshots.replay_value import BreakpointStop, ReplayRequest, StopWhen
from loom_bench.session.snapshots.replaying import replay_of
from loom_bench.session.snapshots.value import EpochView
from loom_runtime.places import parse_offset
from loom_runtime.recovery.history.cutting import fork_store
from loom_runtime.recovery.history.forks import remove_fork
from loom_runtime.replay.capture import read_captured
from tests.snapshots.grounds import ran, whole_epochs

ORDERS = 300
FAILS_EVERY = 50
LIMIT_S = 60.0


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory, broker: EmbeddedBroker) -> Iterator[Ground]:
    folder = tmp_path_factory.mktemp("replayed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(folder / "home"))
        yield ran(folder, broker, "replayed", orders=ORDERS)


@pytest.fixture
def fork(ground: Ground) -> Iterator[str]:
    """A fork of the first epoch that has read something."""
    name = fork_store(ground.store, first(ground).number).name
    yield name
    remove_fork(ground.store, name)


def first(ground: Ground) -> EpochView:
    return whole_epochs(ground.store)[0]


def replayed(ground: Ground, fork: str, stop: StopWhen, **request: object) -> ReplayProgress:
    plan, _ = replay_of(ground, ReplayRequest(fork=fork, stop=stop, **request))  # type: ignore[arg-type]
    return ReplayRunner(plan).run()


def read(progress: ReplayProgress) -> dict[str, int]:
    return {key: progress.positions[key] - began for key, began in progress.began.items()}


def test_it_ends_where_the_original_run_stood(ground: Ground, fork: str) -> None:
    last = whole_epochs(ground.store)[-1]
    ended = replayed(ground, fork, StopWhen())
    assert (ended.positions, ended.stopped_by) == (last.positions, "the end offsets")
    assert ended.records == ORDERS - sum(first(ground).positions.values())


def test_it_ends_after_so_many_records(ground: Ground, fork: str) -> None:
    ended = replayed(ground, fork, StopWhen(records=17))
    assert (ended.records, ended.stopped_by) == (17, "17 records")


def test_it_ends_at_an_epoch_of_the_original(ground: Ground, fork: str) -> None:
    middle = whole_epochs(ground.store)[1]
    ended = replayed(ground, fork, StopWhen(epoch=middle.number))
    assert ended.positions == middle.positions


def test_it_ends_at_an_offset(ground: Ground, fork: str) -> None:
    last = whole_epochs(ground.store)[-1].positions
    key, began = next(iter(first(ground).positions.items()))
    ended = replayed(ground, fork, StopWhen(offsets={key: began + 5}))
    assert ended.positions == {**last, key: began + 5}


def test_it_ends_at_the_first_error(ground: Ground, fork: str) -> None:
    ended = replayed(ground, fork, StopWhen(first_error=True), record_by_record=True)
    assert (ended.failures, ended.stopped_by) == (1, "the first error")


def test_it_ends_before_a_record_that_meets_a_breakpoint(ground: Ground, fork: str) -> None:
    stop = StopWhen(breakpoint=BreakpointStop(node="Number", condition="payload.id > 200"))
    plan, _ = replay_of(ground, ReplayRequest(fork=fork, stop=stop, record_by_record=True))
    ended = ReplayRunner(plan).run()
    assert ended.stopped_by.startswith("the breakpoint before Number, at replayed[")
    written = [each.value or b"" for each in read_captured(plan.capture) if each.kind == "record"]
    ids = [json.loads(each)["id"] for each in written]
    assert ids
    assert max(ids) <= 200
    at = whole_epochs(plan.folder)[-1].positions
    place = parse_offset(ended.stopped_by.rpartition(" ")[2])
    assert place is not None
    assert at[place[0]] == place[1], "the fork stands just before the record"


def test_a_breakpoint_that_cannot_be_is_refused_before_anything_runs(
    ground: Ground, fork: str
) -> None:
    epoch = last_epoch(ground.store / "forks" / fork)
    for node, condition in (("Nobody", ""), ("Number", "import os")):
        stop = StopWhen(breakpoint=BreakpointStop(node=node, condition=condition))
        with pytest.raises(ReplayFailedError, match="cannot stop there"):
            replayed(ground, fork, stop)
    assert last_epoch(ground.store / "forks" / fork) == epoch


def test_it_runs_a_revision_that_the_bench_has_kept(ground: Ground, fork: str) -> None:
    """The code on disk is another by then."""
    kept = first(ground).revision
    assert kept is not None
    assert kept in {each.name for each in ground.revisions.listed()}
    assert ground.load("current").revision != kept
    plan, _ = replay_of(ground, ReplayRequest(fork=fork, revision=kept, stop=StopWhen(records=5)))
    runner = ReplayRunner(plan)
    assert runner.run().records == 5
    assert runner.loaded is not None
    assert runner.loaded.revision == kept
    assert whole_epochs(plan.folder)[-1].revision == kept

    copy = ground.store.parent / "copy" / "orders.py"
    copy.parent.mkdir()
    copy.write_bytes(Path(plan.target).read_bytes())
    elsewhere = Ground(
        store=ground.store, target=str(copy), bootstrap=ground.bootstrap, plaintext=True
    )
    assert elsewhere.revisions.keep(elsewhere.load("current"))
    assert [each.name for each in elsewhere.revisions.listed()] == [kept]


class Steered:
    """A replay on a thread of its own."""

    def __init__(self, ground: Ground, request: ReplayRequest) -> None:
        plan, _ = replay_of(ground, request)
        self._changed = threading.Condition()
        self.heard: list[tuple[float, ReplayProgress]] = []
        self.runner = ReplayRunner(plan, self._hear)
        self._thread = threading.Thread(target=self.runner.run, daemon=True)
        self._thread.start()

    def _hear(self, progress: ReplayProgress) -> None:
        with self._changed:
            self.heard.append((time.monotonic(), progress))
            self._changed.notify_all()

    def until(self, holds: Callable[[ReplayProgress], bool], what: str) -> ReplayProgress:
        with self._changed:
            heard = self._changed.wait_for(
                lambda: bool(self.heard) and holds(self.heard[-1][1]), LIMIT_S
            )
            assert heard, f"not seen: {what}; last was {self.heard[-1:]}"
            return self.heard[-1][1]

    def end(self) -> None:
        self.runner.stop()
        self._thread.join(LIMIT_S)
        assert not self._thread.is_alive()


def test_it_pauses_and_goes_by_a_batch_and_by_an_epoch(ground: Ground, fork: str) -> None:
    steered = Steered(ground, ReplayRequest(fork=fork, paused=True))
    began = steered.until(lambda news: news.paused and len(news.began) == 4, "it waits")
    assert began.records == 0
    steered.runner.step("record")
    assert steered.until(lambda news: news.records > 0, "a record").records == 1
    steered.runner.step("epoch")
    epoch = steered.until(lambda news: news.records > 1 and news.paused, "an epoch is read")
    assert epoch.barriers > began.barriers
    steered.runner.step("batch")
    steered.until(lambda news: news.paused, "it waits again")
    steered.runner.resume()
    whole = ORDERS - sum(first(ground).positions.values())
    steered.until(lambda news: news.records == whole, "it has gone on to the end")
    steered.end()


def test_it_is_as_fast_as_the_records_were_or_so_many_times(ground: Ground, fork: str) -> None:
    """The feed wrote the records of three runs: between two of them nothing was written for a
    while, which a replay at their pace waits for."""
    whole = ORDERS - sum(first(ground).positions.values())
    steered = Steered(ground, ReplayRequest(fork=fork, pace=0.001))
    seen = steered.until(lambda news: len(news.began) == 4, "it reads")
    assert seen.records < whole
    steered.runner.set_pace(1000.0)
    steered.until(lambda news: news.records == whole, "it has caught up")
    steered.end()


def test_the_store_itself_and_real_topics_unconfirmed_are_refused(
    ground: Ground, fork: str
) -> None:
    with pytest.raises(ReplayFailedError, match="store itself is never replayed"):
        replay_of(ground, ReplayRequest(fork=""))
    with pytest.raises(ReplayFailedError, match="not confirmed"):
        replay_of(ground, ReplayRequest(fork=fork, real_topics=True, confirmation="yes"))
    assert Path(ground.store / "forks" / fork).is_dir()
