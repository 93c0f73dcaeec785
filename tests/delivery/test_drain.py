"""A drain loses nothing and repeats nothing; finishing hands on everything that is held."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest

from tests.delivery.checks import assert_balanced, assert_exact, expected, fates, rows
from tests.delivery.flows import FLOWS, items, oracle
from tests.delivery.places import Place, cases
from tests.delivery.running import running
from tests.delivery.test_kill import COUNT, kind_of


def topics(place: Place, count: int, flow: str = "") -> list[int]:
    """Make the topics and fill the source; the result is its end offsets."""
    source = place.topic("items", partitions=2)
    place.topic("out", partitions=2)
    place.topic("errors")
    kind = kind_of if flow == "sorted_away" else None
    place.topics.produce(source, items(count, partitions=2, kind=kind))
    return [count // 2, count // 2]


@pytest.mark.parametrize(
    ("place", "flow", "stored"),
    [
        *cases("sorted_away", False, kafka=True),
        *cases("timed_batches", False),
        *cases("windows", False),
        *cases("tally", True),
        *cases("nested", True, kafka=True),
        *cases("windows", True),
    ],
    indirect=["place"],
)
def test_drains_lose_nothing_and_repeat_nothing(
    place: Place, tmp_path: Path, flow: str, stored: bool
) -> None:
    topics(place, COUNT, flow)
    config = place.config(store=tmp_path / "store" if stored else None)
    chance = random.Random()
    for _ in range(2):
        with running(FLOWS[flow](), config) as run:
            run.reports.wait_for_consumed(1)
            time.sleep(chance.uniform(0, 0.1))
            run.drain()
            assert_balanced(run.reports.all())
    with running(FLOWS[flow](), config, until_idle_ms=100) as run:
        run.wait()
        assert_balanced(run.reports.all())
        assert run.last.total("held") == 0
    assert place.committed() == place.ends("items")
    if flow in {"tally", "nested"}:
        right = oracle(items(COUNT, partitions=2))
        written = rows(place)
        assert len(written) == COUNT
        assert {row.id: row for row in written} == right
    else:
        kind = kind_of if flow == "sorted_away" else None
        assert_exact(fates(place), expected(items(COUNT, partitions=2, kind=kind)))


@pytest.mark.parametrize("flow", ["nested", "windows", "batches"])
def test_finish_hands_on_batches_and_windows_level_by_level(embedded: Place, flow: str) -> None:
    topics(embedded, 1_003)
    with running(FLOWS[flow](), embedded.config()) as run:
        run.reports.wait_for_consumed(1_003)
        end = run.finish()
    assert end.total("held") == 0
    assert end.total("written") == 1_003
    assert_balanced(run.reports.all())
    assert sorted(fates(embedded).written.elements()) == list(range(1_003))
    assert embedded.committed() == embedded.ends("items")


def test_a_drain_with_a_store_keeps_what_is_held_and_resumes_exactly(
    place: Place, tmp_path: Path
) -> None:
    topics(place, 1_000)
    config = place.config(store=tmp_path / "store")
    with running(FLOWS["windows"](), config) as run:
        run.reports.wait_for_consumed(1_000)
        end = run.drain()
    assert end.total("held") == 1_000
    assert end.total("written") == 0
    assert place.read("out") == []
    # The store holds them, so the group need not.
    assert place.committed() == place.ends("items")
    with running(FLOWS["windows"](), config) as run:
        run.reports.wait_for(lambda report: report.total("held") == 1_000, "windows are open")
        end = run.finish()
    assert end.total("written") == 1_000
    assert end.total("held") == 0
    assert sorted(fates(place).written.elements()) == list(range(1_000))


def test_a_drain_without_a_store_holds_the_commit_back_for_open_windows(place: Place) -> None:
    topics(place, 1_000)
    with running(FLOWS["windows"](), place.config()) as run:
        run.reports.wait_for_consumed(1_000)
        end = run.drain()
    assert end.total("held") == 1_000
    assert place.read("out") == []
    assert set(place.committed().values()) <= {None, 0}
    with running(FLOWS["windows"](), place.config(), until_idle_ms=100) as run:
        run.wait()
    assert sorted(fates(place).written.elements()) == list(range(1_000))
    assert place.committed() == place.ends("items")


def test_a_drain_without_a_store_hands_on_batches(embedded: Place) -> None:
    topics(embedded, 1_003)
    with running(FLOWS["batches"](), embedded.config()) as run:
        run.reports.wait_for_consumed(1_003)
        end = run.drain()
    assert end.total("held") == 0
    assert embedded.committed() == embedded.ends("items")
    assert sorted(fates(embedded).written.elements()) == list(range(1_003))
