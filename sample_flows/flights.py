"""A month of departures from New York: validate, enrich, per-carrier state, hourly windows, routes.

The data are real, gaps included: a flight without a departure time becomes a business envelope.
Records are keyed by carrier, so that a carrier's flights stay in order.
"""

from __future__ import annotations

import csv
import gzip
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

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


class Flight(LoomFrozenStruct, frozen=True):
    """One scheduled flight as the timetable has it. Delays are minutes, negative when early."""

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
    """What is remembered of a carrier."""

    flights: int = 0
    late: int = 0
    delay_min: int = 0
    worst_min: int = 0


class CarrierDelay(LoomFrozenStruct, frozen=True):
    """A carrier's record so far."""

    carrier: str
    flights: int
    late: int
    delay_min: int
    worst_min: int


class HourlyDepartures(LoomFrozenStruct, frozen=True):
    """A carrier's departures of one scheduled hour."""

    carrier: str
    scheduled_hour: str
    flights: int
    delay_min: int


class Validate(RecordStep[Flight, Flight]):
    """Refuses flights that never left."""

    def execute(self, message: Message[Flight]) -> Flight:
        """Pass the flight on."""
        if message.payload.dep_time is None:
            raise DomainError("the flight has no departure time")
        return message.payload


class Enrich(RecordStep[Flight, Departure]):
    """Makes a departure of a flight."""

    def execute(self, message: Message[Flight]) -> Departure:
        """Return the departure."""
        flight = message.payload
        delay_min = flight.dep_delay_min or 0
        return Departure(
            carrier=flight.carrier,
            flight=flight.flight,
            route=f"{flight.origin}-{flight.dest}",
            distance_miles=flight.distance_miles,
            scheduled_hour=flight.scheduled_hour,
            delay_min=delay_min,
            late=delay_min > 15,
        )


class TrackCarrier(StatefulStep[Departure, CarrierDelay, Delays]):
    """Keeps each carrier's record."""

    def key(self, message: Message[Departure]) -> str:
        """Return the carrier."""
        return message.payload.carrier

    def initial(self) -> Delays:
        """Return an empty record."""
        return Delays()

    def execute(
        self, state: Delays, message: Message[Departure]
    ) -> tuple[Delays, list[CarrierDelay]]:
        """Add the departure."""
        departure = message.payload
        state = Delays(
            flights=state.flights + 1,
            late=state.late + departure.late,
            delay_min=state.delay_min + departure.delay_min,
            worst_min=max(state.worst_min, departure.delay_min),
        )
        return state, [
            CarrierDelay(
                carrier=departure.carrier,
                flights=state.flights,
                late=state.late,
                delay_min=state.delay_min,
                worst_min=state.worst_min,
            )
        ]


class CountHour(BatchExpandStep[Departure, HourlyDepartures]):
    """One row a carrier and hour, given out with the first of its departures."""

    def execute(self, messages: Sequence[Message[Departure]]) -> list[list[HourlyDepartures]]:
        """Return the rows of one window."""
        first: dict[str, int] = {}
        delays: dict[str, list[int]] = {}
        for index, message in enumerate(messages):
            first.setdefault(message.payload.carrier, index)
            delays.setdefault(message.payload.carrier, []).append(message.payload.delay_min)
        rows: list[list[HourlyDepartures]] = [[] for _ in messages]
        for carrier, index in first.items():
            rows[index].append(
                HourlyDepartures(
                    carrier=carrier,
                    scheduled_hour=messages[index].payload.scheduled_hour,
                    flights=len(delays[carrier]),
                    delay_min=sum(delays[carrier]),
                )
            )
        return rows


flow = StreamFlow(
    "flights",
    source=FromTopic("flights", payload=Flight),
    process=Process(
        Validate,
        Enrich,
        Broadcast(
            BroadcastRoute(
                process=Process(TrackCarrier),
                output=IntoTopic("flights.carriers", payload=CarrierDelay),
            ),
            BroadcastRoute(
                process=Process(
                    CollectBatch(
                        max_records=10_000,
                        timeout_ms=HOUR_MS,
                        window=WindowStrategy.TUMBLING,
                        event_time=True,
                        allowed_lateness_ms=24 * HOUR_MS,
                        late=IntoTopic("flights.overdue", payload=Departure),
                    ),
                    CountHour,
                ),
                output=IntoTopic("flights.hourly", payload=HourlyDepartures),
            ),
            BroadcastRoute(
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
            ),
        ),
    ),
    errors=IntoTopic("flights.errors", payload=ErrorEnvelope[Flight]),
)


def bench_feed() -> Iterator[Message[Flight]]:
    """Yield the month's flights as the timetable lists them; event time is the scheduled hour."""
    with gzip.open(DATA, "rt", encoding="utf-8", newline="") as lines:
        for number, row in enumerate(csv.DictReader(lines)):
            scheduled = datetime.fromisoformat(row["time_hour"])
            yield Message(
                payload=_flight(row),
                meta=MessageMeta(
                    message_id=f"flight-{number}",
                    key=row["carrier"],
                    produced_at_ms=int(scheduled.timestamp() * 1000),
                ),
            )


def _flight(row: dict[str, Any]) -> Flight:
    def minutes(column: str) -> int | None:
        return None if row[column] == "NA" else int(row[column])

    return Flight(
        carrier=row["carrier"],
        flight=int(row["flight"]),
        tailnum=None if row["tailnum"] == "NA" else row["tailnum"],
        origin=row["origin"],
        dest=row["dest"],
        distance_miles=int(row["distance"]),
        scheduled_hour=row["time_hour"],
        dep_time=minutes("dep_time"),
        dep_delay_min=minutes("dep_delay"),
        arr_delay_min=minutes("arr_delay"),
    )
