"""What the orders flow must make of its feed when one partition holds it all, in plain Python."""

import zlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from tests.samples.rows import Row, row_of

_MINUTE_MS = 60_000
_PRICES = {"tea": 450, "coffee": 900, "mug": 1250, "kettle": 4900}


@dataclass
class Expected:
    """What must come out.

    Attributes:
        outputs: Rows by the payload type that is written, in the order of the feed.
        errors: Failed records by kind.
        filtered: Records of which nothing is written and nothing failed.
        late: Orders that came too late for their minute.
    """

    outputs: dict[str, list[Row]] = field(default_factory=dict)
    errors: Counter[str] = field(default_factory=Counter)
    filtered: int = 0
    late: int = 0

    def add(self, payload_type: str, row: Row) -> None:
        """Expect one more row."""
        self.outputs.setdefault(payload_type, []).append(row)


def expected(feed: Iterable[Any]) -> Expected:
    """What must come out of *feed*: messages, and bytes that are poison."""
    found = Expected()
    day = _Day(found)
    for item in feed:
        if isinstance(item, bytes):
            found.errors["wire"] += 1
            continue
        event = row_of(item.payload)
        if "quantity" not in event:
            found.add("OrderCancelled", event)
        elif event["quantity"] < 1:
            found.errors["business"] += 1
        elif event["customer"] == "test":
            found.filtered += 1
        elif event["product"] not in _PRICES:
            found.errors["task"] += 1
        else:
            day.sell(event, item.meta.produced_at_ms)
    day.close()
    return found


class _Day:
    """Orders that were priced."""

    def __init__(self, found: Expected) -> None:
        self._found = found
        self._customers: dict[str, tuple[int, int]] = {}
        self._minutes: dict[int, tuple[int, int]] = {}
        self._newest_ms = 0

    def sell(self, order: Row, at_ms: int) -> None:
        """Take an order that was placed at *at_ms*."""
        customer, cents = order["customer"], _PRICES[order["product"]] * order["quantity"]
        add = self._found.add
        priced = {"order": order, "total_cents": cents, "risk": 0.0}
        so_far = _sum(self._customers, customer, cents)
        add("CustomerTotal", {"customer": customer, "so_far": so_far})
        add("Notice", {"customer": customer, "text": f"order {order['order_id']} is on its way"})
        # Once for the delivery note, once for the stock.
        line = {name: order[name] for name in ("order_id", "product", "quantity")}
        add("OrderLine", line)
        add("OrderLine", line)
        add("TaxLine", {"order_id": order["order_id"], "tax_cents": cents // 5})
        add("LoyaltyPoints", {"customer": customer, "points": cents // 100})
        risk = zlib.crc32(customer.encode()) % 100 / 100
        if risk > 0.9 and cents > 10_000:
            add("PricedOrder", {**priced, "risk": risk})
        if at_ms - at_ms % _MINUTE_MS + _MINUTE_MS <= self._newest_ms - _MINUTE_MS:
            self._found.late += 1
            add("PricedOrder", priced)
        else:
            self._newest_ms = max(self._newest_ms, at_ms)
            _sum(self._minutes, at_ms - at_ms % _MINUTE_MS, cents)

    def close(self) -> None:
        """Expect the minutes' rows."""
        for minute_ms, (orders, cents) in self._minutes.items():
            sold = {"orders": orders, "total_cents": cents}
            self._found.add("MinuteSales", {"minute_ms": minute_ms, "sold": sold})


def _sum(sums: dict[Any, tuple[int, int]], key: object, cents: int) -> Row:
    orders, total = sums.get(key, (0, 0))
    sums[key] = (orders + 1, total + cents)
    return {"orders": orders + 1, "total_cents": total + cents}
