"""Contract, authoring row on the expression roots ``msg`` and ``payload``."""

from __future__ import annotations

from typing import Any

import pytest

from loom_runtime import LoomFrozenStruct, Message, MessageMeta, msg, payload


class Address(LoomFrozenStruct, frozen=True):
    country: str


class Order(LoomFrozenStruct, frozen=True):
    amount: float
    limit: float
    tags: dict[str, str]
    address: Address


def message() -> Message[Order]:
    order = Order(amount=150.0, limit=100.0, tags={"kind": "retail"}, address=Address("NL"))
    return Message(payload=order, meta=MessageMeta(message_id="in:0:1", key=b"x", partition=3))


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        (payload.amount > 100, True),
        (payload.amount >= 150, True),
        (payload.amount < 100, False),
        (payload.amount <= 150, True),
        (payload.amount == 150, True),
        (payload.amount != 150, False),
        (payload.amount > payload.limit, True),
        (payload.address.country == "NL", True),
        (msg.meta.key == b"x", True),
        (msg.meta.partition == 4, False),
        (msg.payload.amount > 100, True),
        ((payload.amount > 100) & (msg.meta.key == b"x"), True),
        ((payload.amount > 100) & (msg.meta.key == b"y"), False),
        ((payload.amount > 500) | (msg.meta.key == b"x"), True),
        (~(payload.amount > 100), False),
        (payload.address.country.in_(["NL", "BE"]), True),
        (payload.address.country.in_({"FR"}), False),
        (payload.amount.between(150, 200), True),
        (payload.amount.between(151, 200), False),
        (payload.tags["kind"] == "retail", True),
        (payload.address.country, "NL"),
    ],
)
def test_msg_and_payload_evaluate(expression: Any, value: object) -> None:
    assert expression.compiled()(message()) == value


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        (payload.amount > 100, "payload.amount > 100"),
        (msg.meta.key == b"x", "msg.meta.key == b'x'"),
        (payload.tags["kind"] == "a", "payload.tags['kind'] == 'a'"),
        (~(payload.amount > 1), "~(payload.amount > 1)"),
    ],
)
def test_msg_and_payload_are_shown_as_they_are_written(expression: Any, text: str) -> None:
    assert repr(expression) == text


def test_msg_and_payload_refuse_and_or_not() -> None:
    with pytest.raises(TypeError, match=r"&, \| and ~"):
        bool(payload.amount > 100)
    with pytest.raises(TypeError, match="parentheses"):
        (payload.amount > 100) & True  # type: ignore[operator]
