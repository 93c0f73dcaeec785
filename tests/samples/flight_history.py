"""What a carrier's record must be at any point of the month, and what another idea of late changes,
computed from the CSV by plain Python."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.samples import flight_oracle
from tests.samples.rows import Row

Offsets = Mapping[int, int]
"""Next offset to read, by partition."""


@dataclass
class Stretch:
    """What must come of a stretch of the source topic.

    Attributes:
        carriers: Each carrier's record at its end.
        records: Records in it.
        never_left: Those that fail.
        differing: Outputs in it that differ from those of the other idea of late.
    """

    carriers: dict[str, Row] = field(default_factory=dict)
    records: int = 0
    never_left: int = 0
    differing: int = 0


def partition_of(carrier: str, partitions: int = 4) -> int:
    """The partition that Kafka clients built on librdkafka write a key to."""
    return zlib.crc32(carrier.encode()) % partitions


def carriers_at(offsets: Offsets) -> dict[str, Row]:
    """Each carrier's record when so much was read, late from 15 minutes on."""
    return stretch({}, offsets, late_from_min=15).carriers


def stretch(begin: Offsets, end: Offsets, *, late_from_min: int) -> Stretch:
    """What must come of the records from *begin* to *end* when they are judged by
    *late_from_min*, and those before by the flow as it is."""
    found = Stretch()
    as_it_is: dict[str, int] = {}
    read: dict[int, int] = {}
    for record in flight_oracle.records():
        partition = partition_of(record.key.decode())
        offset = read[partition] = read.get(partition, -1) + 1
        if offset >= end.get(partition, 0):
            continue
        inside = offset >= begin.get(partition, 0)
        found.records += inside
        flight = json.loads(record.value)
        if flight["dep_time"] is None:
            found.never_left += inside
            continue
        carrier, delay = flight["carrier"], flight["dep_delay_min"]
        late, usual = delay >= (late_from_min if inside else 15), delay >= 15
        before = found.carriers.get(carrier)
        after = found.carriers[carrier] = _after(before, delay, late=late)
        as_it_is[carrier] = as_it_is.get(carrier, 0) + usual
        if inside:  # its departure, and its carrier's record
            found.differing += (late is not usual) + (after["late"] != as_it_is[carrier])
    return found


def _after(before: Row | None, delay: int, *, late: bool) -> Row:
    so_far = before or {"flights": 0, "late": 0, "delay_min": 0, "worst_min": 0}
    return {
        "flights": so_far["flights"] + 1,
        "late": so_far["late"] + late,
        "delay_min": so_far["delay_min"] + delay,
        "worst_min": max(so_far["worst_min"], delay),
    }
