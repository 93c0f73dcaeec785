"""What the flights flow must make of its file, computed from the CSV by plain Python."""

import csv
import functools
import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from tests.samples.rows import Row

FLIGHTS = 27_004
NEVER_LEFT = 521
PER_CARRIER = "flights.carriers"
PER_HOUR = "flights.hourly"
ERRORS = "flights.errors"
OVERDUE = "flights.overdue"
OTHERS = "flights.others"
ROUTES = {"UA": "flights.united", "B6": "flights.jetblue", "DL": "flights.delta"}
OUTPUTS = (PER_CARRIER, PER_HOUR, *ROUTES.values(), OTHERS, OVERDUE, ERRORS)
"""Every topic that the flow writes."""

_FILE = Path(__file__).parents[2] / "sample_flows" / "data" / "flights-2013-01.csv.gz"


class Record(NamedTuple):
    """A flight as it lies in the source topic."""

    key: bytes
    value: bytes
    timestamp_ms: int


@dataclass(frozen=True)
class Expected:
    """What must come out.

    Attributes:
        outputs: Rows of each topic but the envelopes' one; each carrier's in the order of the file.
        never_left: Flights that must become envelopes.
    """

    outputs: dict[str, list[Row]]
    never_left: list[Row]


def records() -> Iterator[Record]:
    """The source topic's records, in the order of the file."""
    for line in _lines():
        due = datetime.fromisoformat(line["time_hour"])
        value = json.dumps(_flight(line)).encode()
        yield Record(line["carrier"].encode(), value, int(due.timestamp() * 1000))


@functools.cache
def expected() -> Expected:
    """What must come out of the whole file."""
    outputs: dict[str, list[Row]] = {topic: [] for topic in OUTPUTS if topic != ERRORS}
    never_left: list[Row] = []
    records_of: dict[str, Row] = {}
    hours: dict[tuple[str, str], Row] = {}
    for line in _lines():
        if line["dep_time"] == "NA":
            never_left.append(_flight(line))
            continue
        departure = _departure(line)
        carrier, hour, delay = line["carrier"], line["time_hour"], departure["delay_min"]
        so_far = records_of.get(carrier, {"flights": 0, "late": 0, "delay_min": 0, "worst_min": 0})
        so_far = records_of[carrier] = {
            "flights": so_far["flights"] + 1,
            "late": so_far["late"] + (delay >= 15),
            "delay_min": so_far["delay_min"] + delay,
            "worst_min": max(so_far["worst_min"], delay),
        }
        outputs[PER_CARRIER].append({"carrier": carrier, "so_far": so_far})
        empty = {"carrier": carrier, "scheduled_hour": hour, "flights": 0, "delay_min": 0}
        row = hours.setdefault((carrier, hour), empty)
        row["flights"] += 1
        row["delay_min"] += delay
        outputs[ROUTES.get(carrier, OTHERS)].append(departure)
    outputs[PER_HOUR].extend(hours.values())
    return Expected(outputs, never_left)


def _lines() -> Iterator[dict[str, str]]:
    with gzip.open(_FILE, "rt", encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


def _flight(line: dict[str, str]) -> Row:
    return {
        "carrier": line["carrier"],
        "flight": int(line["flight"]),
        "tailnum": None if line["tailnum"] == "NA" else line["tailnum"],
        "origin": line["origin"],
        "dest": line["dest"],
        "distance_miles": int(line["distance"]),
        "scheduled_hour": line["time_hour"],
        **{
            field: None if line[column] == "NA" else int(line[column])
            for field, column in (
                ("dep_time", "dep_time"),
                ("dep_delay_min", "dep_delay"),
                ("arr_delay_min", "arr_delay"),
            )
        },
    }


def _departure(line: dict[str, str]) -> Row:
    delay = int(line["dep_delay"])
    return {
        "carrier": line["carrier"],
        "flight": int(line["flight"]),
        "route": f"{line['origin']}-{line['dest']}",
        "distance_miles": int(line["distance"]),
        "scheduled_hour": line["time_hour"],
        "delay_min": delay,
        "late": delay >= 15,
    }
