"""Keyed state as it lies in the recovery store: MessagePack that describes itself.

A blob is the map ``{"loom_state": 1, "type": …, "schema": [field names], "value": …}``, so that
state can be read, shown and compared without the code that made it.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final, TypeVar, cast, get_origin

import msgspec

from loom_runtime.failures import RunError
from loom_runtime.wire.dispatch import msgpack_decoder, type_name

STATE_VERSION: Final = 1
"""Version of the blob's own layout."""

StateT = TypeVar("StateT")


class StateDecodeError(RunError):
    """A stored state does not fit the type that is to read it."""


class StoredState(msgspec.Struct, frozen=True):
    """A state as plain data.

    Attributes:
        type_name: Stable name of the type that wrote it.
        fields: Its field names, in the order of declaration.
        value: Its value: maps, lists, text, numbers, bytes.
    """

    type_name: str
    fields: tuple[str, ...]
    value: Any


class _Blob(msgspec.Struct):
    loom_state: int
    type: str
    schema: tuple[str, ...]
    value: Any


class _ReadBlob(msgspec.Struct):
    loom_state: int
    type: str
    schema: tuple[str, ...]
    value: msgspec.Raw


_ENCODE = msgspec.msgpack.Encoder().encode
_DECODE = msgspec.msgpack.Decoder(_ReadBlob).decode


def encode_state(state: Any, type_name: str) -> bytes:
    """Return *state* as a blob.

    Args:
        state: A struct.
        type_name: Stable name of its type.

    Raises:
        TypeError: When a field holds what MessagePack cannot say, as msgspec names it.
    """
    fields = getattr(state, "__struct_encode_fields__", ())
    return _ENCODE(_Blob(STATE_VERSION, type_name, fields, state))


def state_blob(state: Any, state_type: Any) -> bytes:
    """Return a blob of *state*: a value of *state_type*, plain data that makes one, or a blob.

    Raises:
        ValueError: When it is none of these.
    """
    try:
        if isinstance(state, bytes):
            state = decode_state(state, state_type)
        elif not isinstance(state, get_origin(state_type) or state_type):
            state = msgspec.convert(state, state_type)
        return encode_state(state, type_name(state_type))
    except (StateDecodeError, msgspec.MsgspecError, TypeError) as error:
        raise ValueError(f"this is no state of type {type_name(state_type)}: {error}") from error


def decode_state(blob: bytes, state_type: type[StateT]) -> StateT:
    """Return the state in *blob* as a *state_type*.

    A field that is new takes its default. A field that is gone is an error, because a renamed one
    would silently begin at its default again: keep the stored name with
    ``msgspec.field(name="old")``, or list it in the class variable
    ``__loom_dropped_fields__`` when its values may go. Only the state's own fields are compared,
    not those of structs inside it.

    Raises:
        StateDecodeError: When the blob is none, or its value doesn't fit the type.
    """
    stored = _opened(blob)
    name = type_name(state_type)
    if stored.schema != (known := _fields_of(state_type)):
        dropped = getattr(state_type, "__loom_dropped_fields__", ())
        gone = [each for each in stored.schema if each not in known and each not in dropped]
        if gone:
            raise StateDecodeError(
                f"the stored state of type {stored.type} has {_quoted(gone)}, which {name} lacks",
                where=f"keyed state, {name}",
                what_next="renamed: declare the new field with msgspec.field(name="
                f"{gone[0]!r}); no longer needed: set __loom_dropped_fields__ = ({gone[0]!r},) "
                f"on {name}; otherwise go back to the code that wrote it",
            )
    try:
        return cast(StateT, _decoder(cast(Any, state_type))(stored.value))
    except (Exception, SystemExit) as error:
        raise StateDecodeError(
            f"the stored state of type {stored.type} does not fit {name}: {error}",
            where=f"keyed state, {name}",
            what_next="give new fields a default, widen changed ones to read the old values, or "
            "go back to the code that wrote it; nothing in the store was changed",
        ) from error


def open_state(blob: bytes) -> StoredState:
    """Return what *blob* holds and who wrote it, without any code of the user's.

    Raises:
        StateDecodeError: When it is no state blob.
    """
    stored = _opened(blob)
    try:
        value = msgspec.msgpack.decode(stored.value)
    except (msgspec.MsgspecError, ValueError, TypeError, RecursionError) as error:
        raise _no_blob(str(error)) from error
    if isinstance(value, list) and len(value) <= len(stored.schema):
        value = dict(zip(stored.schema, value, strict=False))
    return StoredState(stored.type, stored.schema, value)


def read_state(blob: bytes) -> Any:
    """Return the value in *blob* as plain data, without any code of the user's.

    Raises:
        StateDecodeError: When it is no state blob.
    """
    return open_state(blob).value


def _opened(blob: bytes) -> _ReadBlob:
    try:
        stored = _DECODE(blob)
    except (msgspec.MsgspecError, TypeError, UnicodeDecodeError, RecursionError) as error:
        raise _no_blob(str(error)) from error
    if stored.loom_state != STATE_VERSION:
        raise StateDecodeError(
            f"the stored state has layout version {stored.loom_state}; this runtime reads "
            f"version {STATE_VERSION}",
            where=f"keyed state, {stored.type}",
            what_next="run it with the loom_runtime that wrote it, or a newer one",
        )
    return stored


def _no_blob(reason: str) -> StateDecodeError:
    return StateDecodeError(
        f"what the recovery store holds is no keyed state: {reason}",
        where="recovery store",
        what_next="check that the store belongs to this flow and was not written by another tool",
    )


def _fields_of(state_type: Any) -> tuple[str, ...]:
    struct = get_origin(state_type) or state_type
    fields: tuple[str, ...] = getattr(struct, "__struct_encode_fields__", ())
    return fields


_decoder = lru_cache(maxsize=256)(msgpack_decoder)


def _quoted(names: list[str]) -> str:
    return f"the field{'s' if len(names) > 1 else ''} " + ", ".join(map(repr, names))
