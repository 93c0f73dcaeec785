"""Where a record lies."""

from __future__ import annotations

from typing import Self

import msgspec

from loom_runtime.places import parse_place, place_text


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
        return place_text(self.topic, self.partition, self.offset)

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Return the place that *text* is of; ``None`` when it is of none."""
        found = parse_place(text)
        return None if found is None else cls(*found)
