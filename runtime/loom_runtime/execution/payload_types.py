"""Names of payload types, found in the payloads themselves, and the types behind the names.

A plain class is ``module:qualname``. Of a generic one the arguments follow in brackets, ``*`` where
the payload does not tell: an instance of ``ErrorEnvelope[Order]`` holds an ``Order`` or none.
"""

from __future__ import annotations

import sys
import types
from collections.abc import Iterator, Mapping
from functools import lru_cache
from importlib import import_module
from typing import Any, Final, TypeVar, Union, get_args, get_origin, get_type_hints

import msgspec

_ANY: Final = "*"


def payload_type_name(payload: Any) -> str:
    """Return the name of the type of *payload*, a struct."""
    cls = type(payload)
    name = f"{cls.__module__}:{cls.__qualname__}"
    parameters = getattr(cls, "__parameters__", ())
    if not parameters:
        return name
    found = _arguments(payload)
    return f"{name}[{','.join(found.get(each, _ANY) for each in parameters)}]"


@lru_cache(maxsize=1024)
def payload_type(name: str) -> Any:
    """Return the type called *name*.

    Raises:
        LookupError: When it, or an argument of it, is not there any more or no struct.
    """
    if name == _ANY:
        return Any
    base, bracket, arguments = name.partition("[")
    found = _class_named(base)
    if not bracket:
        return found
    return found[tuple(payload_type(each) for each in _split(arguments.removesuffix("]")))]


def _arguments(payload: Any) -> dict[TypeVar, str]:
    """Return the names of the type arguments that the fields of *payload* tell."""
    found: dict[TypeVar, str] = {}
    cls: Any = type(payload)
    for field, hint in _hints(cls).items():
        _unify(hint, getattr(payload, field, None), found)
    return found


def _unify(hint: Any, value: Any, found: dict[TypeVar, str]) -> None:
    """Find out what the type variables in *hint* stand for, given that *value* fits it."""
    if isinstance(hint, TypeVar):
        if isinstance(value, msgspec.Struct):
            found.setdefault(hint, payload_type_name(value))
        return
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        for each in arguments:
            _unify(each, value, found)
    elif isinstance(value, msgspec.Struct):
        if origin is type(value):
            inner, variables = _arguments(value), getattr(origin, "__parameters__", ())
            for variable, argument in zip(variables, arguments, strict=False):
                if isinstance(argument, TypeVar) and variable in inner:
                    found.setdefault(argument, inner[variable])
    elif isinstance(value, Mapping):
        for each in value.values():
            _unify(arguments[-1] if arguments else Any, each, found)
    elif isinstance(value, list | tuple | set | frozenset):
        for each in value:
            _unify(arguments[0] if arguments else Any, each, found)


@lru_cache(maxsize=1024)
def _hints(cls: type) -> dict[str, Any]:
    try:
        return get_type_hints(cls)
    except (NameError, TypeError, AttributeError):
        return {}


def _split(arguments: str) -> Iterator[str]:
    """Yield what the commas separate that stand in no brackets."""
    depth, start = 0, 0
    for position, char in enumerate(arguments):
        depth += {"[": 1, "]": -1}.get(char, 0)
        if char == "," and depth == 0:
            yield arguments[start:position]
            start = position + 1
    yield arguments[start:]


def _class_named(name: str) -> Any:
    module_name, _, qualname = name.partition(":")
    try:
        found: Any = sys.modules.get(module_name) or import_module(module_name)
        for part in qualname.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError, ValueError) as error:
        raise LookupError(f"a held record is of {name}, which cannot be found any more") from error
    if not (isinstance(found, type) and issubclass(found, msgspec.Struct)):
        raise LookupError(f"a held record is of {name}, which is no struct")  # noqa: TRY004
    return found
