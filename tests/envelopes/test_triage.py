"""Triage states: kept over sessions, undone, and safe from whatever happens to their file."""

from __future__ import annotations

import resource
import signal
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from loom_bench.broker.place import RecordPlace
from loom_bench.session.envelopes.envelope import Envelope
from loom_bench.session.envelopes.terms import Origin, TriageState
from loom_bench.session.envelopes.triage import OPEN, Decided, TriageStore

IGNORED = Decided(TriageState.IGNORED)
FIXED = Decided(TriageState.FIXED, 8)


def envelope(offset: int, fingerprint: str = "g", at_ms: int = 0) -> Envelope:
    place = RecordPlace("errors", 0, offset)
    return Envelope(
        id=str(place), place=place, origin=Origin.LOOM, fingerprint=fingerprint, at_ms=at_ms
    )


class Told(list[str]):
    """What was told of the file."""

    def __call__(self, text: str) -> None:
        self.append(text)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "triage" / "orders.sqlite"


def test_states_survive_a_restart(path: Path) -> None:
    first = TriageStore(path, Told())
    first.decide([envelope(1).id], IGNORED, told="ignored")
    first.decide([envelope(2).id], FIXED, told="fixed", by_hand=False)
    first.decide([], IGNORED, told="group", groups={"h": {("errors", 0): 10}})
    first.close()

    again = TriageStore(path, told := Told())

    assert again.decided(envelope(1)) == IGNORED
    assert again.decided(envelope(2)) == FIXED
    assert again.decided(envelope(9, "h")) == IGNORED
    assert again.decided(envelope(10, "h")) == OPEN
    assert again.undoable == "group"
    assert told == []
    again.close()


def test_the_file_is_private(path: Path) -> None:
    TriageStore(path, Told()).close()

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_undo_takes_back_what_was_done_by_hand_one_by_one(path: Path) -> None:
    store = TriageStore(path, Told())
    store.decide([envelope(1).id], IGNORED, told="first")
    store.decide(
        [], Decided(TriageState.DISCARDED), told="second", groups={"g": {("errors", 0): 5}}
    )
    store.decide([envelope(2).id], FIXED, told="a proof", by_hand=False)

    assert store.undo() == ("second", ("g",))
    assert store.decided(envelope(1)) == IGNORED
    assert store.decided(envelope(2)) == FIXED
    store.close()
    again = TriageStore(path, Told())
    assert again.undo() == ("first", ())
    assert again.undo() == ("", ())
    assert again.decided(envelope(1)) == OPEN
    assert again.decided(envelope(2)) == FIXED
    again.close()


def test_a_topic_that_was_made_anew_has_none_of_the_old_states() -> None:
    store = TriageStore(None, Told())
    store.decide([envelope(1).id], IGNORED, told="one")
    store.decide([], IGNORED, told="group", groups={"h": {("errors", 0): 5}})

    later_ms = 4_000_000_000_000
    assert store.decided(envelope(1, at_ms=later_ms)) == OPEN
    assert store.decided(envelope(2, "h", at_ms=later_ms)) == OPEN


@pytest.mark.parametrize(
    "content", [b"this is no database" * 100, b"SQLite format 3\0" + b"\xff" * 5_000]
)
def test_a_damaged_file_is_moved_aside(path: Path, content: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(content)

    store = TriageStore(path, told := Told())
    store.decide([envelope(1).id], IGNORED, told="ignored")
    store.close()

    aside = [each for each in path.parent.iterdir() if "damaged" in each.name]
    assert [each.read_bytes() for each in aside] == [content]
    assert len(told) == 1
    assert aside[0].name in told[0]
    assert TriageStore(path, Told()).decided(envelope(1)) == IGNORED


def test_a_row_that_means_nothing_is_damage_too(path: Path) -> None:
    TriageStore(path, Told()).close()
    with sqlite3.connect(path) as database:
        database.execute("INSERT INTO decisions VALUES (1, 'e', NULL, NULL, 'no such state', NULL)")
    database.close()

    TriageStore(path, told := Told()).close()

    assert "moved to" in told[0]


def test_a_place_that_cannot_be_written_keeps_states_for_the_session(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")

    store = TriageStore(tmp_path / "file" / "orders.sqlite", told := Told())
    store.decide([envelope(1).id], IGNORED, told="ignored")

    assert store.path is None
    assert "end with this session" in told[0]
    assert store.decided(envelope(1)) == IGNORED


def test_on_a_full_disk_states_hold_and_are_written_later(path: Path) -> None:
    store = TriageStore(path, told := Told())
    store.decide([envelope(1).id], IGNORED, told="before")
    with no_room_beyond(path.stat().st_size):
        store.decide(["x" * 9_000 + str(each) for each in range(50)], IGNORED, told="many")
        store.decide([envelope(2).id], IGNORED, told="while full")
    assert store.decided(envelope(2)) == IGNORED
    assert len(told) == 1
    assert "make room" in told[0]
    store.decide([envelope(3).id], IGNORED, told="after")
    store.close()

    again = TriageStore(path, Told())
    assert [again.decided(envelope(each)) for each in (1, 2, 3)] == [IGNORED] * 3
    assert (
        again.decided(Envelope(id="x" * 9_000 + "7", origin=Origin.LOOM, fingerprint="")) == IGNORED
    )
    again.close()


@contextmanager
def no_room_beyond(size_bytes: int) -> Iterator[None]:
    """Let no file of this process grow larger: for a database the same as a full disk."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)


_changes = st.lists(
    st.one_of(
        st.tuples(
            st.just("one"), st.sets(st.integers(0, 9), min_size=1), st.sampled_from(TriageState)
        ),
        st.tuples(st.just("group"), st.integers(0, 10), st.sampled_from(TriageState)),
        st.tuples(st.just("undo"), st.none(), st.none()),
    ),
    max_size=12,
)


@given(changes=_changes)
@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None
)
def test_the_newest_decision_counts_here_and_after_a_restart(
    tmp_path: Path, changes: list[tuple[str, object, TriageState]]
) -> None:
    path = tmp_path / "one.sqlite"
    path.unlink(missing_ok=True)
    store = TriageStore(path, Told())
    history: list[list[TriageState]] = [[TriageState.OPEN] * 10]
    for what, about, state in changes:
        expected = list(history[-1])
        if what == "undo":
            store.undo()
            history = history[: max(1, len(history) - 1)]
            continue
        if what == "one":
            assert isinstance(about, set)
            store.decide([envelope(each).id for each in about], Decided(state), told=what)
            chosen = about
        else:
            assert isinstance(about, int)
            store.decide([], Decided(state), told=what, groups={"g": {("errors", 0): about}})
            chosen = set(range(about))
        history.append([state if each in chosen else expected[each] for each in range(10)])
    store.close()

    again = TriageStore(path, Told())
    for opened in (store, again):
        assert [opened.decided(envelope(each)).state for each in range(10)] == history[-1]
    again.close()


def test_another_process_writes_to_the_same_file(path: Path) -> None:
    here = TriageStore(path, told := Told())
    here.decide([envelope(1).id], IGNORED, told="here")
    there = (
        "import sys; from pathlib import Path\n"
        "from tests.envelopes.test_triage import FIXED, Told, TriageStore, envelope\n"
        "store = TriageStore(Path(sys.argv[1]), Told())\n"
        "store.decide([envelope(2).id], FIXED, told='there', by_hand=False); store.close()"
    )
    subprocess.run([sys.executable, "-c", there, str(path)], check=True, timeout=60)
    here.decide([envelope(3).id], IGNORED, told="here again")
    assert here.undo() == ("here again", ())
    here.close()

    again = TriageStore(path, told)
    decided = [again.decided(envelope(each)) for each in (1, 2, 3)]
    assert decided == [IGNORED, FIXED, OPEN]
    assert told == []
    again.close()


_benches = st.lists(
    st.tuples(
        st.integers(0, 1),
        st.one_of(
            st.tuples(
                st.sets(st.integers(0, 9), min_size=1),
                st.sampled_from(TriageState),
                st.booleans(),
            ),
            st.none(),
        ),
    ),
    max_size=16,
)
"""Which bench does something; envelopes, their new state and whether by hand, or an undo."""


@given(doings=_benches)
@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None
)
def test_two_benches_on_one_file_take_nothing_of_each_other(
    tmp_path: Path,
    doings: list[tuple[int, tuple[set[int], TriageState, bool] | None]],
) -> None:
    path = tmp_path / "shared.sqlite"
    path.unlink(missing_ok=True)
    benches = [TriageStore(path, Told()) for _ in range(2)]
    written: list[tuple[int, set[int], TriageState, bool]] = []
    for bench, doing in doings:
        if doing is not None:
            about, state, by_hand = doing
            benches[bench].decide(
                [envelope(each).id for each in about], Decided(state), told="x", by_hand=by_hand
            )
            written.append((bench, about, state, by_hand))
        else:
            benches[bench].undo()
            own = [index for index, each in enumerate(written) if each[0] == bench and each[3]]
            if own:
                del written[own[-1]]
    for each in benches:
        each.close()

    expected = [TriageState.OPEN] * 10
    for _, about, state, _ in written:
        for number in about:
            expected[number] = state
    again = TriageStore(path, Told())
    assert [again.decided(envelope(each)).state for each in range(10)] == expected
    again.close()


@given(
    changes=st.lists(
        st.tuples(
            st.sets(st.integers(0, 9), min_size=1), st.sampled_from(TriageState), st.booleans()
        ),
        max_size=12,
    )
)
@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20, deadline=None
)
def test_every_undo_gives_what_would_be_without_that_change(
    tmp_path: Path, changes: list[tuple[set[int], TriageState, bool]]
) -> None:
    path = tmp_path / "undone.sqlite"
    path.unlink(missing_ok=True)
    store = TriageStore(path, Told())
    for about, state, by_hand in changes:
        store.decide(
            [envelope(each).id for each in about], Decided(state), told="x", by_hand=by_hand
        )
    while any(by_hand for *_, by_hand in changes):
        newest = max(index for index, each in enumerate(changes) if each[2])
        del changes[newest]
        store.undo()
        expected = [TriageState.OPEN] * 10
        for about, state, _ in changes:
            for number in about:
                expected[number] = state
        reopened = TriageStore(path, Told())
        for opened in (store, reopened):
            assert [opened.decided(envelope(each)).state for each in range(10)] == expected
        reopened.close()
    assert store.undo() == ("", ())
    store.close()


def test_a_file_of_a_newer_bench_is_left_alone(path: Path) -> None:
    path.parent.mkdir()
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA user_version = 99")
    database.close()
    before = path.read_bytes()

    store = TriageStore(path, told := Told())

    assert store.path is None
    assert "newer version" in told[0]
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]
