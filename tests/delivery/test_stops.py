"""A run that stops at records, and is ended there again and again, loses and repeats nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from threading import Event
from typing import Any

import msgspec
import pytest

from loom_runtime.engine_control import RunControl
from loom_runtime.failures import RunAbandonedError
from loom_runtime.tracing.gate import Gate, GateAction, GateListener, RecordStop
from loom_runtime.tracing.shown import EditedMessage
from tests.delivery.checks import assert_balanced, fates, rows
from tests.delivery.flows import Check, Item, Tally, flow, items
from tests.delivery.places import Place
from tests.delivery.running import Run, running

EVERY = 250
"""Of so many records one is poison: 200 stops."""

Answer = tuple[GateAction, EditedMessage | None] | None
"""``None`` ends the run while it stands at the record."""


class Deciding(GateListener):
    """Answers stops at once, by rule."""

    def __init__(self, rule: Callable[[int, RecordStop], Answer]) -> None:
        self.rule = rule
        self.gate = Gate(self)
        self.control: RunControl | None = None
        self.ready = Event()
        self.stops: list[tuple[int, GateAction | None]] = []
        self.seen: list[RecordStop] = []
        self.problems: list[str] = []

    def stopped(self, stop: RecordStop) -> None:
        self.seen.append(stop)
        answer = self.rule(item_of(stop).id, stop)
        if answer is None:
            self.ready.wait()
            assert self.control is not None
            self.control.drain()
        else:
            self.gate.answer(stop.number, *answer)

    def ended(self, number: int, action: GateAction | None, problem: str | None) -> None:
        if problem is not None:
            self.problems.append(problem)
            self.gate.answer(number, GateAction.GO_ON, None)
        else:
            self.stops.append((item_of(self.seen[-1]).id, action))

    def run(self, flow: Any, config: Any, **options: Any) -> Run | None:
        """Run until everything was read; ``None`` when the run was ended at a stop."""
        with running(flow, config, gate=self.gate, **{"until_idle_ms": 150, **options}) as run:
            self.control = run.control
            self.ready.set()
            try:
                run.wait()
            except RunAbandonedError:
                return None
            assert_balanced(run.reports.all())
            return run


def item_of(stop: RecordStop) -> Item:
    return msgspec.json.decode(stop.trace.stops[-1].takes[0].value.text, type=Item)


def mended(stop: RecordStop) -> EditedMessage:
    """What the node took, with the poison out of it."""
    taken = stop.trace.stops[-1].takes[0]
    value = msgspec.json.encode(msgspec.structs.replace(item_of(stop), kind="fine")).decode()
    return EditedMessage(payload_type=taken.payload_type, value=value, meta=taken.meta)


def kind_of(number: int) -> str:
    return "task" if number % EVERY == EVERY - 1 else "fine"


def decide(number: int, stop: RecordStop) -> Answer:
    """Every kind of answer in turn."""
    match (number // EVERY) % 4:
        case 0:
            return GateAction.SKIP, None
        case 1:
            return GateAction.EDIT, mended(stop)
        case 2:
            return GateAction.DEAD_LETTER, None
        case _:
            return GateAction.GO_ON, None


@pytest.mark.timeout(240)
@pytest.mark.parametrize(
    ("stored", "count", "workers"), [(True, 50_000, 1), (False, 10_000, 1), (True, 8_000, 2)]
)
def test_stops_at_every_250th_of_50_000_records(
    embedded: Place, tmp_path: Path, stored: bool, count: int, workers: int
) -> None:
    """At one stop in eight the run is ended and begun again, as a reload does."""
    source = embedded.topic("items", partitions=2)
    embedded.topic("out", partitions=2)
    embedded.topic("errors")
    embedded.topics.produce(source, items(count, partitions=2, kind=kind_of))
    config = embedded.config(
        store=tmp_path / "store" if stored else None,
        consumer={"batch_size": 500},
        workers_per_process=workers,
    )
    left: set[int] = set()
    decided: dict[int, GateAction] = {}

    def rule(number: int, stop: RecordStop) -> Answer:
        if (number // EVERY) % 8 == 5 and number not in left:
            left.add(number)
            return None
        answer = decide(number, stop)
        assert answer is not None
        decided[number] = answer[0]
        return answer

    runs = 0
    while True:
        runs += 1
        deciding = Deciding(rule)
        deciding.gate.set_pause_on_error(True)
        run = deciding.run(flow(Check, Tally) if stored else flow(Check), config)
        assert deciding.problems == []
        if run is not None:
            break
    assert runs == len(left) + 1 == count // EVERY // 8 + 1
    assert len(decided) == count // EVERY
    found = fates(embedded)
    wanted = {n: a for n, a in decided.items() if a in (GateAction.DEAD_LETTER, GateAction.GO_ON)}
    assert (
        found.failed == Counter(wanted)
        if False
        else found.failed == Counter(dict.fromkeys(wanted, 1))
    )
    skipped = {n for n, a in decided.items() if a is GateAction.SKIP}
    right = Counter(set(range(count)) - wanted.keys() - skipped)
    assert found.written == right
    assert embedded.committed() == embedded.ends("items")
    if stored:
        assert run.last.total("consumed") == count
        assert run.last.total("filtered") == len(skipped)
        assert run.last.total("errored") == len(wanted)
        by_account = Counter(row.account for row in rows(embedded))
        last = {row.account: row.count for row in sorted(rows(embedded), key=lambda r: r.count)}
        assert last == by_account
