"""A live session's store: opened, browsed, forked, replayed, compared, while the flow runs."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from pathlib import Path

from loom_bench.session.snapshots.comparison_value import CompareRequest, ComparisonPhase
from loom_bench.session.snapshots.replay_value import ReplayPhase, ReplayRequest, StopWhen
from loom_bench.session.snapshots.value import EpochView, Fit, SnapshotsValue, StateQuery, Timeline
from loom_bench.session.value import SessionValue
from tests.bench.live.sessions import STATEFUL_FLOW, Live


def until(live: Live, holds: Callable[[SnapshotsValue], object], what: str) -> SnapshotsValue:
    def held(value: SessionValue) -> object:
        return holds(value.snapshots)

    return live.until(held, what, timeout_s=60.0).snapshots


def has_read(value: SnapshotsValue) -> bool:
    """Whether ten whole epochs have read something."""
    return value.timeline is not None and len(reading_epochs(value.timeline)) > 10


def reading_epochs(timeline: Timeline) -> list[EpochView]:
    """Whole epochs by whose end something was read, each at other positions."""
    found: list[EpochView] = []
    for epoch in timeline.epochs:
        moved = not found or found[-1].positions != epoch.positions
        if epoch.complete and moved and any(epoch.positions.values()):
            found.append(epoch)
    return found


def timeline_of(value: SnapshotsValue) -> Timeline:
    assert value.timeline is not None
    return value.timeline


def test_the_store_of_a_running_flow_is_browsed_forked_replayed_and_compared(
    tmp_path: Path,
) -> None:
    with Live(tmp_path, STATEFUL_FLOW, feed_rate_per_s=200) as live:
        live.until_reading()
        desk = live.session.snapshots
        desk.open()
        timeline = timeline_of(until(live, has_read, "epochs are listed"))
        assert (timeline.flow, timeline.ours, timeline.in_use) == ("orders", True, True)
        assert [step.step_id for step in timeline.steps] == ["Number"]
        chosen = reading_epochs(timeline)[5]
        for before, epoch in pairwise(timeline.epochs):
            read = sum(epoch.positions.values()) - sum(before.positions.values())
            assert epoch.records == read, epoch

        desk.show_state(StateQuery(epoch=chosen.number))
        page = until(live, lambda value: value.page, "the state is shown").page
        assert page is not None
        state = json.loads(page.rows[0].text or "")
        assert (page.rows[0].key, state["count"]) == ("all", sum(chosen.positions.values()))

        desk.show_key("Number", "all")
        until(live, lambda value: value.history and len(value.history.rows) > 10, "a key's history")

        desk.fork(chosen.number, name="mine")
        until(live, lambda value: [each.name for each in value.forks] == ["mine"], "it is forked")
        desk.check("mine")
        fit = until(live, lambda value: value.compatibility, "it is checked").compatibility
        assert fit is not None
        assert fit.fit is Fit.FITS, fit.findings

        desk.replay(ReplayRequest(fork="mine", stop=StopWhen(records=30)))
        replay = until(
            live,
            lambda value: value.replay and value.replay.phase in _OVER,
            "the replay has ended",
        ).replay
        assert replay is not None
        assert replay.problem is None
        assert (replay.phase, replay.records, replay.outputs) == (ReplayPhase.ENDED, 30, 30)
        assert "LOOM_REPLAY=1" in replay.warning

        desk.compare(
            CompareRequest(epoch=chosen.number, against="current", stop=StopWhen(records=20))
        )
        comparison = until(
            live,
            lambda value: value.comparison and value.comparison.phase in _COMPARED,
            "it is compared",
        ).comparison
        assert comparison is not None
        assert (comparison.problem, comparison.equal) == (None, True)

        desk.remove_fork("mine")
        until(live, lambda value: not value.forks, "no fork is left")


def test_a_replay_is_stepped_forward_and_back(tmp_path: Path) -> None:
    with Live(tmp_path, STATEFUL_FLOW, feed_rate_per_s=200) as live:
        live.until_reading()
        desk = live.session.snapshots
        desk.open()
        chosen = reading_epochs(timeline_of(until(live, has_read, "epochs are listed")))[5]
        desk.fork(chosen.number, name="steps")
        desk.replay(ReplayRequest(fork="steps", paused=True, record_by_record=True))
        until(live, lambda value: _phase(value) is ReplayPhase.PAUSED, "it waits")
        desk.check("steps")
        waits = "replaying steps, then checking steps"
        until(live, lambda value: value.busy == waits, "what waits is told")
        for count in (1, 2, 3):
            desk.step_replay("record")
            until(live, partial(_has_read_records, count), f"record {count}")
        desk.step_back()
        value = until(
            live,
            lambda value: (
                _phase(value) is ReplayPhase.PAUSED
                and value.replay
                and value.replay.request.fork != "steps"
                and len(value.replay.partitions) == 4
            ),
            "it is back an epoch",
        )
        assert value.replay is not None
        began = {each.partition: each.began for each in value.replay.partitions}
        assert sum(began.values()) == sum(chosen.positions.values()) + 2
        desk.stop_replay()
        until(live, lambda value: _phase(value) is ReplayPhase.ENDED, "it has ended")


_OVER = (ReplayPhase.ENDED, ReplayPhase.FAILED)
_COMPARED = (ComparisonPhase.ENDED, ComparisonPhase.FAILED)


def _phase(value: SnapshotsValue) -> ReplayPhase | None:
    return None if value.replay is None else value.replay.phase


def _has_read_records(count: int, value: SnapshotsValue) -> bool:
    return value.replay is not None and value.replay.records == count
