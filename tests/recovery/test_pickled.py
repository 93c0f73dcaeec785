"""What Bytewax pickled is read without being unpickled."""

from __future__ import annotations

import os
import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loom_runtime.recovery.errors import NotPlainError
from loom_runtime.recovery.pickled import read_pickled

_PROTOCOLS = st.sampled_from([3, 4, 5])


@given(st.one_of(st.none(), st.binary(max_size=2_000)), _PROTOCOLS)
def test_bytes_and_nothing_come_back(value: bytes | None, protocol: int) -> None:
    assert read_pickled(pickle.dumps(value, protocol)) == value


@pytest.mark.parametrize("size", [255, 256, 65_535, 65_536, 300_000])
def test_bytes_of_every_size_come_back(size: int) -> None:
    assert read_pickled(pickle.dumps(b"x" * size)) == b"x" * size


class _Command:
    def __repr__(self) -> str:
        return "a command"

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.system, ("false",)


@pytest.mark.parametrize(
    "value",
    [1, "text", True, [], [b""], (b"a", b"b"), {}, _Command(), os.system, bytearray(b"a"), 1.5],
    ids=repr,
)
def test_anything_else_is_refused(value: object) -> None:
    with pytest.raises(NotPlainError, match="opcode"):
        read_pickled(pickle.dumps(value))


@given(st.binary(max_size=200))
def test_noise_is_refused_in_one_way(noise: bytes) -> None:
    try:
        value = read_pickled(noise)
    except NotPlainError:
        return
    assert value is None or value in noise


@given(st.binary(min_size=1, max_size=300), st.data())
def test_a_cut_or_lengthened_pickle_is_refused(value: bytes, data: st.DataObject) -> None:
    whole = pickle.dumps(value)
    cut = data.draw(st.integers(0, len(whole) - 1))
    with pytest.raises(NotPlainError):
        read_pickled(whole[:cut])
    with pytest.raises(NotPlainError):
        read_pickled(whole + b"\x00")
