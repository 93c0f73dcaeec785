"""A record written by hand: the text that an editor shows, and what is read out of it."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from loom_bench.session.value import SessionValue

_HEAD = """\
# One record for {source}.
# The line "key:" holds its key; leave it empty for none. Below it stands the value, JSON.
# Lines that start with # are left out. Save without a value to feed nothing.
key: {key}
{value}
"""


@dataclass(frozen=True)
class HandRecord:
    """A record: ``key`` is ``None`` for none, ``value`` is JSON text."""

    key: str | None
    value: str


def template(value: SessionValue) -> str:
    """Return what to begin with: the newest record that was sampled, or an empty object."""
    samples = [sample for each in value.samples.values() for sample in each]
    newest = max(samples, key=lambda sample: sample.at_ms, default=None)
    source = value.plan.source.name if value.plan is not None else "the source"
    key, text = ("", "{}") if newest is None else (newest.key, _indented(newest.taken))
    return _HEAD.format(source=_one_line(source), key=_one_line(key), value=text)


def parse(text: str) -> HandRecord | None:
    """Return the record that was written; ``None`` when there is no value.

    Raises:
        ValueError: When the value is no JSON; the text tells where.
    """
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    key: str | None = None
    for index, line in enumerate(lines):
        if line.startswith("key:"):
            key = line.removeprefix("key:").strip() or None
            lines = lines[index + 1 :]
            break
    value = "\n".join(lines).strip()
    if not value:
        return None
    try:
        msgspec.json.decode(value)
    except (msgspec.DecodeError, RecursionError) as failure:
        raise ValueError(f"the value is no JSON: {failure}") from failure
    return HandRecord(key, value)


def _indented(text: str) -> str:
    try:
        return msgspec.json.format(text, indent=2)
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        return "{}"


def _one_line(text: str) -> str:
    return " ".join(text.split())
