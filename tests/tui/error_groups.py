"""Three groups of failures made by hand; their tracebacks name a file that is given."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from loom_bench.protocol.frames import ErrorGroup
from loom_bench.session.value import ErrorGroupView

NOW_MS = 1_700_000_000_000


def groups_of(file: str) -> tuple[ErrorGroupView, ...]:
    def group(number: int, **changes: Any) -> ErrorGroup:
        made = ErrorGroup(
            fingerprint=f"{number:016x}",
            kind="task",
            node="PriceOrder",
            exception_type="builtins.KeyError",
            reason="'samovar'",
            count=412,
            first_ms=NOW_MS - 31_000,
            last_ms=NOW_MS - 200,
            topic="orders",
            partition=1,
            offset=16_790,
            traceback=(
                "Traceback (most recent call last):\n"
                f'  File "{file}", line 205, in execute\n'
                "    total_cents=catalogue.price(order.product) * order.quantity,\n"
                f'  File "{file}", line 148, in price\n'
                "    return self.prices[product]\n"
                "KeyError: 'samovar'"
            ),
        )
        return replace(made, **changes)

    return (
        ErrorGroupView(
            group=group(1),
            history=(0, 0, 0, 1, 4, 9, 20, 31, 44, 38, 41, 50, 47, 42, 45, 40),
            revision=2,
            is_new=True,
        ),
        ErrorGroupView(
            group=group(
                2,
                kind="business",
                node="CheckOrder",
                exception_type="loom_runtime.errors.DomainError",
                reason="an order of 0 pieces",
                count=7,
                traceback=None,
                last_ms=NOW_MS - 4_000,
            ),
            history=(1, 0, 0, 1, 0, 0, 2, 0, 1, 0, 0, 1, 0, 0, 1, 0),
        ),
        ErrorGroupView(
            group=group(
                3,
                kind="wire",
                node="orders",
                exception_type="msgspec.DecodeError",
                reason="JSON is malformed: invalid character (byte 0)",
                count=12,
                traceback=None,
                last_ms=NOW_MS - 9_000,
            ),
            history=(1, 1, 0, 1, 1, 0, 1, 0, 1, 1, 1, 0, 1, 1, 1, 1),
        ),
    )
