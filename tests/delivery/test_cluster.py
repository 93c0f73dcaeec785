"""Keyed state at least once on two processes, one of which is killed, drained or starts late."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest

from tests.delivery.checks import assert_balanced, rows
from tests.delivery.clusters import both_read, cluster
from tests.delivery.flows import items, oracle
from tests.delivery.places import Place

COUNT = 8_000


def prepare(place: Place, count: int = COUNT) -> None:
    """Four partitions; accounts that live in all of them, so that state has to travel."""
    source = place.topic("items", partitions=4)
    place.topic("out", partitions=2)
    place.topic("errors")
    place.topics.produce(source, items(count, partitions=4))


def finish(place: Place, store: Path | None) -> None:
    """Run the cluster until everything is read."""
    with cluster(place, "tally", store=store, until_idle_ms=200) as lives:
        for life in lives:
            assert life.wait() == 0, life.errors
            assert_balanced(life.reports.all())
            assert life.errors == ""
    assert place.committed() == place.ends("items")


def test_keyed_state_survives_sigkill_of_one_process(place: Place, tmp_path: Path) -> None:
    prepare(place)
    victim = random.choice((0, 1))
    with cluster(place, "tally", store=tmp_path / "store") as lives:
        both_read(lives)
        time.sleep(random.uniform(0, 0.1))
        lives[victim].kill()
        other = lives[1 - victim]
        # It ends by itself and says why.
        assert other.wait(10) == 1
        assert other.end.error == "EngineError"
        assert "another process of the cluster" in other.end.text
        assert other.errors == ""
    finish(place, tmp_path / "store")
    right = oracle(items(COUNT, partitions=4))
    written = rows(place)
    assert {row.id: row for row in written} == right
    assert all(row == right[row.id] for row in written)


def test_without_a_store_a_killed_process_costs_state_but_no_record(embedded: Place) -> None:
    prepare(embedded)
    with cluster(embedded, "tally") as lives:
        both_read(lives)
        lives[0].kill()
        assert lives[1].wait(10) == 1
    finish(embedded, None)
    assert {row.id for row in rows(embedded)} == set(range(COUNT))


@pytest.mark.parametrize(
    ("stored", "pause_s"),
    [(True, 0.5), (False, 0.0)],
    ids=["with store, one after the other", "without store, together"],
)
def test_a_cluster_drains_in_any_order(
    embedded: Place, tmp_path: Path, pause_s: float, stored: bool
) -> None:
    store = tmp_path / "store" if stored else None
    prepare(embedded)
    with cluster(embedded, "tally", store=store) as lives:
        both_read(lives)
        lives[1].say("drain")
        time.sleep(pause_s)
        lives[0].say("drain")
        assert [life.wait() for life in lives] == [0, 0]
    finish(embedded, store)
    right = oracle(items(COUNT, partitions=4))
    written = rows(embedded)
    assert len(written) == COUNT
    if stored:
        assert {row.id: row for row in written} == right
    else:
        assert {row.id for row in written} == right.keys()
