"""A bisection finds the record that a planted bug first spoilt, and says what it took."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from loom_bench.broker.embedded import EmbeddedBroker
from loom_bench.session.snapshots.bisecting import Bisecter
from loom_bench.session.snapshots.bisection_value import BisectPhase, BisectRequest
from loom_bench.session.snapshots.explaining import Explainer
from loom_bench.session.snapshots.reading import StoreReader
from loom_bench.session.snapshots.value import Why
from loom_runtime.recovery.history.forks import list_forks
from tests.snapshots.grounds import ran, whole_epochs

pytestmark = pytest.mark.timeout(400)

ORDERS = 3_000
BUG = 2_001
GOOD = "all(value['total'] >= 0 for value in state.get('Number', {}).values())"


def test_the_first_bad_record_is_found(tmp_path: Path, broker: EmbeddedBroker) -> None:
    ground = ran(tmp_path, broker, "bisected", orders=ORDERS, bug=BUG)
    found = Bisecter(ground, BisectRequest(expression=GOOD)).run()
    assert found.phase is BisectPhase.ENDED
    assert found.found is not None
    assert json.loads(found.found.record)["id"] == BUG
    assert 1 <= found.runs <= 5
    assert len(found.probes) <= 30
    assert [each.holds for each in found.probes[:2]] == [True, False]
    assert list_forks(ground.store) == []

    key = f"a{BUG % 7}"
    epochs = [each.number for each in whole_epochs(ground.store)]
    before = epochs[epochs.index(found.found.epoch) - 1]
    why = Explainer(
        ground, Why(step_id="Number", key=key, from_epoch=before, to_epoch=found.found.epoch)
    ).run()
    [guilty] = [each for each in why.touches if each.offset == found.found.offset]
    assert json.loads(guilty.record)["id"] == BUG
    assert json.loads(guilty.before or "")["total"] > 0 > json.loads(guilty.after or "")["total"]
    rows = [
        row
        for row in StoreReader(ground.store).key("Number", key).rows
        if before < row.written_at_epoch <= found.found.epoch
    ]
    assert (why.touches[-1].after, rows[-1].text) == (rows[-1].text, why.touches[-1].after)


def test_a_pytest_may_judge(
    tmp_path: Path, broker: EmbeddedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # they take seconds at every look
    ground = ran(tmp_path, broker, "judged", orders=48, bug=33)
    test = tmp_path / "test_totals.py"
    test.write_text(
        "def test_no_total_is_negative(loom_state):\n"
        "    totals = [each['total'] for each in loom_state['Number'].values()]\n"
        "    assert all(total >= 0 for total in totals)\n"
    )
    found = Bisecter(ground, BisectRequest(pytest=f"{test}::test_no_total_is_negative")).run()
    assert found.found is not None
    assert json.loads(found.found.record)["id"] == 33
