"""Puts values down as bounded text, whatever they are and whatever their own code does."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec

from loom_runtime.errors import ErrorMessageMeta, meta_for_envelope
from loom_runtime.execution.payload_types import payload_type_name
from loom_runtime.message import Message, MessageMeta
from loom_runtime.tracing.masking import MASKED, Masking
from loom_runtime.tracing.shown import ShownValue, TracedMessage, ValueForm
from loom_runtime.wire.error_text import clean_text

MESSAGE_CHARS: Final = 256 * 1024
"""Longest text of a payload: a record is seldom larger, and what is whole can be edited."""

SHORT_CHARS: Final = 2_000
"""Longest text of a local variable, and of a payload when a trace has become large."""

TRACE_CHARS: Final = 4 * 1024 * 1024
"""Text of a whole trace; a frame of the protocol takes 16 MB."""

MAX_KEY_BYTES: Final = 16 * 1024
MAX_HEADERS: Final = 100
MAX_HEADER_BYTES: Final = 4_096

_CAUGHT: Final = (Exception, SystemExit)


class Notebook:
    """Puts down the values of one trace; when it is full, values get short.

    Args:
        room_chars: How much text it takes.
    """

    def __init__(self, room_chars: int = TRACE_CHARS) -> None:
        self._room_chars = room_chars

    def message(self, message: Message[Any]) -> TracedMessage:
        """Put a message down as it is now."""
        payload = message.payload
        try:
            name = payload_type_name(payload)
        except _CAUGHT:
            name = ""
        return TracedMessage(
            payload_type=name, value=self.payload(payload), meta=shown_meta(message.meta)
        )

    def payload(self, payload: object) -> ShownValue:
        """Put a payload or a state down, as JSON where JSON can say it."""
        form = ValueForm.JSON
        try:
            text = msgspec.json.encode(payload).decode()
        except _CAUGHT:
            form = ValueForm.REPR
            try:
                text = msgspec.json.encode(payload, enc_hook=_safe_repr).decode()
            except _CAUGHT:
                text = _safe_repr(payload)
        return self._bounded(type(payload).__qualname__, text, form)

    def raw(self, content: bytes | None, type_name: str = "bytes") -> ShownValue:
        """Put bytes down."""
        if content is None:
            return ShownValue(type_name="None", text="null")
        kept = content[: self._limit()]
        text = kept.decode("utf-8", "backslashreplace")
        self._room_chars -= len(text)
        return ShownValue(
            type_name=type_name,
            text=text,
            form=ValueForm.RAW,
            complete=len(kept) == len(content),
            raw=kept,
            size=len(content),
        )

    def json(self, content: bytes | None, type_name: str) -> ShownValue:
        """Put JSON down that is text already."""
        if content is None:
            return ShownValue(type_name="None", text="null")
        return self._bounded(type_name, content.decode("utf-8", "backslashreplace"), ValueForm.JSON)

    def _bounded(self, type_name: str, text: str, form: ValueForm) -> ShownValue:
        limit = self._limit()
        kept = clean_text(text[:limit])
        self._room_chars -= len(kept)
        return ShownValue(
            type_name=type_name,
            text=kept,
            form=form,
            complete=len(text) <= limit,
            size=len(text),
        )

    def _limit(self) -> int:
        return MESSAGE_CHARS if self._room_chars > MESSAGE_CHARS else SHORT_CHARS


def shown_meta(meta: MessageMeta) -> ErrorMessageMeta:
    """Return *meta* with nothing in it that cannot be written down, headers bounded."""
    told = meta_for_envelope(meta)
    headers = {}
    for name, value in list(told.headers.items())[:MAX_HEADERS]:
        content = value if isinstance(value, bytes) else _safe_repr(value).encode()
        headers[str(name)] = content[:MAX_HEADER_BYTES]
    key = told.key
    if key is not None and not isinstance(key, bytes):
        key = _safe_repr(key).encode()
    return msgspec.structs.replace(told, headers=headers, key=shown_key(key))


def shown_key(key: bytes | None) -> bytes | None:
    """Return *key*, cut when it is long."""
    return None if key is None else key[:MAX_KEY_BYTES]


class VariableNotes:
    """Puts down local variables: short, secrets masked, and no code of theirs run where the value
    is of a type that is known.

    Args:
        masking: Says which names are secret.
    """

    def __init__(self, masking: Masking) -> None:
        self._masking = masking

    def value(self, value: object) -> ShownValue:
        """Put a value down."""
        text = clean_text(self._masking.cleaned(self._text(value, _MAX_DEPTH)))
        return ShownValue(
            type_name=type(value).__qualname__,
            text=text[:SHORT_CHARS],
            form=ValueForm.REPR,
            complete=len(text) <= SHORT_CHARS and "…" not in text,
        )

    def masked(self, value: object) -> ShownValue:
        """Tell that a value is not shown."""
        return ShownValue(
            type_name=type(value).__qualname__, text=MASKED, form=ValueForm.REPR, complete=False
        )

    def _text(self, value: object, depth: int) -> str:
        if isinstance(value, str | bytes | int | float | bool | None):
            return _plain(value)
        if depth == 0:
            return f"<{type(value).__qualname__} …>"
        kind = type(value)
        if isinstance(value, msgspec.Struct):
            fields = [(name, getattr(value, name, None)) for name in value.__struct_fields__]
            return f"{kind.__qualname__}({self._named(fields, '=', depth)})"
        if kind is dict and isinstance(value, Mapping):
            return "{" + self._named(value.items(), ": ", depth) + "}"
        if kind in _BRACKETS and isinstance(value, Sequence | set | frozenset):
            left, right = _BRACKETS[kind]
            items = [self._text(each, depth - 1) for each in _first(value)]
            return left + ", ".join(items) + _more(len(value)) + right
        return _safe_repr(value)

    def _named(self, pairs: Iterable[tuple[object, object]], between: str, depth: int) -> str:
        told = []
        listed = list(pairs)
        for name, value in listed[:_MAX_ITEMS]:
            hidden = isinstance(name, str) and self._masking.hides(name)
            shown = MASKED if hidden else self._text(value, depth - 1)
            label = name if between == "=" else self._text(name, 1)
            told.append(f"{label}{between}{shown}")
        return ", ".join(told) + _more(len(listed))


_MAX_DEPTH: Final = 4
_MAX_ITEMS: Final = 20
_BRACKETS: Final[Mapping[type, tuple[str, str]]] = {
    list: ("[", "]"),
    tuple: ("(", ")"),
    set: ("{", "}"),
    frozenset: ("frozenset({", "})"),
}


def _first(values: Iterable[object]) -> list[object]:
    found: list[object] = []
    for each in values:
        if len(found) == _MAX_ITEMS:
            break
        found.append(each)
    return found


def _more(count: int) -> str:
    return f", … {count - _MAX_ITEMS:,} more" if count > _MAX_ITEMS else ""


def _plain(value: str | bytes | float | None) -> str:
    if isinstance(value, str | bytes) and len(value) > SHORT_CHARS:
        return f"{_safe_repr(value[:SHORT_CHARS])}…"
    return _safe_repr(value)


def _safe_repr(value: object) -> str:
    try:
        return repr(value)
    except _CAUGHT as error:
        name = type(value).__qualname__
        return f"<{name} whose repr raised {type(error).__qualname__}>"
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt | GeneratorExit):
            raise
        return f"<{type(value).__qualname__}>"
