"""The dry run of a redrive: what would be written where, what is left out, what was overtaken."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Final, NamedTuple

import msgspec

from loom_bench.broker.contract import BrokerError
from loom_bench.broker.place import RecordPlace
from loom_bench.broker.reading import RecordReader, read_to_end
from loom_bench.protocol.diagnosis import Diagnosis
from loom_bench.session.envelopes.envelope import Envelope, read_envelope
from loom_bench.session.envelopes.flow_view import InboxFlow
from loom_bench.session.envelopes.group import PROVABLE
from loom_bench.session.envelopes.redrive_list import RedriveList
from loom_bench.session.envelopes.redrive_value import RedrivePlan, RedriveTopic
from loom_bench.session.envelopes.repeating import behind_a_fan_out
from loom_bench.session.envelopes.terms import Origin, RedriveGoal, TriageState
from loom_bench.session.envelopes.triage import Decided
from loom_runtime.execution.sampling import key_text
from loom_runtime.places import partition_text

MAX_LOOKED_THROUGH: Final = 500_000
"""Records of a source partition that are looked through for later ones of the same key: some ten
seconds."""

_SHOWN_KEYS: Final = 10

Candidate = tuple[Envelope, Decided]


class Gathering(NamedTuple):
    """Where the envelopes of a redrive come from.

    Attributes:
        kept: Those that are kept and selected.
        scanned: Topics that are read through for those that are counted only; none when every
            selected one is kept.
        group: Only those of this group are selected there; ``None`` for all.
        decided: Tells what was decided about one.
        by_id: Whether they were chosen one by one: then parked ones count too.
    """

    kept: tuple[Candidate, ...]
    scanned: tuple[str, ...]
    group: str | None
    decided: Callable[[Envelope], Decided]
    by_id: bool


class Planned(NamedTuple):
    """A dry run and what it found.

    Attributes:
        plan: What is shown.
        records: What would be written.
        left_out: Envelopes that were left out for their state, with that state.
    """

    plan: RedrivePlan
    records: RedriveList
    left_out: tuple[tuple[str, Decided], ...]


class RedrivePlanner:
    """Makes a dry run; on a thread of its own.

    Args:
        flow: The flow.
        plan: What was asked, counts at zero.
        gathering: Where the envelopes come from.
        tell: Told of the plan as it grows.
        cancelled: Whether nobody waits for it any more.
    """

    def __init__(
        self,
        flow: InboxFlow,
        plan: RedrivePlan,
        gathering: Gathering,
        tell: Callable[[RedrivePlan], None],
        cancelled: Callable[[], bool],
    ) -> None:
        self._flow = flow
        self._plan = plan
        self._gathering = gathering
        self._tell = tell
        self._cancelled = cancelled
        self._records = RedriveList()
        self._counts: Counter[str] = Counter()
        self._left_out: list[tuple[str, Decided]] = []
        to_flow = plan.target.goal is not RedriveGoal.TOPIC
        self._repeating = behind_a_fan_out(flow.plan) if to_flow else frozenset[str]()

    def make(self) -> Planned:
        """Return the dry run; its problem says when it could not be made."""
        try:
            with RecordReader(self._flow.bootstrap, self._flow.security.reading) as reader:
                there = reader.partitions()
                self._gather(reader, there)
                plan = self._counted(msgspec.structs.replace(self._plan, counting=False))
                problem = self._target_problem(plan, there)
                if problem is None and plan.records:
                    plan = self._overtaken(reader, plan)
        except BrokerError as error:
            problem, plan = _problem(error.what, error.where, error.what_next), self._plan
        except (sqlite3.Error, OSError) as error:
            problem = _problem(
                f"the records of the redrive cannot be listed: {error}",
                "the folder for temporary files",
                "Make room there, or redrive fewer at once.",
            )
            plan = self._plan
        plan = msgspec.structs.replace(plan, counting=False, problem=problem)
        return Planned(plan, self._records, tuple(self._left_out))

    def _gather(self, reader: RecordReader, there: dict[str, tuple[int, ...]]) -> None:
        self._records.add(self._wanted(self._gathering.kept))
        scanned = [
            (topic, partition)
            for topic in self._gathering.scanned
            for partition in there.get(topic, ())
        ]
        if not scanned:
            return
        for batch in read_to_end(reader, scanned):
            envelopes = (each for record in batch if (each := read_envelope(record)) is not None)
            group = self._gathering.group
            self._records.add(
                self._wanted(
                    (each, self._gathering.decided(each))
                    for each in envelopes
                    if group is None or each.fingerprint == group
                )
            )
            self._tell(self._counted(self._plan))
            if self._cancelled():
                break
        reader.leave(scanned)

    def _wanted(self, candidates: Iterable[Candidate]) -> Iterator[tuple[Envelope, RecordPlace]]:
        """Yield the envelopes that are redriven, each with the place that stands for its record."""
        for envelope, decided in candidates:
            if decided.state not in PROVABLE:
                self._counts["decided"] += 1
                self._left_out.append((envelope.id, decided))
                continue
            parked = envelope.again and decided.state is TriageState.OPEN
            if parked and not self._gathering.by_id:
                self._counts["parked"] += 1
                self._left_out.append((envelope.id, decided))
                continue
            place = self._record_of(envelope)
            if place is None:
                self._counts["without_source"] += 1
                self._left_out.append((envelope.id, decided))
                continue
            self._counts["envelopes"] += 1
            if envelope.origin is not Origin.DEAD_LETTER and envelope.node in self._repeating:
                self._counts["repeating"] += 1
            yield envelope, place

    def _record_of(self, envelope: Envelope) -> RecordPlace | None:
        if envelope.origin is not Origin.DEAD_LETTER:
            return envelope.source
        place = envelope.place
        if place is None:
            return None
        goal = self._plan.target.goal
        meant_for = self._flow.sink_of_dead_letters(place.topic)
        is_known = goal is RedriveGoal.TOPIC or (goal is RedriveGoal.SOURCE and bool(meant_for))
        return place if is_known else None

    def _counted(self, plan: RedrivePlan) -> RedrivePlan:
        counts = self._counts
        return msgspec.structs.replace(
            plan,
            envelopes=counts["envelopes"],
            records=len(self._records),
            topics=tuple(self._topics()),
            parked=counts["parked"],
            decided=counts["decided"],
            without_source=counts["without_source"],
            repeating=counts["repeating"],
        )

    def _topics(self) -> Iterator[RedriveTopic]:
        target = self._plan.target
        found = self._records.topics()
        if target.goal is RedriveGoal.FLOW:
            return  # the outputs of the flow are known when it has run
        if target.goal is RedriveGoal.TOPIC:
            yield RedriveTopic(topic=target.topic, records=sum(each[0] for each in found.values()))
            return
        for topic, (records, partitions) in found.items():
            sink = self._flow.sink_of_dead_letters(topic)
            yield RedriveTopic(topic=sink or topic, records=records, partitions=partitions)

    def _target_problem(
        self, plan: RedrivePlan, there: dict[str, tuple[int, ...]]
    ) -> Diagnosis | None:
        missing = sorted({each.topic for each in plan.topics} - set(there))
        if missing:
            return _problem(
                f"there is no topic {', '.join(missing)}",
                self._flow.bootstrap,
                "Create it first, or choose another target.",
            )
        if plan.target.goal is RedriveGoal.SOURCE:
            gone = [
                partition_text(topic, partition)
                for topic, partition in self._records.partitions()
                if self._flow.sink_of_dead_letters(topic) is None and partition not in there[topic]
            ]
            if gone:
                return _problem(
                    f"the source has no partition {', '.join(gone)} any more",
                    self._flow.bootstrap,
                    "Redrive to a topic, by key.",
                )
        return None

    def _overtaken(self, reader: RecordReader, plan: RedrivePlan) -> RedrivePlan:
        """Find records whose key has later ones, which are not redriven with them."""
        overtaken, unchecked = 0, 0
        keys: list[str] = []
        for (topic, partition), first in self._records.partitions().items():
            if topic not in self._flow.plan.source.topics:
                continue
            last_of = self._last_others(reader, topic, partition, first)
            if last_of is None:
                unchecked += 1
                continue
            for key, offset in last_of.items():
                earlier = self._records.earlier_of(topic, partition, key, offset)
                if earlier:
                    overtaken += earlier
                    keys.append(key)
        return msgspec.structs.replace(
            plan,
            overtaken=overtaken,
            overtaken_keys=tuple(keys[:_SHOWN_KEYS]),
            unchecked=unchecked,
        )

    def _last_others(
        self, reader: RecordReader, topic: str, partition: int, first: int
    ) -> dict[str, int] | None:
        """Return, by key, the offset of the last record that is not redriven; ``None`` when there
        are too many records to look through."""
        wanted = self._records.keys(topic, partition)
        last_of: dict[str, int] = {}
        looked = 0
        for batch in read_to_end(reader, [(topic, partition)], start=first):
            looked += len(batch)
            if looked > MAX_LOOKED_THROUGH or self._cancelled():
                reader.leave([(topic, partition)])
                return None
            for record in batch:
                key = key_text(record.key)
                place = RecordPlace(topic, partition, record.offset)
                if key and key in wanted and not self._records.has(place):
                    last_of[key] = record.offset
        reader.leave([(topic, partition)])
        return last_of


def _problem(message: str, component: str, hint: str) -> Diagnosis:
    return Diagnosis(code="redrive_impossible", message=message, component=component, hint=hint)
