"""Fitting plain values into typed settings, and saying exactly what does not fit."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

import msgspec
from msgspec import inspect

from loom_runtime.config.documents import KeyPath

T = TypeVar("T")

LIST_FIELDS = frozenset({"brokers", "topics", "addresses"})
"""Fields whose list may be written as one text, its parts separated by commas."""

_ANY_KEY = "[...]"
_MESSAGE = re.compile(r"(?P<text>.*?)(?: - at (?:`key` in )?`\$(?P<path>[^`]*)`)?", re.DOTALL)
_TOKEN = re.compile(r"\.(?P<name>[^.\[]+)|\[(?P<index>\d+)\]|\[\.\.\.\]")
_NAMED = re.compile(r"Object (?P<what>missing required|contains unknown) field `(?P<name>.*)`")
_EXPECTED = re.compile(r"Expected `(?P<expected>\w+)")
_ADVICE = {
    "int": "Write a whole number.",
    "float": "Write a number.",
    "bool": "Write true or false.",
    "str": "Write text, in quotes when it looks like a number.",
    "array": "Write a list, such as [a, b].",
    "object": "Write a mapping of keys to values.",
}


class DecodeError(Exception):
    """A value does not fit its type.

    Attributes:
        keys: Where, below the decoded value.
        problem: What is wrong.
        advice: What to do next.
    """

    def __init__(self, keys: KeyPath, problem: str, advice: str) -> None:
        """Keep the parts."""
        super().__init__(problem)
        self.keys = keys
        self.problem = problem
        self.advice = advice


def decode(value: object, target: type[T]) -> T:
    """Return *value* as a *target*.

    Text that an environment variable supplied fits a number or boolean field when it reads as
    one. One text fits a list field named in :data:`LIST_FIELDS`.

    Raises:
        DecodeError: When it does not fit.
    """
    try:
        info = inspect.type_info(target)
        fitted = _with_lists(value, info)
        return msgspec.convert(fitted, target, strict=False)
    except msgspec.ValidationError as error:
        raise _explained(str(error), fitted, target, info) from error
    except (TypeError, NameError) as error:
        raise DecodeError(
            (),
            f"the settings type {target!r} cannot be decoded into: {error}",
            "Give its fields types that msgspec knows, imported where the class is defined.",
        ) from error


def _with_lists(value: Any, info: inspect.Type) -> Any:
    """Return *value* with the texts split that stand where *info* wants a list."""
    if isinstance(value, Mapping):
        for part in _alternatives(info):
            if isinstance(part, inspect.StructType | inspect.DataclassType):
                types = {field.encode_name: field.type for field in part.fields}
                value = {
                    key: _field_with_lists(key, item, types[key]) if key in types else item
                    for key, item in value.items()
                }
            elif isinstance(part, inspect.DictType):
                value = {key: _with_lists(item, part.value_type) for key, item in value.items()}
    elif isinstance(value, list | tuple):
        for part in _alternatives(info):
            if isinstance(part, inspect.CollectionType):
                value = [_with_lists(item, part.item_type) for item in value]
    return value


def _field_with_lists(name: str, value: Any, info: inspect.Type) -> Any:
    if name in LIST_FIELDS and isinstance(value, str):
        parts = tuple(_alternatives(info))
        wants_list = any(isinstance(part, inspect.CollectionType) for part in parts)
        if wants_list and not any(isinstance(part, inspect.StrType) for part in parts):
            return [item.strip() for item in value.split(",") if item.strip()]
    return _with_lists(value, info)


def _alternatives(info: inspect.Type) -> Iterator[inspect.Type]:
    if isinstance(info, inspect.UnionType):
        for part in info.types:
            yield from _alternatives(part)
    elif isinstance(info, inspect.Metadata):
        yield from _alternatives(info.type)
    else:
        yield info


def _explained(message: str, value: Any, target: type, info: inspect.Type) -> DecodeError:
    match = _MESSAGE.fullmatch(message)
    text = match["text"] if match else message
    tokens = [
        token["name"] or (int(token["index"]) if token["index"] else _ANY_KEY)
        for token in _TOKEN.finditer((match and match["path"]) or "")
    ]

    def fails_alike(candidate: Any) -> bool:
        try:
            msgspec.convert(candidate, target, strict=False)
        except msgspec.ValidationError as error:
            return str(error) == message
        return False

    keys = _concrete(value, tokens, fails_alike)
    here = tuple(_types_at(info, keys))
    if named := _NAMED.fullmatch(text):
        name = named["name"]
        if named["what"] == "missing required":
            return DecodeError((*keys, name), "is required and missing", f"Add `{name}`.")
        known = _field_names(here)
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"Did you mean `{near[0]}`? " if near else ""
        return DecodeError(
            (*keys, name), "unknown field", f"{hint}Fields here: {', '.join(known) or 'none'}."
        )
    if text.startswith("Invalid enum value"):
        choices = ", ".join(_choices(here))
        return DecodeError(keys, text[0].lower() + text[1:], f"Choose one of: {choices}.")
    if expected := _EXPECTED.match(text):
        advice = _ADVICE.get(expected["expected"], "Correct the value.")
        return DecodeError(keys, text[0].lower() + text[1:], advice)
    return DecodeError(keys, text, "Correct the values of this section.")


def _concrete(
    value: Any, tokens: list[str | int], fails_alike: Callable[[Any], bool]
) -> tuple[str | int, ...]:
    """Return *tokens* with each unnamed mapping key replaced by the key that fails.

    msgspec writes ``[...]`` for any key of a mapping; the failing one is found by decoding the
    value with each key alone.
    """
    keys: tuple[str | int, ...] = ()
    for token in tokens:
        if token != _ANY_KEY:
            keys = (*keys, token)
            continue
        for key in _at(value, keys):
            narrowed = _only(value, keys, key)
            if fails_alike(narrowed):
                value, keys = narrowed, (*keys, key)
                break
        else:
            break
    return keys


def _at(value: Any, keys: KeyPath) -> Any:
    for key in keys:
        value = value[key]
    return value if isinstance(value, Mapping) else ()


def _only(value: Any, keys: KeyPath, key: str | int) -> Any:
    """Return a copy of *value* whose mapping at *keys* has nothing but *key*."""
    if not keys:
        return {key: value[key]}
    changed = _only(value[keys[0]], keys[1:], key)
    if isinstance(value, Mapping):
        return {**value, keys[0]: changed}
    return [changed if index == keys[0] else item for index, item in enumerate(value)]


def _types_at(info: inspect.Type, keys: KeyPath) -> Iterator[inspect.Type]:
    for part in _alternatives(info):
        if not keys:
            yield part
        elif isinstance(part, inspect.StructType | inspect.DataclassType):
            for field in part.fields:
                if field.encode_name == keys[0]:
                    yield from _types_at(field.type, keys[1:])
        elif isinstance(part, inspect.DictType):
            yield from _types_at(part.value_type, keys[1:])
        elif isinstance(part, inspect.CollectionType):
            yield from _types_at(part.item_type, keys[1:])


def _field_names(types: tuple[inspect.Type, ...]) -> list[str]:
    return [
        field.encode_name
        for part in types
        if isinstance(part, inspect.StructType | inspect.DataclassType)
        for field in part.fields
    ]


def _choices(types: tuple[inspect.Type, ...]) -> Iterator[str]:
    for part in types:
        if isinstance(part, inspect.LiteralType):
            yield from (str(choice) for choice in part.values)
        elif isinstance(part, inspect.EnumType):
            yield from (str(member.value) for member in part.cls)
