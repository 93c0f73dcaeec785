"""Positions of source partitions: their form, and reading them from a store."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loom_runtime.recovery.contents import read_values
from loom_runtime.recovery.errors import NotPlainError
from loom_runtime.recovery.positions import (
    SourcePosition,
    decode_position,
    encode_position,
    read_positions,
)
from tests.recovery.counting import Job
from tests.recovery.processes import count
from tests.recovery.stores import (
    COUNT_STEP,
    Row,
    part,
    plant,
    prepare,
    record_execution,
    row,
)

_INTEGERS = st.integers(0, 2**63 - 1)


@given(_INTEGERS, _INTEGERS, st.none() | st.text(), _INTEGERS)
def test_a_position_comes_back(offset: int, at_ms: int, revision: str | None, epoch: int) -> None:
    blob = encode_position(offset, at_ms=at_ms, revision=revision, epoch=epoch)
    assert decode_position(blob) == SourcePosition(
        offset=offset, at_ms=at_ms, revision=revision, epoch=epoch
    )


def test_any_messagepack_tool_can_read_a_position() -> None:
    blob = encode_position(7, at_ms=1_700_000_000_000, revision="r2", epoch=3)
    assert msgspec.msgpack.decode(blob) == {
        "loom_position": 1,
        "offset": 7,
        "at_ms": 1_700_000_000_000,
        "revision": "r2",
        "epoch": 3,
    }


@given(st.binary(max_size=60))
def test_noise_is_refused_in_one_way(noise: bytes) -> None:
    with pytest.raises(NotPlainError):
        decode_position(noise)


def test_a_later_layout_is_refused() -> None:
    later = msgspec.msgpack.encode({"loom_position": 2, "offset": 1, "at_ms": 1, "epoch": 1})
    with pytest.raises(NotPlainError, match="layout version 2"):
        decode_position(later)


def test_fields_added_later_do_no_harm() -> None:
    later = msgspec.msgpack.encode(
        {"loom_position": 1, "offset": 5, "at_ms": 1, "epoch": 1, "host": "a"}
    )
    assert decode_position(later).offset == 5


def test_positions_are_those_that_a_run_would_resume_from(tmp_path: Path) -> None:
    assert read_positions(tmp_path) == {}
    prepare(tmp_path)
    assert read_positions(tmp_path) == {}
    record_execution(tmp_path, 0, 1, [5])
    for index, (key, epoch, offset) in enumerate(
        [("keys:0", 3, 30), ("keys:0", 4, 40), ("keys:0", 5, 50), ("keys:1", 2, 20)]
    ):
        blob = encode_position(offset, at_ms=1, revision=None, epoch=epoch)
        plant(part(tmp_path, index % 3), [row(key, epoch, blob, "source")])
    positions = read_positions(tmp_path)
    assert {key: each.offset for key, each in positions.items()} == {"keys:0": 40, "keys:1": 20}


def test_what_a_run_wrote_can_be_read(tmp_path: Path) -> None:
    assert count(Job(db_dir=str(tmp_path / "store"), records=12)).exit_code == 0
    (position,) = read_positions(tmp_path / "store").values()
    assert (position.offset, position.revision) == (12, "r1")
    assert read_values(tmp_path / "store", COUNT_STEP) == {
        "0/k0": b"5",
        "0/k1": b"5",
        "0/k2": b"2",
    }


def test_discarded_keys_have_no_value(tmp_path: Path) -> None:
    prepare(tmp_path)
    record_execution(tmp_path, 0, 1, [5])
    plant(part(tmp_path, 0), [row("a", 1, b"x"), row("b", 1, b"y"), row("c", 1, None)])
    plant(part(tmp_path, 0), [Row(row("a", 2).step_id, "a", 2, None)])
    assert read_values(tmp_path, COUNT_STEP) == {"b": b"y"}
