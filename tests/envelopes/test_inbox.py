"""The inbox on a real broker: what comes is grouped, searched, triaged, kept over sessions."""

from __future__ import annotations

from pathlib import Path

import pytest

from loom_bench.broker.topics import create_topics
from loom_bench.session.envelopes.terms import InboxFilter, Origin, Selection, TriageState
from loom_runtime import ErrorKind
from loom_runtime.wire.headers import DLQ_ERROR
from tests.broker_fixtures import NewRecord, Topics
from tests.envelopes.foreign_writers import connect, spring, streams
from tests.envelopes.inboxes import Opened, Place, opened


@pytest.fixture
def place(topics: Topics) -> Place:
    return Place(topics)


def test_envelopes_are_grouped_and_told(place: Place) -> None:
    place.write_envelopes(*(place.envelope(each, f"k{each}") for each in range(5)))
    place.write_envelopes(place.envelope(9, kind=ErrorKind.BUSINESS, reason="no", node="Check"))

    with opened(place) as box:
        value = box.until_seen(6)

    assert [(group.node, group.count, group.open) for group in value.groups] == [
        ("Check", 1, 1),
        ("Price", 5, 5),
    ]
    assert value.states == {TriageState.OPEN: 6}
    assert value.window.total == 6
    newest = value.window.rows[0]
    assert (newest.node, newest.reason, newest.kind) == ("Check", "no", "business")
    assert newest.source is not None
    assert str(newest.source) == f"{place.source}[0]@9"
    assert newest.origin is Origin.LOOM


def test_what_comes_later_is_seen_too(place: Place) -> None:
    with opened(place) as box:
        box.until(lambda value: value.topics and value.topics[0].behind == 0, "not read")
        place.write_envelopes(place.envelope(1))
        box.until_seen(1)
        place.write_envelopes(place.envelope(2))
        box.until_seen(2)
        box.until(lambda value: value.topics[0].read == 2, "the topic's count did not follow")


def test_dead_letters_of_the_flow_and_of_others_are_envelopes(place: Place) -> None:
    letters = place.topics.create("letters")
    for write in (connect, streams, spring):
        place.write_letter(letters, b"key", b"value", write(place.source, 1, 7))
    place.topics.produce(
        place.dead, [NewRecord(b"{}", b"k", ((DLQ_ERROR, b"too large"),)), b"something else"]
    )

    with opened(place) as box:
        box.inbox.read_topic(letters)
        value = box.until_seen(4)
        value = box.until(lambda value: sum(each.strange for each in value.topics), "not strange")

    origins = {group.origin: group for group in value.groups}
    assert set(origins) == {
        Origin.KAFKA_CONNECT,
        Origin.KAFKA_STREAMS,
        Origin.SPRING,
        Origin.DEAD_LETTER,
    }
    assert origins[Origin.DEAD_LETTER].reason == "too large"
    sources = {row.source for row in value.window.rows if row.origin is not Origin.DEAD_LETTER}
    assert {str(each) for each in sources} == {f"{place.source}[1]@7"}


def test_a_dead_letter_topic_by_its_usual_name_is_found(place: Place) -> None:
    usual = f"{place.source}-dlt"
    create_topics(place.topics.bootstrap, {usual: 1})
    place.write_letter(usual, b"key", b"value", spring(place.source, 0, 1))

    with opened(place) as box:
        value = box.until_seen(1)

    assert value.groups[0].origin is Origin.SPRING


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (InboxFilter(text="UNICORN"), {0, 1, 2}),
        (InboxFilter(text="samovar"), {3}),
        (InboxFilter(text="customer-2"), {2}),
        (InboxFilter(key="r-1"), {1}),
        (InboxFilter(node="Check"), {3}),
        (InboxFilter(from_offset=1, to_offset=2), {1, 2}),
        (InboxFilter(text="unicorn", from_offset=2), {2}),
        (InboxFilter(states=(TriageState.IGNORED,)), {0}),
        (InboxFilter(text="nothing of it"), set()),
    ],
)
def test_a_filter_lets_through_what_fits(
    place: Place, wanted: InboxFilter, expected: set[int]
) -> None:
    place.write_envelopes(*(place.envelope(each, f"customer-{each}") for each in range(3)))
    place.write_envelopes(
        place.envelope(3, "customer-3", product="samovar", node="Check", reason="odd")
    )
    with opened(place) as box:
        value = box.until_seen(4)
        first = next(row.id for row in value.window.rows if row.key == "customer-0")
        box.inbox.set_state(Selection(envelopes=(first,)), TriageState.IGNORED)
        box.inbox.set_filter(wanted)
        value = box.until(lambda value: value.filter == wanted, "not filtered")

    found = {row.source.offset for row in value.window.rows if row.source is not None}
    assert found == expected
    assert value.window.total == len(expected)
    assert sum(group.matches for group in value.groups) == len(expected)


def test_a_window_shows_some_rows_of_a_group(place: Place) -> None:
    for each in range(10):
        place.write_envelopes(place.envelope(each))
    with opened(place) as box:
        value = box.until_seen(10)
        group = value.groups[0].fingerprint
        box.inbox.show_rows(group, 3, 4)
        value = box.until(lambda value: value.window.first == 3, "not shown")

    assert value.window.fingerprint == group
    assert value.window.total == 10
    assert len(value.window.rows) == 4


def test_triage_states_are_kept_and_undone_in_the_next_session(
    place: Place, tmp_path: Path
) -> None:
    store = tmp_path / "triage.sqlite"
    place.write_envelopes(*(place.envelope(each) for each in range(4)))
    with opened(place, store=store) as box:
        value = box.until_seen(4)
        one = value.window.rows[0].id
        box.inbox.set_state(Selection(envelopes=(one,)), TriageState.DISCARDED)
        box.inbox.set_state(Selection(group=value.groups[0].fingerprint), TriageState.IGNORED)
        box.until(lambda value: value.states == {TriageState.IGNORED: 4}, "not ignored")

    with opened(place, store=store) as box:
        value = box.until_seen(4)
        assert value.states == {TriageState.IGNORED: 4}
        assert value.undoable == "ignored: 4 envelopes"
        box.inbox.undo()
        value = box.until(lambda value: "discarded" in value.undoable, "not undone")
        assert value.states == {TriageState.OPEN: 3, TriageState.DISCARDED: 1}
        # What comes after a decision about a group is open.
        place.write_envelopes(place.envelope(9))
        assert box.until_seen(5).open == 4


def test_fixed_is_not_set_by_hand(place: Place) -> None:
    place.write_envelopes(place.envelope(1))
    with opened(place) as box:
        box.until_seen(1)
        box.inbox.set_state(Selection(everything=True), TriageState.FIXED)
        value = box.until(lambda value: value.notices, "nothing was told")

    assert "only a proof" in value.notices[-1].text
    assert value.states == {TriageState.OPEN: 1}


def test_an_envelope_is_opened_with_the_record_that_failed(place: Place) -> None:
    place.write_orders([(0, "tea", "a"), (1, "unicorn", "b")])
    place.write_envelopes(place.envelope(1, "b"))
    with opened(place) as box:
        row = box.until_seen(1).window.rows[0]
        box.inbox.open_envelope(row.id)
        shown = box.until(lambda value: value.opened and value.opened.record, "not fetched").opened

    assert shown is not None
    assert shown.source is not None
    assert shown.source.value.content == b'{"number": 1, "product": "unicorn"}'
    assert shown.source.key.content == b"b"
    assert [name for name, _ in shown.source.headers] == ["shop"]
    assert ("flow", "orders") in shown.headers
    assert shown.traceback is not None
    assert shown.problem is None


def test_a_record_that_is_gone_is_told(place: Place) -> None:
    place.write_envelopes(place.envelope(77))
    with opened(place) as box:
        row = box.until_seen(1).window.rows[0]
        box.inbox.open_envelope(row.id)
        shown = box.until(lambda value: value.opened and value.opened.problem, "not told").opened

    assert shown is not None
    assert shown.problem is not None
    assert "there no more" in shown.problem.message


def test_an_exported_envelope_is_imported_by_a_colleague(
    place: Place, topics: Topics, tmp_path: Path
) -> None:
    place.write_orders([(0, "unicorn", "a")])
    place.write_envelopes(place.envelope(0, "a"))
    for file in (tmp_path / "one.json", tmp_path / "one.envelope"):
        with opened(place) as box:
            _open_newest(box)
            box.inbox.export(str(file))
            notice = box.until(lambda value: value.notices, "nothing was told").notices[-1]
        assert notice.path == str(file)
        with opened(Place(topics)) as box:
            box.inbox.import_file(str(file))
            value = box.until(lambda value: value.opened, "not imported")
        assert value.opened is not None
        assert value.opened.row.id.startswith("file:")
        assert value.opened.row.reason == "'unicorn'"
        assert value.opened.source is not None
        assert value.opened.source.value.content == b'{"number": 0, "product": "unicorn"}'


def test_an_export_overwrites_nothing(place: Place, tmp_path: Path) -> None:
    file = tmp_path / "there.json"
    file.write_text("mine")
    place.write_envelopes(place.envelope(0))
    with opened(place) as box:
        _open_newest(box)
        box.inbox.export(str(file))
        notice = box.until(lambda value: value.notices, "nothing was told").notices[-1]

    assert "is there already" in notice.text
    assert file.read_text() == "mine"


def _open_newest(box: Opened) -> None:
    row = box.until_seen(1).window.rows[0]
    box.inbox.open_envelope(row.id)
    box.until(lambda value: value.opened and value.opened.record, "not fetched")
