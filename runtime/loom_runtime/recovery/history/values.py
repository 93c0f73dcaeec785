"""A stored value as something to show and to compare, without running code of whoever wrote it."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import msgspec

from loom_runtime.recovery.errors import NotPlainError
from loom_runtime.recovery.history.foreign import describe_pickle
from loom_runtime.recovery.pickled import read_pickled
from loom_runtime.wire.state import StateDecodeError, open_state


class ShownValue(msgspec.Struct, frozen=True):
    """A stored value.

    Attributes:
        text: Its JSON text, or the structure of a foreign pickle; ``None`` when the key was
            discarded.
        data: It as plain data; the text itself where it is not readable.
        readable: Whether it is the value and no description of it.
        type_name: Stable name of the type that wrote it, where it says so.
    """

    text: str | None
    data: Any
    readable: bool = True
    type_name: str = ""


class Difference(msgspec.Struct, frozen=True):
    """A place in which two values differ.

    Attributes:
        path: Where, for example ``carriers[2].count``; empty for the whole value.
        before: JSON text of what it was; ``None`` when it was not there.
        after: JSON text of what it is; ``None`` when it is not there.
    """

    path: str
    before: str | None
    after: str | None


_NOTHING = ShownValue(None, None)


def show_value(pickled: bytes | None) -> ShownValue:
    """Return what the ``ser_change`` of a row holds."""
    if pickled is None:
        return _NOTHING
    try:
        blob = read_pickled(pickled)
    except NotPlainError:
        text = describe_pickle(pickled)
        return ShownValue(text, text, readable=False)
    if blob is None:
        return _NOTHING
    try:
        stored = open_state(blob)
    except StateDecodeError:
        return _packed(blob)
    return ShownValue(json_text(stored.value), stored.value, type_name=stored.type_name)


def json_text(value: Any) -> str:
    """Return plain data as JSON text, keys in order of their writing."""
    try:
        return msgspec.json.encode(value).decode()
    except (TypeError, ValueError, UnicodeError, RecursionError):
        return msgspec.json.encode(plain(value)).decode()


def plain(value: Any) -> Any:
    """Return *value* as something that JSON can say."""
    if isinstance(value, dict):
        return {
            key if isinstance(key, str) else json_text(key): plain(each)
            for key, each in value.items()
        }
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(each) for each in value]
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    try:
        return msgspec.to_builtins(value)
    except (TypeError, ValueError):
        return repr(value)


def differences(before: Any, after: Any, path: str = "") -> Iterator[Difference]:
    """Yield the places in which two plain values differ, maps by key and lists by index."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key in [*before, *(each for each in after if each not in before)]:
            inner = f"{path}.{key}" if path else str(key)
            if key not in after:
                yield Difference(inner, json_text(before[key]), None)
            elif key not in before:
                yield Difference(inner, None, json_text(after[key]))
            else:
                yield from differences(before[key], after[key], inner)
    elif isinstance(before, list | tuple) and isinstance(after, list | tuple):
        for index in range(max(len(before), len(after))):
            inner = f"{path}[{index}]"
            if index >= len(after):
                yield Difference(inner, json_text(before[index]), None)
            elif index >= len(before):
                yield Difference(inner, None, json_text(after[index]))
            else:
                yield from differences(before[index], after[index], inner)
    elif type(before) is not type(after) or before != after:
        yield Difference(path, json_text(before), json_text(after))


def value_changes(before: ShownValue, after: ShownValue) -> tuple[Difference, ...]:
    """Return in what a key's value differs from the one before."""
    if before.text is None or after.text is None:
        if before.text == after.text:
            return ()
        return (Difference("", before.text, after.text),)
    return tuple(differences(before.data, after.data))


def _packed(blob: bytes) -> ShownValue:
    """Return what is MessagePack and no keyed state, as batches and windows hold."""
    try:
        value = msgspec.msgpack.decode(blob)
    except (msgspec.MsgspecError, ValueError, TypeError, RecursionError):
        text = repr(blob if len(blob) <= 1_000 else blob[:1_000] + b"...")
        return ShownValue(text, text, readable=False)
    return ShownValue(json_text(value), value)
