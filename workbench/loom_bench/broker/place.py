"""Where a record lies."""

from __future__ import annotations

import re
from typing import Self

import msgspec

_FORM = re.compile(r"(?P<topic>.+)\[(?P<partition>\d{1,10})\]@(?P<offset>\d{1,19})")


class RecordPlace(
    msgspec.Struct, frozen=True, order=True, array_like=True, gc=False, cache_hash=True
):
    """Where a record lies; its text is ``topic[partition]@offset``.

    The garbage collector leaves it alone: there are tens of thousands, and none refers to another.

    Attributes:
        topic: Its topic.
        partition: Its partition.
        offset: Its offset.
    """

    topic: str
    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.topic}[{self.partition}]@{self.offset}"

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Return the place that *text* is of; ``None`` when it is of none."""
        found = _FORM.fullmatch(text)
        if found is None:
            return None
        return cls(found["topic"], int(found["partition"]), int(found["offset"]))
