"""Conditions of breakpoints are read as text: what they cannot say is refused, nothing runs."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loom_runtime import LoomStruct, Message, MessageMeta
from loom_runtime.tracing.conditions import ConditionError, condition


class Line(LoomStruct):
    amount: int
    tags: dict[str, str]


MESSAGE: Message[Any] = Message(
    payload=Line(120, {"kind": "big"}), meta=MessageMeta(message_id="m", key=b"x", offset=7)
)


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        ("payload.amount > 100", True),
        ("payload.amount <= 100", False),
        ('msg.meta.key == b"x"', True),
        ('payload.tags["kind"] == "big"', True),
        ("(payload.amount > 100) & (msg.meta.offset == 7)", True),
        ("payload.amount > 100 and msg.meta.offset == 8", False),
        ("payload.amount < 0 or not payload.amount < 0", True),
        ("~(payload.amount == 120)", False),
        ("payload.amount.in_([1, 120])", True),
        ("payload.amount in (1, 2)", False),
        ("payload.amount not in (1, 2)", True),
        ("payload.amount.between(-1, 130)", True),
        ("msg.meta.trace_id is None", True),
        ("msg.meta.offset < payload.amount", True),
    ],
)
def test_what_it_says(text: str, fits: bool) -> None:
    assert bool(condition(text).compiled()(MESSAGE)) is fits


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1",
        "amount > 1",
        "payload.amount >",
        "payload.__class__",
        "payload._hidden == 1",
        "__import__('os').system('true')",
        "payload.amount.bit_length()",
        "payload.amount + 1 > 2",
        "[x for x in payload.tags]",
        "1 < payload.amount < 3",
        "lambda: payload",
        "payload.amount.in_(open('x'))",
        "payload := 1",
        "payload.amount > 1; payload",
        "(" * 500 + "payload" + ")" * 500,
    ],
)
def test_what_it_refuses(text: str) -> None:
    with pytest.raises(ConditionError):
        condition(text)


@given(st.text(max_size=60))
def test_any_text_is_a_condition_or_refused(text: str) -> None:
    with suppress(ConditionError):
        condition(text)
