"""Finds the state type of a stateful step."""

from __future__ import annotations

import json
import sys
import typing
from typing import Any, ForwardRef, TypeVar, get_args, get_origin

import msgspec

from loom_runtime.flow.steps import StatefulStep
from loom_runtime.model import LoomFrozenStruct, LoomStruct


def state_type_of(cls: type) -> Any | None:
    """Return the state type of a :class:`StatefulStep` subclass, or ``None`` when unknown.

    ``state_type`` wins; else the third type argument, followed through generic bases.
    """
    declared = getattr(cls, "state_type", None)
    if declared is not None:
        return declared
    found = _argument(cls, 2)
    return None if isinstance(found, TypeVar) else found


def is_struct(kind: Any) -> bool:
    """Return whether *kind* is a struct type that state may have."""
    origin = get_origin(kind) or kind
    return isinstance(origin, type) and issubclass(origin, LoomStruct | LoomFrozenStruct)


def _argument(cls: type, index: int) -> Any | None:
    """Return what *cls* passes as type argument *index* of StatefulStep."""
    if cls is StatefulStep:
        return StatefulStep.__parameters__[index]  # type: ignore[attr-defined]
    for base in _bases(cls):
        origin = get_origin(base) or base
        if not (isinstance(origin, type) and issubclass(origin, StatefulStep)):
            continue
        found = _argument(origin, index)
        if isinstance(found, TypeVar):
            parameters = getattr(origin, "__parameters__", ())
            arguments = get_args(base)
            position = parameters.index(found) if found in parameters else -1
            if 0 <= position < len(arguments):
                return _resolved(arguments[position], cls)
            if not arguments and found in parameters:
                return None
        return found
    return None


def _bases(cls: type) -> tuple[Any, ...]:
    bases: tuple[Any, ...] = cls.__dict__.get("__orig_bases__", cls.__bases__)
    return bases


def _resolved(argument: Any, cls: type) -> Any | None:
    if not isinstance(argument, str | ForwardRef):
        return argument
    name = argument if isinstance(argument, str) else argument.__forward_arg__
    module = sys.modules.get(cls.__module__)
    try:
        return typing.get_type_hints(
            type("_", (), {"__annotations__": {"state": name}}), vars(module) if module else {}
        )["state"]
    except (NameError, TypeError, SyntaxError, AttributeError):
        return None


def schema_text(kind: Any) -> str:
    """Return the JSON Schema of *kind* as canonical JSON; its name when it has no schema."""
    try:
        schema = msgspec.json.schema(kind)
    except (TypeError, NameError):
        return json.dumps({"type": str(kind)})
    return json.dumps(schema, sort_keys=True)
