"""The latency histogram against the plain list of what was observed."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loom_runtime.observability.histogram import BOUNDS_SECONDS, LatencyHistogram

OBSERVATIONS = st.lists(
    st.tuples(st.floats(0.0, 60.0) | st.sampled_from(BOUNDS_SECONDS), st.integers(0, 50)),
    max_size=30,
)


def filled(observations: list[tuple[float, int]]) -> LatencyHistogram:
    histogram = LatencyHistogram()
    for seconds, count in observations:
        histogram.observe(seconds, count)
    return histogram


def bucket_of(seconds: float) -> tuple[float, float]:
    lower = max((bound for bound in BOUNDS_SECONDS if bound < seconds), default=0.0)
    upper = min((bound for bound in BOUNDS_SECONDS if bound >= seconds), default=math.inf)
    return lower, upper


def test_bounds_rise_from_a_microsecond_to_ten_seconds() -> None:
    assert BOUNDS_SECONDS[0] == 1e-6
    assert BOUNDS_SECONDS[-1] == 10.0
    assert list(BOUNDS_SECONDS) == sorted(set(BOUNDS_SECONDS))


@given(OBSERVATIONS)
def test_cumulative_counts_are_exact(observations: list[tuple[float, int]]) -> None:
    snapshot = filled(observations).snapshot()
    flat = [seconds for seconds, count in observations for _ in range(count)]
    expected = [sum(value <= bound for value in flat) for bound in BOUNDS_SECONDS]
    assert list(snapshot.cumulative()) == [*expected, len(flat)]
    assert snapshot.count == len(flat)
    assert snapshot.sum_seconds == pytest.approx(math.fsum(flat))
    assert snapshot.max_seconds == max(flat, default=0.0)


@given(OBSERVATIONS, st.floats(0.0, 1.0))
def test_a_quantile_lies_in_the_bucket_of_the_true_one(
    observations: list[tuple[float, int]], q: float
) -> None:
    histogram = filled(observations)
    flat = sorted(seconds for seconds, count in observations for _ in range(count))
    if not flat:
        assert histogram.quantile(q) == 0.0
        return
    true = flat[max(math.ceil(q * len(flat)) - 1, 0)]
    lower, upper = bucket_of(true)
    assert lower <= histogram.quantile(q) <= min(upper, flat[-1])


@given(OBSERVATIONS, st.floats(0.0, 1.0), st.floats(0.0, 1.0))
def test_quantiles_rise_with_q(
    observations: list[tuple[float, int]], one: float, other: float
) -> None:
    histogram = filled(observations)
    low, high = sorted((one, other))
    assert histogram.quantile(low) <= histogram.quantile(high) or math.isclose(
        histogram.quantile(low), histogram.quantile(high)
    )


@given(OBSERVATIONS, OBSERVATIONS)
def test_adding_is_observing_both(
    ours: list[tuple[float, int]], more: list[tuple[float, int]]
) -> None:
    total = filled(ours)
    total.add(filled(more))
    both = filled(ours + more).snapshot()
    assert total.snapshot().counts == both.counts
    assert total.snapshot().max_seconds == both.max_seconds
    assert total.snapshot().sum_seconds == pytest.approx(both.sum_seconds)


@pytest.mark.parametrize(("seconds", "count"), [(-0.1, 1), (math.nan, 1), (1.0, -1)])
def test_what_cannot_be_a_latency_is_refused(seconds: float, count: int) -> None:
    with pytest.raises(ValueError, match="cannot observe"):
        LatencyHistogram().observe(seconds, count)


@pytest.mark.parametrize("q", [-0.1, 1.1, math.nan])
def test_what_cannot_be_a_quantile_is_refused(q: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        LatencyHistogram().quantile(q)
