"""How a feed paces itself."""

import time

import pytest

from loom_bench.broker.pace import Pace, feed_burst_s


class Clock:
    """A clock that moves as it is told."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_s = 1_000.0
        monkeypatch.setattr(time, "monotonic", lambda: self.now_s)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def written_at_once(pace: Pace) -> int:
    """Write what is due; return how much that was."""
    before = pace.count
    while not pace.wait_s():
        pace.count += 1
    return pace.count - before


def test_records_come_in_bursts_and_nothing_in_between(clock: Clock) -> None:
    pace = Pace(1_000, burst_s=0.1)
    bursts = []
    for _ in range(1_000):
        if count := written_at_once(pace):
            bursts.append(count)
        clock.now_s += 0.001
    assert 9 <= len(bursts) <= 10
    assert all(95 <= count <= 105 for count in bursts)


def test_the_rate_is_kept_over_time(clock: Clock) -> None:
    pace = Pace(40, burst_s=0.25)
    for _ in range(1_000):
        written_at_once(pace)
        clock.now_s += 0.01
    assert 400 <= pace.count <= 411


def test_a_slow_feed_writes_one_at_a_time(clock: Clock) -> None:
    pace = Pace(2, burst_s=feed_burst_s(2))
    assert written_at_once(pace) == 1
    clock.now_s += 0.4
    assert pace.wait_s() == pytest.approx(0.1)
    clock.now_s += 0.1
    assert written_at_once(pace) == 1


def test_after_a_stall_a_second_is_caught_up_on(clock: Clock) -> None:
    pace = Pace(100)
    written_at_once(pace)
    clock.now_s += 60
    assert 100 <= written_at_once(pace) <= 102


@pytest.mark.parametrize(
    ("rate_per_s", "burst_s"), [(10, 0.25), (100, 0.25), (500, 0.2), (1_000, 0.1), (50_000, 0.1)]
)
def test_a_burst_is_a_hundred_records_within_limits(rate_per_s: float, burst_s: float) -> None:
    assert feed_burst_s(rate_per_s) == burst_s
