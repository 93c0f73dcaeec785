"""Reads the source record at an offset, where the flow itself reads it."""

from __future__ import annotations

from loom_bench.broker.one_record import read_record
from loom_bench.protocol.frames import Loaded


def source_record(loaded: Loaded | None, partition: str, offset: int) -> tuple[str, int] | None:
    """Return a source record's value as text and its timestamp, milliseconds since 1970.

    Args:
        loaded: The flow, which tells the brokers and how to log in.
        partition: ``topic:partition``.
        offset: Its offset.

    Returns:
        ``None`` when it cannot be had, or no flow was loaded.
    """
    if loaded is None:
        return None
    topic, _, number = partition.rpartition(":")
    return read_record(loaded.source_brokers, topic, int(number), offset, loaded.security.reading)
