"""A replay as it is being chosen, before it begins."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from loom_bench.session.snapshots.replay_value import (
    CURRENT,
    BreakpointStop,
    ReplayRequest,
    StopWhen,
)
from loom_bench.tui.figures import count_text
from loom_bench.tui.forks.fit_lines import code_text
from loom_bench.tui.replay.breakpoint_stop import breakpoint_text
from loom_bench.tui.timeline.form_screen import DO, turned
from loom_bench.tui.widgets.choice_table import ChoiceRow
from loom_runtime.places import parse_offset, place_text_of

PACES: Final = (0.0, 1.0, 2.0, 10.0, 100.0)
"""Full speed, as it was recorded, and times that."""


class Stop(StrEnum):
    """When a replay ends by itself."""

    ORIGINAL = "original"
    RECORDS = "records"
    EPOCH = "epoch"
    OFFSETS = "offsets"
    ERROR = "error"
    BREAKPOINT = "breakpoint"


@dataclass
class ReplayDraft:
    """What is chosen so far.

    Attributes:
        fork: Name of the fork; empty while there is none.
        revision: Which code.
        stop: When it ends.
        records: After so many records.
        epoch: At this epoch of the original.
        offsets: At these offsets, by partition.
        breakpoint: Before such a record; ``None`` while none is chosen.
        pace: How fast.
        record_by_record: Whether each record is an epoch.
        paused: Whether it begins paused.
        real_topics: Whether it writes to its topics.
    """

    fork: str = ""
    revision: str = CURRENT
    stop: Stop = Stop.ORIGINAL
    records: int = 1_000
    epoch: int | None = None
    offsets: dict[str, int] = field(default_factory=dict)
    breakpoint: BreakpointStop | None = None
    pace: float = PACES[0]
    record_by_record: bool = False
    paused: bool = False
    real_topics: bool = False

    def rows(self) -> Iterator[ChoiceRow]:
        """Yield the choices as they stand."""
        whole = f"{self.fork} with {code_text(self.revision)}, {pace_text(self.pace)}"
        yield ChoiceRow(DO, "replay", whole if self.fork else "there is no fork: make one first")
        yield ChoiceRow("fork", "fork", self.fork or "-")
        yield ChoiceRow("code", "code", code_text(self.revision))
        yield ChoiceRow("stop", "ends", self._stop_text())
        yield ChoiceRow("pace", "pace", pace_text(self.pace))
        yield ChoiceRow("steps", "steps", _STEPS[self.record_by_record])
        yield ChoiceRow("begins", "begins", "paused" if self.paused else "at once")
        yield ChoiceRow("outputs", "outputs", _OUTPUTS[self.real_topics])

    def _stop_text(self) -> str:
        if self.stop is Stop.RECORDS:
            return f"after {count_text(self.records)} records"
        if self.stop is Stop.EPOCH:
            return (
                f"where the original closed epoch {self.epoch if self.epoch is not None else '?'}"
            )
        if self.stop is Stop.OFFSETS:
            places = " ".join(place_text_of(*each) for each in self.offsets.items())
            return f"at offsets {places or '?'}"
        if self.stop is Stop.ERROR:
            return "with the epoch of the first record that fails"
        if self.stop is Stop.BREAKPOINT:
            return breakpoint_text(self.breakpoint)
        return "where the original run stood"

    def turn(self, key: str, step: int, forks: Sequence[str]) -> None:
        """Change a choice to its next or last value."""
        if key == "fork":
            self.fork = turned(forks, self.fork, step)
        elif key == "stop":
            self.stop = Stop(turned(tuple(Stop), self.stop, step))
        elif key == "pace":
            self.pace = next_pace(self.pace, step)
        elif key == "steps":
            self.record_by_record = not self.record_by_record
        elif key == "begins":
            self.paused = not self.paused
        elif key == "outputs":
            self.real_topics = not self.real_topics

    def request(self, confirmation: str = "") -> ReplayRequest:
        """Return the replay that is asked for."""
        return ReplayRequest(
            fork=self.fork,
            revision=self.revision,
            stop=StopWhen(
                records=self.records if self.stop is Stop.RECORDS else None,
                epoch=self.epoch if self.stop is Stop.EPOCH else None,
                offsets=self.offsets if self.stop is Stop.OFFSETS else {},
                first_error=self.stop is Stop.ERROR,
                breakpoint=self.breakpoint if self.stop is Stop.BREAKPOINT else None,
            ),
            pace=self.pace,
            record_by_record=self.record_by_record,
            paused=self.paused,
            real_topics=self.real_topics,
            confirmation=confirmation,
        )


_STEPS: Final = {
    False: "batches, as in a run",
    True: "record by record: a snapshot of each, about three times slower",
}
_OUTPUTS: Final = {False: "captured: nothing is written to topics", True: "WRITTEN to their topics"}


def pace_text(pace: float) -> str:
    """Return a pace in words."""
    if not pace:
        return "at full speed"
    return "as it was recorded" if pace == 1 else f"{pace:g} times as fast as recorded"


def next_pace(pace: float, step: int) -> float:
    """Return the next faster or slower pace; full speed is the fastest of all."""
    order = (*PACES[1:], PACES[0])
    if pace not in order:
        return order[0]
    return order[min(max(0, order.index(pace) + step), len(order) - 1)]


def parse_offsets(text: str) -> dict[str, int] | None:
    """Return offsets by partition as they are typed: ``flights[0]@120 flights[1]@80``."""
    offsets: dict[str, int] = {}
    for word in text.split():
        found = parse_offset(word)
        if found is None:
            return None
        offsets[found[0]] = found[1]
    return offsets or None
