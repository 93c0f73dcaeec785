"""How a partition and a record's place in it are written, and read."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

_PLACE: Final = re.compile(r"(?P<topic>.+)\[(?P<partition>\d{1,10})\]@(?P<offset>\d{1,19})")

_OFFSET: Final = re.compile(r"(?P<topic>.+):(?P<partition>\d{1,10})=(?P<offset>\d{1,18})")


def partition_text(topic: str | None, partition: int | None) -> str:
    """Return ``topic[partition]``."""
    return f"{topic}[{partition}]"


def place_text(topic: str | None, partition: int | None, offset: int | None) -> str:
    """Return ``topic[partition]@offset``."""
    return f"{topic}[{partition}]@{offset}"


def parse_place(text: str) -> tuple[str, int, int] | None:
    """Return topic, partition and offset of the place that *text* is; ``None`` when it is none."""
    found = _PLACE.fullmatch(text)
    return found and (found["topic"], int(found["partition"]), int(found["offset"]))


def parse_offset(text: str) -> tuple[str, int] | None:
    """Return a partition's durable key and an offset.

    Args:
        text: ``topic[partition]@offset``, or ``topic:partition=offset``, which no shell takes for a
            pattern.

    Returns:
        ``None`` when it is neither.
    """
    found = _PLACE.fullmatch(text) or _OFFSET.fullmatch(text)
    return found and (f"{found['topic']}:{int(found['partition'])}", int(found["offset"]))


def partition_text_of(key: str) -> str:
    """Return ``topic[partition]`` for the durable key of a partition, ``topic:partition``."""
    topic, colon, partition = key.rpartition(":")
    return f"{topic}[{partition}]" if colon else key


def in_order(positions: Mapping[str, int]) -> list[tuple[str, int]]:
    """Return durable keys and offsets by topic and partition."""

    def order(item: tuple[str, int]) -> tuple[str, int]:
        topic, _, partition = item[0].rpartition(":")
        return topic, int(partition) if partition.isdecimal() else 0

    return sorted(positions.items(), key=order)


def place_text_of(key: str, offset: int) -> str:
    """Return ``topic[partition]@offset`` for the durable key of a partition; ``-`` without one."""
    return f"{partition_text_of(key)}@{offset}" if key else "-"
