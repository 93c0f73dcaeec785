"""A flow that floods whoever watches it: records, failures and printed lines at given rates.

Read by its file's text only: the flood benchmark writes it into a folder, where it is run by the
bench and without it.
"""

from __future__ import annotations

import time

from loom_runtime import (
    ErrorEnvelope,
    FromTopic,
    IntoTopic,
    LoomStruct,
    Message,
    Process,
    RecordStep,
    StreamFlow,
)

RECORDS_PER_S = 100_000
PRINTS_EVERY = 5
FAILS_EVERY = 100
_LOOKS_EVERY = 500
_MOST_BEHIND_S = 0.05


class Drop(LoomStruct):
    """One record."""

    id: int


class Pour(RecordStep[Drop, Drop]):
    """Keeps to the rate, prints some records and fails at others."""

    def __init__(self) -> None:
        self._count = 0
        self._began_s = time.monotonic()

    def execute(self, message: Message[Drop]) -> Drop:
        """Return the record."""
        number = message.payload.id
        self._count += 1
        if self._count % _LOOKS_EVERY == 0:
            self._pace()
        if number % PRINTS_EVERY == 0:
            print(f"drop {number} fell, and nobody but this line would ever have known of it")
        if number % FAILS_EVERY == 0:
            raise ValueError("a drop too many")
        return message.payload

    def _pace(self) -> None:
        ahead_s = self._began_s + self._count / RECORDS_PER_S - time.monotonic()
        if ahead_s > 0:
            time.sleep(ahead_s)
        elif ahead_s < -_MOST_BEHIND_S:  # what was missed is not made up for
            self._began_s -= ahead_s + _MOST_BEHIND_S


class Catch(RecordStep[Drop, Drop]):
    """One more node."""

    def execute(self, message: Message[Drop]) -> Drop:
        """Return the record."""
        return message.payload


flow = StreamFlow(
    "flood",
    FromTopic("drops", Drop),
    Process(Pour, Catch),
    IntoTopic("puddles", Drop),
    IntoTopic("floods", ErrorEnvelope[Drop]),
)
