"""The flow's code is edited while it runs."""

from pathlib import Path

import pytest

from loom_bench.session.value import Phase
from tests.bench.live.sessions import FLOW, STATEFUL_FLOW, Live, OutputReader
from tests.bench.modules import line_of

pytestmark = pytest.mark.usefixtures("nothing_is_left")


def test_a_broken_revision_leaves_the_old_one_running_until_it_is_mended(tmp_path: Path) -> None:
    with Live(tmp_path, feed_rate_per_s=500) as live:
        live.until_reading()
        live.edit('"first")', '"second"')
        value = live.until_revision(2, "refused")
        (diagnosis,) = value.diagnoses
        assert diagnosis.code == "syntax_error"
        assert diagnosis.line == line_of(live.path, '"second"')
        assert value.phase is Phase.RUNNING
        assert value.revisions[0].state == "running"
        live.until_reading(more_than=value.nodes["Mark"].records_in)
        live.edit('"second"', '"second")')
        value = live.until_revision(3)
        assert value.diagnoses == ()
        assert value.changed_nodes == ("Mark",)
        assert value.revisions[-1].summary == "1 node changed"
        with OutputReader(value) as reader:
            reader.until_mark("second")
    assert [each.state for each in value.revisions] == ["replaced", "refused", "running"]


def test_every_record_is_written_once_over_ten_reloads(tmp_path: Path) -> None:
    fed = 40_000
    text = STATEFUL_FLOW.replace("itertools.count()", f"range({fed})")
    with Live(tmp_path, text, feed_rate_per_s=1_000) as live:
        with OutputReader(live.until_reading()) as reader:
            mark = "first"
            for reload in range(10):
                previous, mark = mark, f"mark {reload}"
                live.edit(f'"{previous}"', f'"{mark}"')
                reader.until_mark(mark)
                live.until_revision(reload + 2)
            live.session.set_feed_rate(None)
            live.until(
                lambda value: (
                    not value.feed.running
                    and sum(each.row.position or 0 for each in value.offsets) == fed
                ),
                "everything is fed and read",
            )
            live.session.drain()
            live.until_phase(Phase.STOPPED)
            reader.until_count(fed)
        assert reader.times_written == dict.fromkeys(range(fed), 1)
        # The counter of the stateful step went on through every reload.
        assert sorted(record["count"] for record in reader.records) == [*range(1, fed + 1)]


def test_a_feed_whose_own_code_was_changed_begins_again_and_says_so(tmp_path: Path) -> None:
    with Live(tmp_path, feed_rate_per_s=500) as live:
        with OutputReader(live.until_reading()) as reader:
            live.edit("itertools.count()", "itertools.count(1_000_000)")
            reader.until(
                lambda records: any(record["id"] >= 1_000_000 for record in records),
                "the feed's new code is fed",
            )
        live.until_noticed("the feed begins again: its code was changed")


def test_a_save_waits_when_reload_is_manual(tmp_path: Path) -> None:
    with Live(tmp_path, feed_rate_per_s=500, manual_reload=True) as live:
        live.until_reading()
        live.edit('"first"', '"second"')
        value = live.until_revision(2, "ready")
        assert value.revisions[0].state == "running"
        assert "reload to run it" in value.notices[-1].text
        live.session.reload()
        live.until_revision(2)


def test_taking_an_edit_back_reloads_nothing(tmp_path: Path) -> None:
    with Live(tmp_path, feed_rate_per_s=500) as live:
        live.until_reading()
        live.edit('"first")', '"second"')
        live.until_revision(2, "refused")
        live.edit('"second"', '"first")')
        value = live.until_noticed("back to r1")
        assert value.diagnoses == ()
        assert value.revisions[0].state == "running"


def test_a_change_of_an_imported_module_or_of_the_configuration_is_a_revision(
    tmp_path: Path,
) -> None:
    (tmp_path / "marks").mkdir()
    words = tmp_path / "marks" / "words.py"
    words.write_text('WORD = "one"\n')
    text = FLOW.replace("import itertools", "import itertools\nfrom marks.words import WORD")
    with Live(tmp_path, text.replace('"first"', "WORD"), feed_rate_per_s=500) as live:
        with OutputReader(live.until_reading()) as reader:
            words.write_text('WORD = "two"\n')
            reader.until_mark("two")
        live.until_revision(2)
        (tmp_path / "orders.yaml").write_text("streaming: {runtime: {epoch_interval_ms: 0}}\n")
        value = live.until_revision(3, "refused")
        assert value.diagnoses[0].code == "config_invalid"
        (tmp_path / "orders.yaml").write_text("streaming: {runtime: {epoch_interval_ms: 50}}\n")
        live.until_revision(4)


def test_a_paused_flow_is_paused_after_a_reload(tmp_path: Path) -> None:
    with Live(tmp_path, feed_rate_per_s=500) as live:
        live.until_reading()
        live.session.pause()
        live.until_phase(Phase.PAUSED)
        live.edit('"first"', '"second"')
        live.until_revision(2)
        live.until_phase(Phase.PAUSED)
        live.session.resume()
        with OutputReader(live.until_reading()) as reader:
            reader.until_mark("second")


def test_a_module_that_hangs_when_imported_costs_a_message(tmp_path: Path) -> None:
    with Live(tmp_path, feed_rate_per_s=500, load_time_limit_ms=300) as live:
        live.until_reading()
        live.edit("import itertools", "import itertools, time\ntime.sleep(60)")
        value = live.until_revision(2, "refused")
        assert value.diagnoses[0].code == "import_timed_out"
        assert value.diagnoses[0].line == line_of(live.path, "time.sleep(60)")
        live.until_reading(more_than=value.nodes["Mark"].records_in)


OUTPUT = 'output=IntoTopic("numbered", payload=Order),'
ERRORS = '    errors=IntoTopic("errors", payload=ErrorEnvelope[Order]),'
FAILING = (
    FLOW.replace('return Order(message.payload.id, "first")', 'raise ValueError("poison")')
    .replace(OUTPUT, f"{OUTPUT}\n{ERRORS}")
    .replace("FromTopic,", "ErrorEnvelope, FromTopic,")
)


def test_failures_are_counted_over_reloads_and_new_ones_are_told_apart(tmp_path: Path) -> None:
    with Live(tmp_path, FAILING, feed_rate_per_s=200) as live:
        value = live.until(lambda value: value.errors_seen > 100, "records fail")
        (group,) = value.errors
        assert (group.group.exception_type, group.group.node) == ("builtins.ValueError", "Mark")
        assert (group.revision, group.is_new) == (1, False)
        seen, events_seen = value.errors_seen, value.events_seen
        live.edit('ValueError("poison")', 'KeyError("other")')
        value = live.until(lambda value: len(value.errors) == 2, "a failure of another kind")
        new, old = value.errors
        assert (new.group.exception_type, new.revision, new.is_new) == (
            "builtins.KeyError",
            2,
            True,
        )
        assert not old.is_new
        assert old.group.count >= seen
        assert value.errors_seen > seen
        assert value.events_seen > events_seen
        live.until(lambda value: sum(value.errors[0].history) > 0, "the history moves")
        assert any(output.kind == "envelope" for output in live.value.outputs)
