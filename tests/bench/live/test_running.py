"""A flow is opened, runs, is steered, fed and looked at."""

import os
from pathlib import Path

import pytest

from loom_bench.session.claim import open_benches
from loom_bench.session.value import Phase
from tests.bench.live.sessions import FLOW, STATEFUL_FLOW, Live, OutputReader

pytestmark = pytest.mark.usefixtures("nothing_is_left")


def test_an_opened_flow_runs_and_everything_that_it_does_is_seen(tmp_path: Path) -> None:
    with Live(tmp_path, STATEFUL_FLOW, feed_rate_per_s=1_000) as live:
        live.session.watch_samples("Number")
        live.until_reading("Number", more_than=300)
        value = live.until(
            lambda value: (
                value.commits
                and value.samples.get("Number")
                and value.outputs
                and sum(each.row.consumed for each in value.offsets) > 300
                and any(each.commits for each in value.offsets)
            ),
            "ledger, commits, samples and outputs are shown",
        )
    assert (value.broker.kind, value.broker.state, value.broker.owned) == (
        "embedded",
        "ready",
        True,
    )
    assert value.plan is not None
    assert [node.id for node in value.plan.nodes] == ["Mark", "Number"]
    assert value.nodes["Mark"].rate_per_s > 100
    assert value.nodes["Number"].p99_ms is not None
    assert value.outputs[-1].topic == "numbered"
    assert '"mark":"first"' in value.outputs[-1].text
    sample = value.samples["Number"][-1]
    assert '"count":0' in sample.taken
    assert '"count":0' not in sample.given[0]
    assert value.events_seen > 0
    assert value.feed.running
    assert value.revisions[-1].state == "running"
    assert value.host_memory_bytes


def test_a_flow_pauses_steps_goes_on_and_ends_with_everything_committed(tmp_path: Path) -> None:
    with Live(tmp_path, feed_rate_per_s=2_000) as live:
        live.until_reading()
        live.session.pause()
        live.until_phase(Phase.PAUSED)
        live.until(lambda value: sum(row.lag or 0 for row in value.offsets) > 500, "a lag grows")
        before = live.value.nodes["Mark"].records_in
        live.session.step_batch()
        live.until_noticed("r1")
        live.until(lambda value: value.nodes["Mark"].records_in > before, "a batch was read")
        assert live.value.phase is Phase.PAUSED
        live.session.resume()
        live.until_reading(more_than=live.value.nodes["Mark"].records_in)
        live.session.drain()
        value = live.until_phase(Phase.STOPPED)
        assert all(each.row.committed == each.row.position for each in value.offsets)
        live.session.resume()
        live.until_reading()


def test_a_record_written_by_hand_goes_through_the_flow(tmp_path: Path) -> None:
    with Live(tmp_path, FLOW.replace("def bench_feed", "def no_feed")) as live:
        value = live.until_phase(Phase.RUNNING)
        assert not value.feed.available
        live.session.feed_record("key", '{"id": 7}')
        live.until_noticed("the record was written")
        value = live.until(lambda value: value.outputs, "the record comes out")
        assert (value.outputs[-1].key, value.outputs[-1].text) == (
            "key",
            '{"id":7,"mark":"first","count":0}',
        )
        live.session.feed_record(None, '{"id": "seven"}')
        live.until_noticed("Expected `int`, got `str`")


def test_the_feed_pauses_at_rate_zero_and_begins_again_when_it_had_ended(tmp_path: Path) -> None:
    finite = FLOW.replace("itertools.count()", "range(300)")
    with Live(tmp_path, finite, feed_rate_per_s=0) as live:
        value = live.until_phase(Phase.RUNNING)
        live.until(lambda value: value.feed.running, "the feed is there")
        assert value.feed.delivered == 0
        live.session.set_feed_rate(None)
        live.until(lambda value: not value.feed.running and value.feed.delivered == 300, "it ends")
        live.until_reading(more_than=299)
        live.session.set_feed_rate(5_000)
        live.until_reading(more_than=599)


def test_another_flow_is_opened_on_the_same_broker(tmp_path: Path) -> None:
    other = tmp_path / "other.py"
    other.write_text(FLOW.replace('"orders"', '"others"').replace('"numbered"', '"elsewhere"'))
    with Live(tmp_path, feed_rate_per_s=500) as live:
        bootstrap = live.until_reading().broker.bootstrap
        live.session.open_flow(str(other))
        value = live.until(
            lambda value: value.target == str(other) and value.phase is Phase.RUNNING,
            "the other flow runs",
        )
        value = live.until_reading()
        assert value.broker.bootstrap == bootstrap
        assert value.plan is not None
        assert value.plan.flow == "others"
        with OutputReader(value, "elsewhere") as reader:
            reader.until_count(1)


def test_a_session_goes_on_with_another_broker(tmp_path: Path) -> None:
    with Live(tmp_path, feed_rate_per_s=500) as live:
        first = live.until_reading().broker.bootstrap
        live.session.switch_broker("no such thing")
        live.until_noticed("the broker stays")
        live.session.switch_broker("embedded")
        live.until(
            lambda value: (
                value.broker.bootstrap not in ("", first)
                and value.phase is Phase.RUNNING
                and value.nodes.get("Mark")
                and value.nodes["Mark"].records_in > 0
            ),
            "the flow runs on another broker",
        )


def test_a_session_that_only_looks_runs_nothing_until_the_flow_is_opened_again(
    tmp_path: Path,
) -> None:
    with Live(tmp_path, FLOW, feed_rate_per_s=500, look_only=True) as live:
        value = live.until_noticed("this bench only looks")
        assert value.plan is not None
        live.until_phase(Phase.STOPPED)
        for ask in (live.session.restart, live.session.resume, live.session.reload):
            noticed = live.value.notices[-1].number
            ask()
            value = live.until(
                lambda value, noticed=noticed: value.notices[-1].number > noticed,  # type: ignore[misc]
                "it says once more that it only looks",
            )
            assert value.phase in (Phase.STOPPED, Phase.LOADING)
            assert not value.nodes
        live.session.open_flow(str(live.path))
        live.until_reading()


def test_a_session_claims_the_flow_that_it_has_open(tmp_path: Path) -> None:
    other = tmp_path / "refunds.py"
    other.write_text(FLOW)
    with Live(tmp_path, FLOW, feed_rate_per_s=500) as live:
        live.until_reading()
        (claim,) = open_benches(str(live.path))
        assert (claim.pid, claim.broker) == (os.getpid(), "embedded")
        live.session.open_flow(str(other))
        live.until(lambda _: open_benches(str(other)), "the other flow is claimed")
        assert not open_benches(str(live.path))
    assert not open_benches(str(other))
