"""Failures that the flow routes nowhere end the run; sinks given to a run win over all routes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import msgspec
import pytest

from loom_runtime import (
    ErrorEnvelope,
    ErrorKind,
    ExpandRoutes,
    IntoTopic,
    LoomFrozenStruct,
    Message,
    Process,
    Router,
    StreamingRunner,
)
from loom_runtime.failures import DeliveryError, UnroutedErrorError
from loom_runtime.sinks import RuntimeSinkBinding
from tests.broker_fixtures import NewRecord
from tests.delivery.checks import ids
from tests.delivery.flows import Check, Flow, Item, flow, items
from tests.delivery.places import Place
from tests.delivery.running import run_to_end

POISON_AT = 220


def prepare(place: Place, poison: NewRecord) -> None:
    """Fine items, and poison among them."""
    source = place.topic("items")
    place.topic("out")
    place.topic("errors")
    place.topics.produce(source, [*items(POISON_AT), poison, *items(80, start=POISON_AT)])


class OnlyFine:
    """Rows for fine items only; a Counted row has no route."""

    outputs: ClassVar[tuple[type, ...]] = (Item,)

    @classmethod
    def expand(cls, event: Item) -> dict[type, list[Any]]:
        """Give a row of a type that was not announced."""
        if event.kind == "fine":
            return {Item: [event]}
        return {ErrorEnvelope: [ErrorEnvelope(kind=ErrorKind.TASK, reason="")]}


class Picky:
    """A selector that knows one kind."""

    def select(self, message: Message[Item]) -> str:
        """Return the kind."""
        return {"fine": "fine"}[message.payload.kind]


def only_fine() -> Flow:
    return flow(Router.by(Picky(), {"fine": Process(Check)}), errors=None)


def strict() -> Flow:
    return flow(Check, errors=None)


def rows_without_route() -> Flow:
    routes: dict[type, Process[Any, Any]] = {Item: Process(Check, IntoTopic("out"))}
    return flow(ExpandRoutes(expander=OnlyFine, routes=routes), output=None, errors=None)


def bad(kind: str) -> NewRecord:
    return items(1, start=999, kind=lambda _: kind)[0]


@pytest.mark.parametrize(
    ("kind", "make", "poison"),
    [
        (ErrorKind.WIRE, strict, NewRecord(b"{not json")),
        (ErrorKind.TASK, strict, bad("task")),
        (ErrorKind.BUSINESS, strict, bad("business")),
        (ErrorKind.ROUTING, only_fine, bad("unknown")),
        (ErrorKind.ROUTING, rows_without_route, bad("unknown")),
    ],
    ids=["wire", "task", "business", "routing", "row without route"],
)
def test_an_unrouted_failure_ends_the_run_with_its_offset_uncommitted(
    embedded: Place, kind: ErrorKind, make: Callable[[], Flow], poison: NewRecord
) -> None:
    prepare(embedded, poison)
    with pytest.raises(UnroutedErrorError) as raised:
        run_to_end(make(), embedded.config())
    error = raised.value
    assert f"{embedded.names['items']}[0]@{POISON_AT}" in error.what
    assert f"a {kind.value} error" in error.what
    assert "errors=" in error.what_next
    assert (embedded.committed()[0] or 0) <= POISON_AT
    # Every time again, until the flow is mended; then nothing is missing.
    with pytest.raises(UnroutedErrorError):
        run_to_end(make(), embedded.config())
    strict_one = make()
    mended = flow(*strict_one.process.nodes, output=strict_one.output)
    run = run_to_end(mended, embedded.config())
    assert run.last.total("errored") == 1
    assert set(ids(embedded)) == set(range(POISON_AT + 80))
    assert embedded.committed() == {0: POISON_AT + 81}


class Kept:
    """An error sink that keeps what it is given, and how it was built."""

    def __init__(self, *, fails: bool = False) -> None:
        self.built: list[tuple[str, int, int]] = []
        self.envelopes: list[ErrorEnvelope[Any]] = []
        self.closed = 0
        self._fails = fails

    def build(self, step_id: str, worker_index: int, worker_count: int) -> Kept:
        """Return itself."""
        self.built.append((step_id, worker_index, worker_count))
        return self

    def write_batch(self, envelopes: list[ErrorEnvelope[Any]]) -> None:
        """Keep envelopes."""
        if self._fails:
            raise ConnectionError("the pager is off")
        self.envelopes += envelopes

    def close(self) -> None:
        """Note it."""
        self.closed += 1


class PagerConfig(LoomFrozenStruct, frozen=True):
    """Configuration of the registered sink."""

    kinds: tuple[ErrorKind, ...] = ()


class Pager:
    """A registered sink."""

    sink_type: ClassVar[str] = "pager"
    config_type: ClassVar[type] = PagerConfig
    made: ClassVar[list[Kept]] = []

    @classmethod
    def build_binding(cls, cfg: PagerConfig, ctx: object) -> RuntimeSinkBinding:
        """Make a sink that keeps."""
        cls.made.append(Kept())
        return RuntimeSinkBinding("errors", cls.made[-1], cfg.kinds)


@pytest.fixture
def pager() -> Iterator[type[Pager]]:
    Pager.made.clear()
    yield Pager
    Pager.made.clear()


def failing(place: Place) -> None:
    """Ten items: each kind of failure twice, the rest fine."""
    source = place.topic("items")
    place.topic("out")
    place.topic("errors")
    kinds = ["task", "business", "fine", "fine", "fine"]
    place.topics.produce(source, items(10, kind=lambda index: kinds[index % 5]))
    place.topics.produce(source, [b"{not json", b"[]"])


def sinks_section(*kinds: str) -> dict[str, Any]:
    return {"sinks": {"phone": {"type": "pager", "kinds": list(kinds)}}}


def test_given_sinks_win_over_registered_ones_which_win_over_routes(
    embedded: Place, pager: type[Pager]
) -> None:
    failing(embedded)
    config = embedded.config()
    config["streaming"] |= sinks_section("task", "business")
    runner = StreamingRunner.from_dict(flow(Check), config)
    runner.register_sink(pager)
    runner.control.until_idle_ms = 100
    given = Kept()
    runner.run(error_sinks={ErrorKind.TASK: given})
    (registered,) = pager.made
    assert [e.kind for e in given.envelopes] == [ErrorKind.TASK] * 2
    assert [e.kind for e in registered.envelopes] == [ErrorKind.BUSINESS] * 2
    envelopes = [
        msgspec.json.decode(record.value or b"", type=ErrorEnvelope[Item])
        for record in embedded.read("errors")
    ]
    assert [e.kind for e in envelopes] == [ErrorKind.WIRE] * 2
    assert [len(sink.built) for sink in (given, registered)] == [1, 1]
    assert given.built[0][1:] == (0, 1)
    assert (given.closed, registered.closed) == (1, 1)
    report = runner.last_report()
    assert report is not None
    assert report.balanced
    assert report.total("errored") == 6
    assert report.total("envelopes_written") == 6
    assert embedded.committed() == {0: 12}


def test_a_sink_serves_a_kind_that_the_flow_does_not_route(embedded: Place) -> None:
    failing(embedded)
    given = Kept()
    run_to_end(
        flow(Check, errors=None), embedded.config(), error_sinks=dict.fromkeys(ErrorKind, given)
    )
    assert len(given.envelopes) == 6
    assert embedded.committed() == {0: 12}


def test_a_sink_that_raises_ends_the_run_uncommitted(embedded: Place) -> None:
    failing(embedded)
    with pytest.raises(DeliveryError, match="the pager is off") as raised:
        run_to_end(flow(Check), embedded.config(), error_sinks={ErrorKind.TASK: Kept(fails=True)})
    assert "Kept" in raised.value.where
    assert embedded.committed()[0] in {None, 0}
