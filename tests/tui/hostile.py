"""Texts that would do harm if they were shown as they are, and values that are full of them."""

from __future__ import annotations

import enum
import zlib
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from loom_bench.session.value import SessionValue

Harm = Callable[[str], str]

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


def infected(value: SessionValue, texts: Sequence[str], shift: int = 0) -> SessionValue:
    """Return *value* with one of *texts* before every text in it, few items in each ring.

    Texts that were equal stay equal. Another *shift* gives each another one.
    """

    def harm(text: str) -> str:
        return texts[(zlib.crc32(text.encode()) + shift) % len(texts)] + text

    made: SessionValue = infected_part(_thinned(value), harm)
    return msgspec.structs.replace(made, phase=value.phase, broker=_broker(value, harm))


def _thinned(value: SessionValue) -> SessionValue:
    changes: dict[str, Any] = {
        name: getattr(value, name)[-12:] for name in ("events", "logs", "outputs", "commits")
    }
    return msgspec.structs.replace(value, **changes)


def _broker(value: SessionValue, harm: Harm) -> Any:
    kept = value.broker.kind, value.broker.state
    return msgspec.structs.replace(infected_part(value.broker, harm), kind=kept[0], state=kept[1])


def infected_part(thing: Any, harm: Harm) -> Any:
    """Return *thing*, a part of a value, with every text in it harmed."""
    if isinstance(thing, enum.Enum):
        return thing
    if isinstance(thing, str):
        return harm(thing)
    if isinstance(thing, tuple):
        return tuple(infected_part(each, harm) for each in thing)
    if isinstance(thing, dict):
        return {infected_part(key, harm): infected_part(each, harm) for key, each in thing.items()}
    if isinstance(thing, msgspec.Struct):
        changes = {
            name: infected_part(getattr(thing, name), harm) for name in thing.__struct_fields__
        }
        return msgspec.structs.replace(thing, **changes)
    return thing


def huge(value: SessionValue, texts: Sequence[str]) -> SessionValue:
    """Return *value* with one item in each ring, whose texts are *texts*, each in its turn."""
    replace = msgspec.structs.replace
    sample = next(iter(value.samples.values()))[0]
    group = value.errors[0]
    a, b, c, d, e = texts
    return replace(
        value,
        events=(replace(value.events[0], error=a, name=b, meta={"m": c}),),
        logs=(replace(value.logs[0], text=b),),
        outputs=(replace(value.outputs[0], text=c, key=d, topic=e),),
        errors=(replace(group, group=replace(group.group, reason=d, traceback=e)),),
        samples={name: (replace(sample, taken=e, given=(a,)),) for name in value.nodes},
        diagnoses=(replace(value.diagnoses[0], message=a, source=b, hint=c),),
    )
