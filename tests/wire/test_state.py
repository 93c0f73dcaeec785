"""Keyed state is read back, and refused with a remedy when that would lose something."""

from __future__ import annotations

from typing import Any, ClassVar

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loom_runtime.model import LoomFrozenStruct, LoomStruct
from loom_runtime.wire.state import (
    StateDecodeError,
    decode_state,
    encode_state,
    open_state,
    read_state,
)


class Delay(LoomFrozenStruct, frozen=True):
    """The state as first written."""

    flights: int
    late_minutes: float
    seen: set[str] = msgspec.field(default_factory=set)


class Positional(LoomStruct, array_like=True):
    """A state that is encoded as an array."""

    flights: int
    late_minutes: float


def test_the_blob_describes_itself() -> None:
    blob = encode_state(Delay(3, 1.5), "flights.delay")
    assert msgspec.msgpack.decode(blob) == {
        "loom_state": 1,
        "type": "flights.delay",
        "schema": ["flights", "late_minutes", "seen"],
        "value": {"flights": 3, "late_minutes": 1.5, "seen": []},
    }


def test_it_is_read_without_its_type() -> None:
    stored = open_state(encode_state(Delay(3, 1.5, {"UA"}), "flights.delay"))
    assert stored.type_name == "flights.delay"
    assert stored.fields == ("flights", "late_minutes", "seen")
    assert stored.value == {"flights": 3, "late_minutes": 1.5, "seen": ["UA"]}


def test_an_array_is_shown_with_its_field_names() -> None:
    blob = encode_state(Positional(3, 1.5), "p")
    assert read_state(blob) == {"flights": 3, "late_minutes": 1.5}
    assert decode_state(blob, Positional) == Positional(3, 1.5)


def test_a_new_field_takes_its_default() -> None:
    class Grown(LoomFrozenStruct, frozen=True):
        flights: int
        late_minutes: float
        seen: set[str] = msgspec.field(default_factory=set)
        cancelled: int = 0

    assert decode_state(encode_state(Delay(3, 1.5), "d"), Grown) == Grown(3, 1.5)


def test_a_new_field_without_a_default_is_refused() -> None:
    class Grown(LoomFrozenStruct, frozen=True):
        flights: int
        late_minutes: float
        cancelled: int
        seen: set[str] = msgspec.field(default_factory=set)

    with pytest.raises(StateDecodeError, match="missing required field `cancelled`") as error:
        decode_state(encode_state(Delay(3, 1.5), "d"), Grown)
    assert "give new fields a default" in error.value.what_next


def test_a_renamed_field_does_not_begin_anew_in_silence() -> None:
    class Renamed(LoomFrozenStruct, frozen=True):
        count: int = 0
        late_minutes: float = 0.0
        seen: set[str] = msgspec.field(default_factory=set)

    with pytest.raises(
        StateDecodeError, match=r"has the field 'flights', which .*Renamed lacks"
    ) as error:
        decode_state(encode_state(Delay(3, 1.5), "d"), Renamed)
    assert "msgspec.field(name='flights')" in error.value.what_next
    assert "__loom_dropped_fields__ = ('flights',)" in error.value.what_next


def test_the_remedies_work() -> None:
    class Renamed(LoomFrozenStruct, frozen=True):
        count: int = msgspec.field(default=0, name="flights")
        late_minutes: float = 0.0
        seen: set[str] = msgspec.field(default_factory=set)

    class Dropped(LoomFrozenStruct, frozen=True):
        __loom_dropped_fields__: ClassVar[tuple[str, ...]] = ("flights",)

        late_minutes: float = 0.0
        seen: set[str] = msgspec.field(default_factory=set)

    blob = encode_state(Delay(3, 1.5), "d")
    assert decode_state(blob, Renamed).count == 3
    assert decode_state(blob, Dropped).late_minutes == 1.5


def test_a_value_of_another_type_is_refused_with_its_path() -> None:
    class Changed(LoomFrozenStruct, frozen=True):
        flights: int
        late_minutes: str
        seen: set[str] = msgspec.field(default_factory=set)

    with pytest.raises(
        StateDecodeError, match=r"Expected `str`, got `float` - at `\$.late_minutes`"
    ):
        decode_state(encode_state(Delay(3, 1.5), "d"), Changed)


def test_a_newer_layout_is_refused() -> None:
    blob = msgspec.msgpack.encode({"loom_state": 2, "type": "d", "schema": [], "value": {}})
    with pytest.raises(StateDecodeError, match="layout version 2; this runtime reads version 1"):
        read_state(blob)


@settings(deadline=None)
@given(blob=st.binary(max_size=40))
def test_bytes_that_are_no_state_are_refused(blob: bytes) -> None:
    with pytest.raises(StateDecodeError):
        read_state(blob)
    with pytest.raises(StateDecodeError):
        decode_state(blob, Delay)


def test_a_state_that_cannot_be_said_is_an_error() -> None:
    class Odd(LoomFrozenStruct, frozen=True):
        value: Any

    with pytest.raises(TypeError, match="object is unsupported"):
        encode_state(Odd(object()), "odd")
