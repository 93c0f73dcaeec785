"""The form of a state type, and whether state of one form can be read as another."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, get_origin

import msgspec
from msgspec import inspect

from loom_runtime.compiler.payloads import payload_name
from loom_runtime.model import LoomFrozenStruct

_ANY: Final = "any"
_ARRAYS: Final = (
    inspect.ListType,
    inspect.SetType,
    inspect.FrozenSetType,
    inspect.VarTupleType,
)
"""Types that MessagePack writes as an array of equals."""


class TypeForm(LoomFrozenStruct, frozen=True, array_like=True):
    """One alternative of a type.

    Attributes:
        name: ``int``, ``list``, or the name of a struct or enumeration.
        arguments: Alternatives of each type argument.
    """

    name: str
    arguments: tuple[tuple[TypeForm, ...], ...] = ()

    def __str__(self) -> str:
        inner = ", ".join(alternatives_text(each) for each in self.arguments)
        return f"{self.name}[{inner}]" if inner else self.name


class FieldForm(LoomFrozenStruct, frozen=True):
    """A field of a struct.

    Attributes:
        types: Alternatives of its type.
        required: Whether it has no default.
    """

    types: tuple[TypeForm, ...]
    required: bool


class StructForm(LoomFrozenStruct, frozen=True, kw_only=True):
    """A struct, or an enumeration.

    Attributes:
        fields: Fields by the name under which they are written, in order.
        positional: Whether it is written as an array.
        tag: Tag field and tag, when it has them.
        dropped: Fields whose stored values may go (``__loom_dropped_fields__``).
        values: Values of an enumeration; ``None`` for a struct.
    """

    fields: dict[str, FieldForm] = msgspec.field(default_factory=dict)
    positional: bool = False
    tag: str = ""
    dropped: tuple[str, ...] = ()
    values: tuple[str, ...] | None = None


class StateSchema(LoomFrozenStruct, frozen=True):
    """The form of a state type.

    Attributes:
        root: Its alternatives: one, the state's struct.
        definitions: The structs and enumerations that occur in it, by name.
    """

    root: tuple[TypeForm, ...]
    definitions: dict[str, StructForm]


class SchemaChange(LoomFrozenStruct, frozen=True):
    """One difference between two forms.

    Attributes:
        what: What it is, with the field's place.
        readable: Whether stored state can be read all the same, nothing of it lost unasked.
    """

    what: str
    readable: bool


def schema_of(kind: Any) -> StateSchema:
    """Return the form of the state type *kind*.

    Raises:
        TypeError: When msgspec cannot tell, as it words it.
        NameError: When an annotation names nothing.
    """
    definitions: dict[str, StructForm] = {}
    return StateSchema(_forms(inspect.type_info(kind), definitions), definitions)


def alternatives_text(forms: tuple[TypeForm, ...]) -> str:
    """Return a type as text, such as ``int | null``."""
    return " | ".join(map(str, forms)) or "nothing"


def schema_changes(stored: StateSchema, current: StateSchema) -> list[SchemaChange]:
    """Return what differs between the *stored* form and the *current* one."""
    comparison = _Comparison(stored.definitions, current.definitions)
    return list(comparison.types("the state", stored.root, current.root))


class _Comparison:
    """Compares two schemas; structs may contain themselves."""

    def __init__(self, stored: dict[str, StructForm], current: dict[str, StructForm]) -> None:
        self._stored = stored
        self._current = current
        self._known: dict[tuple[str, str], list[SchemaChange]] = {}

    def types(
        self, place: str, stored: tuple[TypeForm, ...], current: tuple[TypeForm, ...]
    ) -> Iterator[SchemaChange]:
        """Yield the differences of a type: every stored alternative needs a current one."""
        for form in stored:
            best = min((self._form(place, form, each) for each in current), key=_badness)
            if all(change.readable for change in best) or len(stored) == len(current) == 1:
                yield from best
            else:
                yield SchemaChange(_became(place, stored, current), False)
                return
        if len(current) > len(stored):
            yield SchemaChange(_became(place, stored, current), True)

    def _form(self, place: str, stored: TypeForm, current: TypeForm) -> list[SchemaChange]:
        ours, theirs = self._current.get(current.name), self._stored.get(stored.name)
        if ours is not None and theirs is not None:
            return self._definitions(place, stored.name, current.name)
        widened = current.name == _ANY or (stored.name, current.name) == ("int", "float")
        if stored == current:
            inner = zip(stored.arguments, current.arguments, strict=True)
        elif widened:
            return [SchemaChange(_became(place, (stored,), (current,)), True)]
        elif stored.name == current.name and len(stored.arguments) == len(current.arguments):
            inner = zip(stored.arguments, current.arguments, strict=True)
        else:
            return [SchemaChange(_became(place, (stored,), (current,)), False)]
        return [change for before, after in inner for change in self.types(place, before, after)]

    def _definitions(self, place: str, stored: str, current: str) -> list[SchemaChange]:
        pair = stored, current
        if pair not in self._known:
            self._known[pair] = []
            self._known[pair] = list(
                _struct_changes(self, place, self._stored[stored], self._current[current])
            )
        return self._known[pair]


def _struct_changes(
    comparison: _Comparison, place: str, stored: StructForm, current: StructForm
) -> Iterator[SchemaChange]:
    if stored.values is not None or current.values is not None:
        gone = [each for each in stored.values or () if each not in (current.values or ())]
        if gone or stored.values is None or current.values is None:
            yield SchemaChange(
                f"{place} may no longer be {', '.join(gone) or 'what it was'}", False
            )
        return
    if (stored.positional, stored.tag) != (current.positional, current.tag):
        yield SchemaChange(f"{place} is written another way (array_like or tag changed)", False)
        return
    for name, field in stored.fields.items():
        if name not in current.fields:
            dropped = name in current.dropped and not current.positional
            yield SchemaChange(f"{place} lacks the field {name}", dropped)
        else:
            yield from comparison.types(
                f"{place}, field {name}", field.types, current.fields[name].types
            )
    for name, field in current.fields.items():
        if name not in stored.fields:
            start = "without a default" if field.required else "which begins at its default"
            yield SchemaChange(f"{place} has the new field {name}, {start}", not field.required)
    if current.positional and list(current.fields)[: len(stored.fields)] != list(stored.fields):
        yield SchemaChange(f"{place} is an array and its fields have other positions", False)


def _badness(changes: list[SchemaChange]) -> tuple[int, int]:
    return sum(not change.readable for change in changes), len(changes)


def _became(place: str, stored: tuple[TypeForm, ...], current: tuple[TypeForm, ...]) -> str:
    return f"{place} was {alternatives_text(stored)} and is {alternatives_text(current)}"


def _forms(info: inspect.Type, definitions: dict[str, StructForm]) -> tuple[TypeForm, ...]:
    if isinstance(info, inspect.Metadata):
        return _forms(info.type, definitions)
    if isinstance(info, inspect.UnionType):
        found = {form for each in info.types for form in _forms(each, definitions)}
        return tuple(sorted(found, key=str))
    if isinstance(info, inspect.LiteralType):
        return tuple(TypeForm(repr(value)) for value in info.values)
    return (_form(info, definitions),)


def _form(info: inspect.Type, definitions: dict[str, StructForm]) -> TypeForm:
    if isinstance(info, _ARRAYS):
        return TypeForm("list", (_forms(info.item_type, definitions),))
    if isinstance(info, inspect.TupleType):
        return TypeForm("tuple", tuple(_forms(each, definitions) for each in info.item_types))
    if isinstance(info, inspect.DictType):
        sides = info.key_type, info.value_type
        return TypeForm("dict", tuple(_forms(each, definitions) for each in sides))
    if isinstance(info, inspect.EnumType):
        name = _full_name(info.cls)
        definitions[name] = StructForm(values=tuple(repr(each.value) for each in info.cls))
        return TypeForm(name)
    if isinstance(
        info,
        inspect.StructType | inspect.DataclassType | inspect.TypedDictType | inspect.NamedTupleType,
    ):
        return TypeForm(_define(info, definitions))
    cls = getattr(info, "cls", None)
    if cls is not None:
        return TypeForm(_full_name(cls))
    return TypeForm(type(info).__name__.removesuffix("Type").lower())


def _full_name(cls: Any) -> str:
    """Return the name of *cls* with its module: two modules may have types of one name."""
    module = getattr(get_origin(cls) or cls, "__module__", "")
    return f"{module}.{payload_name(cls)}"


def _define(
    info: inspect.StructType
    | inspect.DataclassType
    | inspect.TypedDictType
    | inspect.NamedTupleType,
    definitions: dict[str, StructForm],
) -> str:
    name = _full_name(info.cls)
    if name in definitions:
        return name
    definitions[name] = StructForm()
    tag = getattr(info, "tag", None)
    definitions[name] = StructForm(
        fields={
            field.encode_name: FieldForm(_forms(field.type, definitions), field.required)
            for field in info.fields
        },
        positional=bool(getattr(info, "array_like", False))
        or isinstance(info, inspect.NamedTupleType),
        tag="" if tag is None else f"{getattr(info, 'tag_field', '')}={tag}",
        dropped=tuple(getattr(get_origin(info.cls) or info.cls, "__loom_dropped_fields__", ())),
    )
    return name
