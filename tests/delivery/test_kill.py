"""SIGKILL at random moments loses nothing, with and without a recovery store."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest

from tests.delivery.checks import (
    assert_balanced,
    assert_nothing_lost,
    expected,
    fates,
    rows,
)
from tests.delivery.flows import items, oracle
from tests.delivery.lives import living
from tests.delivery.places import Place, cases

COUNT = 5_000
KINDS = ("fine", "fine", "fine", "x3", "task", "x0", "drop", "business", "fine", "fine")


def kind_of(index: int) -> str:
    return KINDS[index % len(KINDS)]


def live_and_die(place: Place, flow: str, store: Path | None) -> None:
    """Run the flow, kill it a few times at random moments of its work, and let it finish."""
    config = place.config(store=store)
    chance = random.Random()
    for _ in range(3 if place.kind == "embedded" else 2):
        with living(flow, config) as life:
            life.reports.wait_for_consumed(1)
            time.sleep(chance.uniform(0, 0.2))
            life.kill()
            assert_balanced(life.reports.all())
    with living(flow, config, until_idle_ms=100) as life:
        assert life.wait() == 0, life.errors
        assert_balanced(life.reports.all())
        assert life.reports.all()[-1].total("held") == 0
        assert life.errors == ""
    assert place.committed() == place.ends("items")


@pytest.mark.parametrize(
    ("place", "flow"),
    [*cases("sorted_away", kafka=True), *cases("timed_batches"), *cases("windows")],
    indirect=["place"],
)
def test_sigkill_loses_nothing_without_a_store(place: Place, flow: str) -> None:
    source = place.topic("items", partitions=2)
    place.topic("out", partitions=2)
    place.topic("errors")
    records = items(COUNT, partitions=2, kind=kind_of if flow == "sorted_away" else None)
    place.topics.produce(source, records)
    live_and_die(place, flow, None)
    assert_nothing_lost(fates(place), expected(records))


@pytest.mark.parametrize(
    ("place", "flow"), [*cases("tally", kafka=True), *cases("nested")], indirect=["place"]
)
def test_sigkill_loses_neither_records_nor_state_with_a_store(
    place: Place, tmp_path: Path, flow: str
) -> None:
    source = place.topic("items", partitions=2)
    place.topic("out", partitions=2)
    place.topic("errors")
    records = items(COUNT, partitions=2)
    place.topics.produce(source, records)
    live_and_die(place, flow, tmp_path / "store")
    right = oracle(records)
    written = rows(place)
    # A row shows the state that it was computed from: repeated ones are the same again.
    assert {row.id: row for row in written} == right
    assert all(row == right[row.id] for row in written)
