"""Progress on standard error, and the one JSON line that every benchmark ends with."""

from __future__ import annotations

import operator
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Literal, TypeAlias

import msgspec

Figure: TypeAlias = int | float | str | bool | Sequence["Figure"] | Mapping[str, "Figure"] | None
Relation: TypeAlias = Literal[">=", "<=", "=="]

_RELATIONS: dict[str, Callable[[float, float], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    "==": operator.eq,
}
_started_s = time.monotonic()


def progress(text: str) -> None:
    """Write one line of progress to standard error, with the seconds since the benchmark began."""
    print(f"[{time.monotonic() - _started_s:7.1f} s] {text}", file=sys.stderr, flush=True)


@dataclass(frozen=True)
class Bar:
    """One thing that a figure has to reach.

    Attributes:
        name: What is compared, in words.
        value: The measured value; None when this run did not measure it.
        relation: How ``value`` must stand to ``limit``.
        limit: The number to reach.
    """

    name: str
    value: float | None
    relation: Relation
    limit: float

    @property
    def met(self) -> bool | None:
        """Whether the bar is met; None when it was not measured."""
        if self.value is None:
            return None
        return _RELATIONS[self.relation](self.value, self.limit)

    def as_figure(self) -> Figure:
        """The bar as it stands in the JSON line."""
        return {
            "name": self.name,
            "value": None if self.value is None else round(self.value, 3),
            "relation": self.relation,
            "limit": self.limit,
            "met": self.met,
        }


@dataclass
class Report:
    """What one benchmark found: figures, bars, and the last line it prints."""

    benchmark: str
    figures: dict[str, Figure] = field(default_factory=dict)
    bars: list[Bar] = field(default_factory=list)

    def emit(self) -> None:
        """Print the JSON line. ``met`` is true only when every bar was measured and met."""
        line = {
            "type": "benchmark",
            "benchmark": self.benchmark,
            "figures": self.figures,
            "bars": [bar.as_figure() for bar in self.bars],
            "met": all(bar.met is True for bar in self.bars),
        }
        sys.stdout.write(msgspec.json.encode(line).decode() + "\n")
        sys.stdout.flush()


def spread(values: Sequence[float], digits: int = 0) -> Figure:
    """Median, smallest and largest of a non-empty series, rounded to ``digits``."""
    return {
        "median": round(median(values), digits),
        "min": round(min(values), digits),
        "max": round(max(values), digits),
        "runs": len(values),
    }
