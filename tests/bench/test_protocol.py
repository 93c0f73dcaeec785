"""Frames survive any cut of the stream, and nothing else passes for one."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loom_bench.protocol.channel import Channel
from loom_bench.protocol.codec import (
    LENGTH_BYTES,
    MAX_FRAME_BYTES,
    FrameDecoder,
    ProtocolError,
    encode_frame,
)
from loom_bench.protocol.diagnosis import CodeFrame, Diagnosis
from loom_bench.protocol.feeding import SetRate
from loom_bench.protocol.frames import (
    PROTOCOL_VERSION,
    BenchFrame,
    Drain,
    ErrorGroup,
    Errors,
    Events,
    Finished,
    Hello,
    HostFrame,
    Ledger,
    Load,
    Loaded,
    LoadFailed,
    SeenEvent,
    Start,
    Started,
)
from loom_runtime.ledger import LedgerReport, LedgerRow
from tests.bench.plans import everything_plan

TEXT = st.text()
COUNT = st.integers(0, 2**40)
DIAGNOSES = st.builds(
    Diagnosis,
    code=TEXT,
    message=TEXT,
    file=st.none() | TEXT,
    line=st.none() | COUNT,
    frames=st.lists(st.builds(CodeFrame, file=TEXT, line=COUNT, function=TEXT), max_size=2).map(
        tuple
    ),
)
HOST_FRAMES = st.one_of(
    st.builds(Started),
    st.builds(LoadFailed, st.lists(DIAGNOSES, max_size=2).map(tuple)),
    st.builds(Finished, outcome=st.just("drained"), failure=st.none() | DIAGNOSES),
    st.builds(
        Events,
        events=st.lists(
            st.builds(
                SeenEvent,
                scope=TEXT,
                name=TEXT,
                kind=TEXT,
                at_ms=COUNT,
                meta=st.dictionaries(TEXT, st.none() | TEXT | COUNT | st.booleans(), max_size=3),
            ),
            max_size=3,
        ).map(tuple),
        seen=COUNT,
        left_out=COUNT,
    ),
    st.builds(
        Errors,
        groups=st.lists(
            st.builds(
                ErrorGroup,
                fingerprint=TEXT,
                kind=TEXT,
                node=TEXT,
                exception_type=TEXT,
                reason=TEXT,
                count=COUNT,
                first_ms=COUNT,
                last_ms=COUNT,
            ),
            max_size=2,
        ).map(tuple),
        seen=COUNT,
        ungrouped=COUNT,
    ),
    st.builds(
        Ledger,
        st.builds(
            LedgerReport,
            flow=TEXT,
            epoch=COUNT,
            partitions=st.lists(
                st.builds(LedgerRow, topic=TEXT, partition=COUNT, consumed=COUNT), max_size=3
            ).map(tuple),
        ),
    ),
)
BENCH_FRAMES = st.one_of(
    st.builds(Load, target=TEXT, config_path=st.none() | TEXT, bootstrap=st.none() | TEXT),
    st.builds(Start, until_idle_ms=st.none() | COUNT, max_records=st.none() | COUNT),
    st.builds(SetRate, st.none() | st.floats(0, 1e9)),
    st.builds(Drain),
)


def pieces(stream: bytes, cuts: list[int]) -> Iterator[bytes]:
    places = sorted({cut % (len(stream) + 1) for cut in cuts})
    for start, end in zip([0, *places], [*places, len(stream)], strict=True):
        yield stream[start:end]


@given(st.lists(HOST_FRAMES, max_size=5), st.lists(COUNT, max_size=10))
def test_what_a_host_sends_arrives_however_it_is_cut(
    frames: list[HostFrame], cuts: list[int]
) -> None:
    stream = b"".join(encode_frame(frame) for frame in frames)
    decoder: FrameDecoder[HostFrame] = FrameDecoder(HostFrame)
    arrived = [frame for piece in pieces(stream, cuts) for frame in decoder.feed(piece)]
    decoder.finish()
    assert arrived == frames


@given(st.lists(BENCH_FRAMES, max_size=5), st.lists(COUNT, max_size=10))
def test_what_the_bench_sends_arrives_however_it_is_cut(
    frames: list[BenchFrame], cuts: list[int]
) -> None:
    stream = b"".join(encode_frame(frame) for frame in frames)
    decoder: FrameDecoder[BenchFrame] = FrameDecoder(BenchFrame)
    arrived = [frame for piece in pieces(stream, cuts) for frame in decoder.feed(piece)]
    assert arrived == frames


def test_a_plan_arrives_whole() -> None:
    loaded = Loaded(
        plan=everything_plan(),
        module="everything",
        module_files=("everything.py",),
        config_sources=(),
        has_feed=False,
    )
    decoder: FrameDecoder[HostFrame] = FrameDecoder(HostFrame)
    assert decoder.feed(encode_frame(loaded)) == [loaded]


@given(st.binary(min_size=1))
def test_garbage_is_a_protocol_error_or_waits_for_more(garbage: bytes) -> None:
    decoder: FrameDecoder[HostFrame] = FrameDecoder(HostFrame)
    try:
        frames = decoder.feed(garbage)
        decoder.finish()
    except ProtocolError:
        with pytest.raises(ProtocolError):
            decoder.finish()
    else:
        assert b"".join(encode_frame(frame) for frame in frames) == garbage


@given(HOST_FRAMES, st.binary())
def test_a_body_of_garbage_is_a_protocol_error(frame: HostFrame, body: bytes) -> None:
    try:
        valid = msgspec.msgpack.decode(body, type=HostFrame)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        valid = None
    decoder: FrameDecoder[HostFrame] = FrameDecoder(HostFrame)
    stream = encode_frame(frame) + len(body).to_bytes(LENGTH_BYTES, "big") + body
    if valid is not None:
        assert decoder.feed(stream) == [frame, valid]
        return
    for _ in range(2):  # there is no next frame to be found after garbage
        with pytest.raises(ProtocolError, match="no frame"):
            decoder.feed(stream)


@given(HOST_FRAMES, COUNT)
def test_a_stream_that_ends_within_a_frame_is_a_protocol_error(frame: HostFrame, cut: int) -> None:
    stream = encode_frame(frame)
    decoder: FrameDecoder[HostFrame] = FrameDecoder(HostFrame)
    assert decoder.feed(stream[: 1 + cut % (len(stream) - 1)]) == []
    with pytest.raises(ProtocolError, match="within a frame"):
        decoder.finish()


def test_an_oversized_frame_is_refused_before_it_is_read() -> None:
    decoder: FrameDecoder[HostFrame] = FrameDecoder(HostFrame)
    with pytest.raises(ProtocolError, match="claims"):
        decoder.feed((MAX_FRAME_BYTES + 1).to_bytes(LENGTH_BYTES, "big"))


def test_an_oversized_frame_is_not_sent() -> None:
    with pytest.raises(ProtocolError, match="LoadFailed frame"):
        encode_frame(LoadFailed((Diagnosis(code="x", message="y" * MAX_FRAME_BYTES),)))


def test_lone_surrogates_travel_as_their_codes() -> None:
    frame = LoadFailed((Diagnosis(code="x", message="a \ud800 b", hint="é"),))
    decoder: FrameDecoder[HostFrame] = FrameDecoder(HostFrame)
    (arrived,) = decoder.feed(encode_frame(frame))
    assert isinstance(arrived, LoadFailed)
    assert arrived.diagnoses[0] == Diagnosis(code="x", message="a \\ud800 b", hint="é")


def test_a_bomb_of_nested_arrays_is_a_protocol_error() -> None:
    body = b"\x91" * 1_000_000
    decoder: FrameDecoder[HostFrame] = FrameDecoder(HostFrame)
    with pytest.raises(ProtocolError):
        decoder.feed(len(body).to_bytes(LENGTH_BYTES, "big") + body)


@contextmanager
def connection() -> Iterator[tuple[socket.socket, Channel[HostFrame]]]:
    theirs, ours = socket.socketpair()
    channel: Channel[HostFrame] = Channel(ours, HostFrame)
    with theirs:
        yield theirs, channel
    channel.close()
    channel.close()  # twice does no harm


def test_a_channel_yields_frames_until_the_other_end_closes() -> None:
    with connection() as (host, channel):
        host.sendall(encode_frame(Hello(PROTOCOL_VERSION, os.getpid())))
        host.sendall(encode_frame(Started()))
        host.close()
        assert list(channel.receive()) == [Started()]


@pytest.mark.parametrize(
    ("frames", "problem"),
    [
        ([Hello(PROTOCOL_VERSION + 1, 1)], f"version {PROTOCOL_VERSION + 1}"),
        ([Started()], "out of turn"),
        ([Hello(PROTOCOL_VERSION, 1), Hello(PROTOCOL_VERSION, 1)], "out of turn"),
        ([Hello(PROTOCOL_VERSION, 1), Drain()], "no frame"),
    ],
)
def test_a_channel_refuses_what_the_protocol_does_not_allow(
    frames: list[msgspec.Struct], problem: str
) -> None:
    with connection() as (host, channel):
        for frame in frames:
            host.sendall(encode_frame(frame))
        with pytest.raises(ProtocolError, match=problem):
            list(channel.receive())
