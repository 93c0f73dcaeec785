"""The envelopes that are kept: counts exact, memory bounded, groups right in any order."""

from __future__ import annotations

import random
from collections import Counter, defaultdict

from hypothesis import given, settings
from hypothesis import strategies as st

from loom_bench.broker.place import RecordPlace
from loom_bench.session.envelopes.decisions import Decisions
from loom_bench.session.envelopes.envelope import Envelope
from loom_bench.session.envelopes.shelf import Limits, Shelf
from loom_bench.session.envelopes.terms import InboxFilter, Origin, Selection, TriageState
from loom_bench.session.envelopes.triage import OPEN, TriageStore

LIMITS = Limits(kept=40, of_a_group=15, bytes=60_000, groups=6, first=3)

_arrivals = st.lists(
    st.tuples(
        st.integers(0, 8),  # its group
        st.integers(0, 50),  # when it was written
        st.integers(0, 3_000),  # how long its reason is
    ),
    max_size=150,
)


def made(arrivals: list[tuple[int, int, int]]) -> list[Envelope]:
    """Envelopes of the given groups, times and sizes, each at a place of its own."""
    return [
        Envelope(
            id=f"errors[0]@{offset}",
            place=RecordPlace("errors", 0, offset),
            source=RecordPlace("orders", 0, offset),
            origin=Origin.LOOM,
            fingerprint=f"g{group}",
            at_ms=at_ms,
            reason="x" * size,
            searched="odd" if offset % 2 else "even",
        )
        for offset, (group, at_ms, size) in enumerate(arrivals)
    ]


@given(arrivals=_arrivals, batch=st.integers(1, 20), text=st.sampled_from(["", "odd"]))
@settings(max_examples=60, deadline=None)
def test_counts_are_exact_and_what_is_kept_is_bounded(
    arrivals: list[tuple[int, int, int]], batch: int, text: str
) -> None:
    shelf = Shelf(lambda _: OPEN, LIMITS)
    shelf.set_filter(InboxFilter(text=text))
    envelopes = made(arrivals)
    for first in range(0, len(envelopes), batch):
        shelf.add(envelopes[first : first + batch])
        arrived = envelopes[: first + batch]
        report, kept = shelf.report(), list(shelf.kept())
        told_apart = set(shelf.fingerprints())
        counts = Counter(each.fingerprint for each in arrived)
        assert report.seen == len(arrived)
        assert told_apart == set(dict.fromkeys(each.fingerprint for each in arrived)) & told_apart
        assert len(told_apart) == min(LIMITS.groups, len(counts))
        assert report.ungrouped == sum(
            count for name, count in counts.items() if name not in told_apart
        )
        assert report.kept == len(kept) == report.seen - report.counted - report.ungrouped
        assert len(kept) <= LIMITS.kept
        # One of each group stays, however large it is.
        assert report.bytes <= LIMITS.bytes or len(kept) == len(told_apart)
        assert sum(shelf.states().values()) == report.seen - report.ungrouped
        by_group = defaultdict(list)
        for each in kept:
            by_group[each.envelope.fingerprint].append(each.envelope)
        for group in shelf.groups():
            mine = [each for each in arrived if each.fingerprint == group.fingerprint]
            assert (group.count, group.kept) == (len(mine), len(by_group[group.fingerprint]))
            assert group.first_ms == min(each.at_ms for each in mine)
            assert group.last_ms == max(each.at_ms for each in mine)
            assert group.kept <= LIMITS.of_a_group
            assert mine[-1] in by_group[group.fingerprint]
            fitting = sum(text in each.searched for each in by_group[group.fingerprint])
            assert group.matches == fitting
            window = shelf.window(group.fingerprint, 0, LIMITS.kept)
            assert window.total == len(window.rows) == fitting
            times = [row.at_ms for row in window.rows]
            assert times == sorted(times, reverse=True)


@given(arrivals=_arrivals, seed=st.integers())
@settings(max_examples=40, deadline=None)
def test_groups_are_the_same_in_any_order_of_arrival(
    arrivals: list[tuple[int, int, int]], seed: int
) -> None:
    envelopes = made(arrivals)
    shuffled = envelopes.copy()
    random.Random(seed).shuffle(shuffled)

    def told(order: list[Envelope]) -> dict[str, tuple[int, int, int]]:
        shelf = Shelf(lambda _: OPEN, LIMITS._replace(groups=9))
        shelf.add(order)
        return {
            each.fingerprint: (each.count, each.first_ms, each.last_ms) for each in shelf.groups()
        }

    assert told(envelopes) == told(shuffled)


_doings = st.lists(
    st.one_of(
        st.tuples(st.just("arrive"), st.integers(0, 3), st.integers(1, 5)),
        st.tuples(st.just("group"), st.integers(0, 3), st.sampled_from(TriageState)),
        st.tuples(st.just("one"), st.integers(0, 30), st.sampled_from(TriageState)),
        st.tuples(st.just("undo"), st.just(0), st.just(0)),
    ),
    max_size=25,
)


@given(doings=_doings)
@settings(max_examples=100, deadline=None)
def test_decisions_and_their_undoing_leave_exact_states(
    doings: list[tuple[str, int, TriageState | int]],
) -> None:
    store = TriageStore(None, lambda _: None)
    shelf = Shelf(store.decided)
    decisions = Decisions(store, shelf)
    arrived: list[Envelope] = []
    history: list[dict[str, TriageState]] = [{}]

    for what, about, detail in doings:
        if what == "arrive":
            assert isinstance(detail, int)
            every = made([(about, 0, 0)] * (len(arrived) + detail))
            fresh = every[len(arrived) :]
            shelf.add(fresh)
            arrived += fresh
        elif what == "undo":
            decisions.undo()
            history = history[:-1] or [{}]
        else:
            assert isinstance(detail, TriageState)
            group = f"g{about}"
            of_group = [each.id for each in arrived if each.fingerprint == group]
            one = [each.id for each in arrived[about : about + 1]]
            chosen = of_group if what == "group" else one
            selection = (
                Selection(group=group) if what == "group" else Selection(envelopes=tuple(one))
            )
            decisions.set_state(selection, detail, {("errors", 0): len(arrived)})
            if chosen:
                history.append(history[-1] | dict.fromkeys(chosen, detail))
        newest = history[-1]
        expected = Counter(newest.get(each.id, TriageState.OPEN) for each in arrived)
        assert shelf.states() == dict(expected)
