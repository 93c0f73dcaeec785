"""Texts that would do harm if they were shown as they are, and values that are full of them."""

from __future__ import annotations

import enum
from typing import Any

import msgspec

from loom_bench.session.value import SessionValue

_TEN_MB = 10 * 1024 * 1024

HOSTILE = {
    "closing tag": "[/foo]",
    "style": "[bold red]boo[/]",
    "action": "[@click=app.perform('bench.quit_now')]press[/]",
    "link": "[link=https://example.org]x[/link]",
    "escape": "\x1b[2J\x1b[31mred\x1b[0m",
    "title": "\x1b]0;owned\x07",
    "clipboard": "\x1b]52;c;b3duZWQ=\x1b\\",
    "device control": "\x1bP+q544e\x1b\\",
    "c1": "\x9b31m\x9d0;owned\x9c\x85",
    "bidi": "\u202egnp.exe\u2066\u2069",
    "nul": "a\x00b",
    "newlines": "one\r\ntwo\nthree\u2028four",
    "tabs": "\t\tx\t",
    "backspace": "safe\x08\x08\x08\x08evil",
    "surrogates": "\ud800 \udcff",
    "marks": "Z" + "\u0351" * 200,
    "wide": "漢字かな" * 20,
    "tags": "\U000e0041\U000e0042",
    "private": "\ue000\U000f0000",
    "svg": "</text></svg><script>alert(1)</script>&amp;",
    "format": "%s {0} {x!r} $HOME `id`",
    "empty": "",
    "spaces": "   ",
    "deep": "[" * 10_000 + "]" * 10_000,
}

HUGE = {
    "json": '{"a":"' + "x" * _TEN_MB + '"}',
    "lines": "line\n" * (_TEN_MB // 5),
    "escapes": "\x1b[31m" * (_TEN_MB // 5),
    "marks": "a" + "\u0301" * (_TEN_MB // 2),
    "wide": "漢" * (_TEN_MB // 3),
}


def infected(value: SessionValue, text: str) -> SessionValue:
    """Return *value* with *text* before every text in it, few items in each ring."""
    made: SessionValue = _infected(_thinned(value), text)
    return msgspec.structs.replace(made, phase=value.phase, broker=_broker(value, text))


def _thinned(value: SessionValue) -> SessionValue:
    changes: dict[str, Any] = {
        name: getattr(value, name)[-12:] for name in ("events", "logs", "outputs", "commits")
    }
    return msgspec.structs.replace(value, **changes)


def _broker(value: SessionValue, text: str) -> Any:
    kept = value.broker.kind, value.broker.state
    return msgspec.structs.replace(_infected(value.broker, text), kind=kept[0], state=kept[1])


def _infected(thing: Any, text: str) -> Any:
    if isinstance(thing, enum.Enum):
        return thing
    if isinstance(thing, str):
        return text + thing
    if isinstance(thing, tuple):
        return tuple(_infected(each, text) for each in thing)
    if isinstance(thing, dict):
        return {_infected(key, text): _infected(each, text) for key, each in thing.items()}
    if isinstance(thing, msgspec.Struct):
        changes = {name: _infected(getattr(thing, name), text) for name in thing.__struct_fields__}
        return msgspec.structs.replace(thing, **changes)
    return thing


def huge(value: SessionValue, text: str) -> SessionValue:
    """Return *value* with one item in each ring, whose texts are *text* itself."""
    replace = msgspec.structs.replace
    sample = next(iter(value.samples.values()))[0]
    group = value.errors[0]
    return replace(
        value,
        events=(replace(value.events[0], error=text, name=text, meta={"m": text}),),
        logs=(replace(value.logs[0], text=text),),
        outputs=(replace(value.outputs[0], text=text, key=text, topic=text),),
        errors=(replace(group, group=replace(group.group, reason=text, traceback=text)),),
        samples={name: (replace(sample, taken=text, given=(text,)),) for name in value.nodes},
        diagnoses=(replace(value.diagnoses[0], message=text, source=text, hint=text),),
    )
