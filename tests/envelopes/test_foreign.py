"""Dead letters of other systems: what their headers tell, and that no header can break a reader."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from loom_bench.broker.place import RecordPlace
from loom_bench.broker.reading import Headers, TopicRecord
from loom_bench.session.envelopes.envelope import MAX_REASON, read_envelope
from loom_bench.session.envelopes.foreign import foreign_failure, without_foreign
from loom_bench.session.envelopes.source_record import carried
from loom_bench.session.envelopes.terms import Origin
from tests.envelopes.foreign_writers import connect, spring, streams

Writer = Callable[..., Headers]

WRITERS = pytest.mark.parametrize(
    ("write", "origin"),
    [
        (connect, Origin.KAFKA_CONNECT),
        (streams, Origin.KAFKA_STREAMS),
        (spring, Origin.SPRING),
    ],
)

_topics = st.from_regex(r"[a-zA-Z0-9._-]{1,40}", fullmatch=True)
_partitions = st.integers(0, 2**31 - 1)
_offsets = st.integers(0, 2**63 - 1)


@WRITERS
@given(topic=_topics, partition=_partitions, offset=_offsets, reason=st.text(max_size=200))
def test_what_a_writer_says_is_read(
    write: Writer, origin: Origin, topic: str, partition: int, offset: int, reason: str
) -> None:
    reason = reason.encode("utf-8", "replace").decode()

    failure = foreign_failure(write(topic, partition, offset, reason=reason))

    assert failure is not None
    assert failure.origin is origin
    assert failure.source == RecordPlace(topic, partition, offset)
    assert failure.exception_type == "org.example.PriceMissing"
    assert failure.reason == reason
    assert failure.traceback is not None
    assert "Checkout.java:107" in failure.traceback


_KNOWN = [name for write in (connect, streams, spring) for name, _ in write("t", 0, 0)]
_names = st.one_of(
    st.sampled_from(
        sorted({name for write in (connect, streams, spring) for name, _ in write("t", 0, 0)})
    ),
    st.sampled_from(["x-error-kind", "x-dlq-error", "__connect.errors.", "kafka_dlt-"]),
    st.text(max_size=20),
)
_headers = st.lists(st.tuples(_names, st.none() | st.binary(max_size=40)), max_size=20).map(tuple)


@given(headers=_headers, key=st.none() | st.binary(), value=st.none() | st.binary(max_size=200))
@example(headers=(("kafka_dlt-original-offset", b"\xff" * 8),), key=None, value=None)
@example(headers=(("__connect.errors.offset", "٣".encode()),), key=b"\xff", value=b"{")
def test_no_record_breaks_the_reader(
    headers: Headers, key: bytes | None, value: bytes | None
) -> None:
    record = TopicRecord("letters", 1, 7, 1_700_000_000_000, key, value, headers)

    envelope = read_envelope(record)

    if envelope is not None:
        assert len(envelope.reason) <= MAX_REASON
        source = envelope.source
        assert source is None or (source.topic and source.partition >= 0 and source.offset >= 0)
        found = carried(envelope, record)
        assert found is None or found.value == value or envelope.origin is Origin.LOOM


@WRITERS
def test_the_record_is_carried_as_it_was(write: Writer, origin: Origin) -> None:
    own = (("content-type", b"text/plain"), ("trace", None))
    record = TopicRecord("letters", 0, 3, 5, b"k", b"\x00value", (*own, *write("orders", 2, 41)))
    envelope = read_envelope(record)
    assert envelope is not None

    source = carried(envelope, record)

    assert source is not None
    assert (source.topic, source.partition, source.offset) == ("orders", 2, 41)
    assert (source.key, source.value, source.headers) == (b"k", b"\x00value", own)


def test_of_a_header_that_is_repeated_the_last_one_counts() -> None:
    headers = (*connect("first", 0, 1), *connect("second", 1, 2))

    failure = foreign_failure(headers)

    assert failure is not None
    assert failure.source == RecordPlace("second", 1, 2)
    assert without_foreign(headers) == ()


@pytest.mark.parametrize(
    "broken",
    [
        ("__connect.errors.partition", b"one"),
        ("__connect.errors.partition", b"-1"),
        ("__connect.errors.partition", b"2147483648"),
        ("__connect.errors.offset", b"9" * 30),
        ("__connect.errors.offset", None),
        ("__connect.errors.topic", b""),
        ("__connect.errors.topic", b"t" * 250),
    ],
)
def test_a_place_that_cannot_be_is_none(broken: tuple[str, bytes | None]) -> None:
    failure = foreign_failure((*connect("orders", 0, 1), broken))

    assert failure is not None
    assert failure.source is None
    assert failure.reason == "no price"


@WRITERS
def test_failures_of_one_place_are_one_group(write: Writer, origin: Origin) -> None:
    def group(reason: str, offset: int) -> str:
        headers = write("orders", 0, offset, reason=reason)
        envelope = read_envelope(TopicRecord("letters", 0, offset, 0, None, b"", headers))
        assert envelope is not None
        return envelope.fingerprint

    assert group("no price for tea", 1) == group("no price for mugs", 2)


def test_systems_are_told_apart() -> None:
    groups = set()
    for write in (connect, streams, spring):
        envelope = read_envelope(TopicRecord("l", 0, 0, 0, None, b"", write("orders", 0, 0)))
        assert envelope is not None
        groups.add(envelope.fingerprint)
    assert len(groups) == 3
