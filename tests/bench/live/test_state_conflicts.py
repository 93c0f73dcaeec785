"""A revision whose state does not fit what is kept is not started: the user decides."""

from pathlib import Path

import pytest

from loom_bench.session.value import Phase, SessionValue
from tests.bench.live.sessions import STATEFUL_FLOW, Live, OutputReader

pytestmark = pytest.mark.usefixtures("nothing_is_left")


def numbered(folder: Path) -> Live:
    return Live(folder, STATEFUL_FLOW, feed_rate_per_s=500)


def rename_step(live: Live) -> SessionValue:
    """Rename the stateful step of what runs; returns when its revision waits."""
    live.until_reading("Number", more_than=50)
    live.edit("Number", "Counted")
    return live.until_revision(2, "waiting")


def counts_go_on(value: SessionValue) -> bool:
    """Whether the numbers that the step gave are those of one unbroken count."""
    with OutputReader(value) as reader:
        reader.until(
            lambda records: len(records) > 100 and {r["mark"] for r in records} >= {"first"},
            "records are written",
        )
        counts = sorted(record["count"] for record in reader.records)
    return counts == [*range(1, len(counts) + 1)]


def test_state_of_a_renamed_step_is_moved_to_its_new_name(tmp_path: Path) -> None:
    with numbered(tmp_path) as live:
        value = rename_step(live)
        assert value.conflict is not None
        assert (value.conflict.gone, value.conflict.new) == (("Number",), ("Counted",))
        assert value.phase is Phase.RUNNING
        assert value.plan is not None
        assert [node.id for node in value.plan.nodes] == ["Mark", "Number"]
        live.session.decide({"Number": "Counted"}, (), keep_old=False)
        value = live.until_revision(2)
        assert value.conflict is None
        live.until_reading("Counted", more_than=50)
        live.session.set_feed_rate(0)
        live.session.drain()
        value = live.until_phase(Phase.STOPPED)
        assert counts_go_on(value)


def test_a_step_starts_empty_when_the_user_says_so(tmp_path: Path) -> None:
    with numbered(tmp_path) as live:
        rename_step(live)
        live.session.decide({}, ("Number",), keep_old=False)
        live.until_revision(2)
        value = live.until_reading("Counted", more_than=50)
        with OutputReader(value) as reader:
            reader.until(
                lambda records: sum(record["count"] == 1 for record in records) == 2,
                "the count begins again",
            )


def test_the_old_revision_is_kept_when_the_user_says_so(tmp_path: Path) -> None:
    with numbered(tmp_path) as live:
        rename_step(live)
        live.session.decide({}, (), keep_old=True)
        value = live.until_revision(2, "refused")
        assert value.conflict is None
        assert value.revisions[0].state == "running"
        live.until_reading("Number", more_than=value.nodes["Number"].records_in)
        # Asked again for the same code, the same question comes.
        live.session.reload()
        live.until_revision(2, "waiting")


def test_a_decision_that_leaves_something_open_is_not_taken(tmp_path: Path) -> None:
    with numbered(tmp_path) as live:
        rename_step(live)
        live.session.decide({}, (), keep_old=False)
        live.until_noticed("say what becomes of Number")
        live.session.decide({"Number": "Elsewhere"}, (), keep_old=False)
        value = live.until_noticed("the flow has no step 'Elsewhere'")
        assert value.conflict is not None
        assert value.revisions[0].state == "running"


def test_a_state_that_has_another_type_starts_empty_or_not_at_all(tmp_path: Path) -> None:
    with numbered(tmp_path) as live:
        live.until_reading("Number", more_than=50)
        live.edit(
            "class Seen(LoomStruct):\n    count: int = 0", "class Seen(LoomStruct):\n    n: int = 0"
        )
        live.edit("state.count", "state.n")
        value = live.until(
            lambda value: value.revisions[-1].state == "waiting" and value.conflict, "it waits"
        )
        assert value.conflict is not None
        assert value.conflict.changed == ("Number",)
        live.session.decide({}, ("Number",), keep_old=False)
        live.until(lambda value: value.revisions[-1].state == "running", "it runs")
        live.until_reading("Number", more_than=50)


def test_undoing_the_edit_settles_the_conflict(tmp_path: Path) -> None:
    with numbered(tmp_path) as live:
        rename_step(live)
        live.edit("Counted", "Number")
        value = live.until_noticed("back to r1")
        assert value.conflict is None
        assert value.revisions[0].state == "running"


def test_a_new_name_of_the_flow_keeps_state_and_position(tmp_path: Path) -> None:
    with numbered(tmp_path) as live:
        live.until_reading("Number", more_than=50)
        live.edit('StreamFlow(\n    "orders"', 'StreamFlow(\n    "sales.orders"')
        live.until_revision(2)
        live.until_reading("Number", more_than=50)
        live.session.set_feed_rate(0)
        live.session.drain()
        assert counts_go_on(live.until_phase(Phase.STOPPED))
