"""A month of departures from New York, with the gaps that real data have.

Flights are validated and enriched. Every departure then goes three ways: into its carrier's
running record, into hourly counts by the timetable's clock, and to a topic of its carrier. A
flight that never left becomes an envelope on ``flights.errors``.

Records are keyed by carrier, so that one carrier's flights lie on one partition and stay in order.
"""

from __future__ import annotations

import csv
import gzip
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

from loom_runtime import (
    BatchExpandStep,
    Broadcast,
    BroadcastRoute,
    CollectBatch,
    DomainError,
    ErrorEnvelope,
    Fork,
    FromTopic,
    IntoTopic,
    LoomFrozenStruct,
    Message,
    MessageMeta,
    Process,
    RecordStep,
    StatefulStep,
    StreamFlow,
    WindowStrategy,
    payload,
)

DATA = Path(__file__).parent / "data" / "flights-2013-01.csv.gz"
HOUR_MS = 3_600_000
LATE_FROM_MIN = 15
"""The US Department of Transportation counts a flight as late from this delay on."""


# What travels ------------------------------------------------------------------------------------


class Flight(LoomFrozenStruct, frozen=True):
    """One scheduled flight. Delays are minutes, negative when early, ``None`` when not known."""

    carrier: str
    flight: int
    tailnum: str | None
    origin: str
    dest: str
    distance_miles: int
    scheduled_hour: str
    dep_time: int | None
    dep_delay_min: int | None
    arr_delay_min: int | None


class Departure(LoomFrozenStruct, frozen=True):
    """A flight that left."""

    carrier: str
    flight: int
    route: str
    distance_miles: int
    scheduled_hour: str
    delay_min: int
    late: bool


class Delays(LoomFrozenStruct, frozen=True):
    """What is remembered of a carrier's departures."""

    flights: int = 0
    late: int = 0
    delay_min: int = 0
    worst_min: int = 0


class CarrierRecord(LoomFrozenStruct, frozen=True):
    """A carrier and its departures so far."""

    carrier: str
    so_far: Delays


class HourlyDepartures(LoomFrozenStruct, frozen=True):
    """A carrier's departures of one scheduled hour."""

    carrier: str
    scheduled_hour: str
    flights: int
    delay_min: int


# Steps -------------------------------------------------------------------------------------------


class Validate(RecordStep[Flight, Flight]):
    """Refuses flights that never left."""

    def execute(self, message: Message[Flight]) -> Flight:
        if message.payload.dep_time is None:
            raise DomainError("the flight has no departure time")
        return message.payload


class Enrich(RecordStep[Flight, Departure]):
    """Makes a departure of a flight: names its route and says whether it was late."""

    def execute(self, message: Message[Flight]) -> Departure:
        flight = message.payload
        delay_min = flight.dep_delay_min or 0
        return Departure(
            carrier=flight.carrier,
            flight=flight.flight,
            route=f"{flight.origin}-{flight.dest}",
            distance_miles=flight.distance_miles,
            scheduled_hour=flight.scheduled_hour,
            delay_min=delay_min,
            late=delay_min >= LATE_FROM_MIN,
        )


class TrackCarrier(StatefulStep[Departure, CarrierRecord, Delays]):
    """Keeps each carrier's record and tells it anew with every departure."""

    def key(self, message: Message[Departure]) -> str:
        return message.payload.carrier

    def initial(self) -> Delays:
        return Delays()

    def execute(
        self, state: Delays, message: Message[Departure]
    ) -> tuple[Delays, list[CarrierRecord]]:
        departure = message.payload
        so_far = Delays(
            flights=state.flights + 1,
            late=state.late + departure.late,
            delay_min=state.delay_min + departure.delay_min,
            worst_min=max(state.worst_min, departure.delay_min),
        )
        return so_far, [CarrierRecord(carrier=departure.carrier, so_far=so_far)]


class CountHour(BatchExpandStep[Departure, HourlyDepartures]):
    """Makes one row per carrier of a window; a row goes out with its carrier's first departure."""

    def execute(self, messages: Sequence[Message[Departure]]) -> list[list[HourlyDepartures]]:
        indices: dict[str, list[int]] = {}
        for index, message in enumerate(messages):
            indices.setdefault(message.payload.carrier, []).append(index)
        rows: list[list[HourlyDepartures]] = [[] for _ in messages]
        for carrier, of_carrier in indices.items():
            first = of_carrier[0]
            row = HourlyDepartures(
                carrier=carrier,
                scheduled_hour=messages[first].payload.scheduled_hour,
                flights=len(of_carrier),
                delay_min=sum(messages[index].payload.delay_min for index in of_carrier),
            )
            rows[first].append(row)
        return rows


# The flow ----------------------------------------------------------------------------------------

by_carrier = BroadcastRoute(
    process=Process(TrackCarrier),
    output=IntoTopic("flights.carriers", payload=CarrierRecord),
)

by_hour = BroadcastRoute(
    process=Process(
        CollectBatch(
            max_records=10_000,
            timeout_ms=HOUR_MS,
            window=WindowStrategy.TUMBLING,
            event_time=True,
            # A day's flights are listed as they left, up to 18 hours behind the timetable.
            allowed_lateness_ms=24 * HOUR_MS,
            late=IntoTopic("flights.overdue", payload=Departure),
        ),
        CountHour,
    ),
    output=IntoTopic("flights.hourly", payload=HourlyDepartures),
)

to_carriers = BroadcastRoute(
    process=Process(
        Fork.by(
            payload.carrier,
            {
                "UA": Process(IntoTopic("flights.united", payload=Departure)),
                "B6": Process(IntoTopic("flights.jetblue", payload=Departure)),
                "DL": Process(IntoTopic("flights.delta", payload=Departure)),
            },
            default=Process(IntoTopic("flights.others", payload=Departure)),
        )
    ),
)

flow = StreamFlow(
    "flights",
    source=FromTopic("flights", payload=Flight),
    process=Process(Validate, Enrich, Broadcast(by_carrier, by_hour, to_carriers)),
    errors=IntoTopic("flights.errors", payload=ErrorEnvelope[Flight]),
)


# What the bench feeds it -------------------------------------------------------------------------


def bench_feed() -> Iterator[Message[Flight]]:
    """Yield the month's flights as the file lists them; event time is the scheduled hour."""
    with gzip.open(DATA, "rt", encoding="utf-8", newline="") as lines:
        for number, row in enumerate(csv.DictReader(lines)):
            scheduled = datetime.fromisoformat(row["time_hour"])
            meta = MessageMeta(
                message_id=f"flight-{number}",
                key=row["carrier"],
                produced_at_ms=int(scheduled.timestamp() * 1000),
            )
            yield Message(payload=_flight(row), meta=meta)


def _flight(row: dict[str, str]) -> Flight:
    known = {column: None if value == "NA" else value for column, value in row.items()}
    return Flight(
        carrier=row["carrier"],
        flight=int(row["flight"]),
        tailnum=known["tailnum"],
        origin=row["origin"],
        dest=row["dest"],
        distance_miles=int(row["distance"]),
        scheduled_hour=row["time_hour"],
        dep_time=_number(known["dep_time"]),
        dep_delay_min=_number(known["dep_delay"]),
        arr_delay_min=_number(known["arr_delay"]),
    )


def _number(text: str | None) -> int | None:
    return None if text is None else int(text)
