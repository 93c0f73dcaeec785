"""Which changes of a state type leave stored state readable: said, and then tried with msgspec."""

from __future__ import annotations

from enum import Enum
from typing import Any, Generic, Literal, TypeVar

import msgspec
import pytest

from loom_runtime import LoomStruct
from loom_runtime.recovery.state_schema import schema_changes, schema_of

T = TypeVar("T")


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class MoreColours(Enum):
    RED = "red"
    BLUE = "blue"
    GREEN = "green"


class Leg(LoomStruct):
    minutes: int


class LongerLeg(LoomStruct):
    minutes: int
    miles: float = 0.0


class OtherLeg(LoomStruct):
    hours: int = 0


class Tree(LoomStruct):
    children: list[Tree] = msgspec.field(default_factory=list)
    size: int = 0


class BiggerTree(LoomStruct):
    children: list[BiggerTree] = msgspec.field(default_factory=list)
    size: int = 0
    depth: int = 0


class Box(LoomStruct, Generic[T]):
    content: T


def struct(name: str, *fields: Any, **options: Any) -> type[msgspec.Struct]:
    """Return a struct type made on the spot."""
    return msgspec.defstruct(name, fields, bases=(LoomStruct,), **options)


TOTAL = struct("Total", ("count", int), ("sum", float))

READABLE = [
    (
        TOTAL,
        struct("Total", ("count", int), ("sum", float), ("mean", float, 0.0)),
        "new field mean",
    ),
    (TOTAL, struct("Total", ("sum", float), ("count", int)), None),
    (TOTAL, struct("Total", ("count", float), ("sum", float)), "field count was int and is float"),
    (TOTAL, struct("Total", ("count", int | None), ("sum", float)), "is int | none"),
    (TOTAL, struct("Total", ("count", Any), ("sum", float)), "field count was int and is any"),
    (TOTAL, struct("Renamed", ("count", int), ("sum", float)), None),
    (
        TOTAL,
        struct("T", ("count", int), ("total", float, msgspec.field(name="sum"))),
        None,
    ),
    (
        TOTAL,
        struct("T", ("count", int), namespace={"__loom_dropped_fields__": ("sum",)}),
        "lacks the field sum",
    ),
    (struct("S", ("leg", Leg)), struct("S", ("leg", LongerLeg)), "field leg has the new field"),
    (struct("S", ("legs", list[Leg])), struct("S", ("legs", list[LongerLeg])), "new field miles"),
    (
        struct("S", ("by", dict[str, int])),
        struct("S", ("by", dict[str, float])),
        "int and is float",
    ),
    (struct("S", ("seen", list[int])), struct("S", ("seen", set[int])), None),
    (struct("S", ("of", Colour)), struct("S", ("of", MoreColours)), None),
    (struct("S", ("of", Literal["a"])), struct("S", ("of", Literal["a", "b"])), "is 'a' | 'b'"),
    (Tree, BiggerTree, "new field depth"),
    (Box[int], Box[float], "int and is float"),
    (
        struct("A", ("x", int), array_like=True),
        struct("A", ("x", int), ("y", int, 0), array_like=True),
        "new field y",
    ),
]

UNREADABLE = [
    (TOTAL, struct("Total", ("count", int)), "lacks the field sum"),
    (TOTAL, struct("Total", ("count", int), ("sum", str)), "field sum was float and is str"),
    (TOTAL, struct("Total", ("count", int), ("sum", float), ("x", int)), "without a default"),
    (struct("S", ("n", int | None)), struct("S", ("n", int)), "was int | none and is int"),
    (struct("S", ("n", float)), struct("S", ("n", int)), "was float and is int"),
    (struct("S", ("legs", list[Leg])), struct("S", ("legs", list[OtherLeg])), "field minutes"),
    (struct("S", ("legs", list[int])), struct("S", ("legs", dict[str, int])), "is dict"),
    (struct("S", ("of", MoreColours)), struct("S", ("of", Colour)), "no longer be 'green'"),
    (
        struct("A", ("x", int), ("y", int), array_like=True),
        struct("A", ("y", int), ("x", int), array_like=True),
        "other positions",
    ),
    (struct("A", ("x", int)), struct("A", ("x", int), array_like=True), "another way"),
    (struct("A", ("x", int), tag="a"), struct("A", ("x", int), tag="b"), "another way"),
    (Box[float], Box[str], "was float and is str"),
]


@pytest.mark.parametrize("kind", [pair[0] for pair in READABLE], ids=str)
def test_a_type_does_not_differ_from_itself(kind: type) -> None:
    assert schema_changes(schema_of(kind), schema_of(kind)) == []


@pytest.mark.parametrize(("stored", "current", "what"), READABLE, ids=str)
def test_accepted(stored: type, current: type, what: str | None) -> None:
    changes = schema_changes(schema_of(stored), schema_of(current))
    assert all(change.readable for change in changes)
    if what is None:
        assert changes == []
    else:
        assert any(what in change.what for change in changes), changes


@pytest.mark.parametrize(("stored", "current", "what"), UNREADABLE, ids=str)
def test_refused(stored: type, current: type, what: str) -> None:
    changes = schema_changes(schema_of(stored), schema_of(current))
    assert any(what in change.what for change in changes if not change.readable), changes


def test_a_schema_survives_being_written() -> None:
    for kind in (TOTAL, Tree, Box[int], struct("S", ("of", Colour))):
        schema = schema_of(kind)
        assert msgspec.json.decode(msgspec.json.encode(schema), type=type(schema)) == schema


def test_what_is_accepted_decodes() -> None:
    values = {TOTAL: {"count": 3, "sum": 1.5}, Tree: {"children": [{"size": 1}], "size": 2}}
    for stored, current, _ in READABLE:
        if stored in values:
            blob = msgspec.msgpack.encode(msgspec.convert(values[stored], stored))
            msgspec.msgpack.decode(blob, type=current)
