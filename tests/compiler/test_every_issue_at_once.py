"""However many things are wrong with a flow, one pass reports each of them."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from loom_runtime import (
    CollectBatch,
    ContextFactory,
    Drain,
    ErrorEnvelope,
    ErrorKind,
    Explode,
    ForEach,
    FromTopic,
    IntoTopic,
    IssueCode,
    Message,
    Process,
    RecordStep,
    ResourceScope,
    Router,
    StreamFlow,
    With,
    WithAsync,
    payload,
)
from tests.compiler.samples import KAFKA, config_of, issues_of
from tests.compiler.typed_flow import (
    Lines,
    Priced,
    RunningTotal,
    Saved,
    Taxed,
    TaxedRemotely,
    Valid,
    async_rates,
    rates,
)


class Idle(RecordStep[Priced, Priced]):
    pass


class Scaled(RecordStep[Priced, Priced]):
    def __init__(self, factor: float) -> None:
        self.factor = factor

    def execute(self, message: Message[Priced]) -> Priced:
        return message.payload


@dataclass
class Draft:
    """A flow that is being spoiled."""

    nodes: list[Any] = field(default_factory=list)
    source: Any = Priced
    errors: dict[ErrorKind, IntoTopic[Any]] = field(default_factory=dict)
    config: dict[str, Any] = field(default_factory=lambda: copy.deepcopy(config_of(KAFKA)))

    def issues(self) -> Counter[IssueCode]:
        """Return how often each code is reported."""
        flow: StreamFlow[Any, Any] = StreamFlow(
            "sample",
            FromTopic("in", payload=self.source),
            Process(*self.nodes),
            IntoTopic("out"),
            self.errors,
        )
        return Counter(issue.code for issue in issues_of(flow, self.config))


def with_nodes(*nodes: Any) -> Callable[[Draft], None]:
    """Return a fault of these nodes, which take records and give records."""
    return lambda draft: draft.nodes.extend(nodes)


def with_error_route(kind: ErrorKind, sink: IntoTopic[Any]) -> Callable[[Draft], None]:
    """Return a fault of this error route."""
    return lambda draft: draft.errors.__setitem__(kind, sink)


def with_setting(section: str, key: str, value: Any) -> Callable[[Draft], None]:
    """Return a fault of this Kafka setting."""
    return lambda draft: draft.config["kafka"][section].__setitem__(key, value)


def in_router(*nodes: Any) -> Router[Any, Any]:
    """Return a Router with one branch."""
    return Router.by(payload.id, {"a": Process(*nodes)})


def with_int_source(draft: Draft) -> None:
    """Read integers."""
    draft.source = int


FAULTS: dict[str, tuple[Callable[[Draft], None], dict[IssueCode, int]]] = {
    "batch step on records": (with_nodes(Saved, ForEach()), {IssueCode.SHAPE_MISMATCH: 1}),
    "batches into a record step": (
        with_nodes(CollectBatch(2, 10), Valid),
        {IssueCode.SHAPE_MISMATCH: 1},
    ),
    "node after a terminal": (
        with_nodes(Drain(), Valid),
        {IssueCode.NODE_AFTER_TERMINAL: 1},
    ),
    "no execute": (with_nodes(Idle), {IssueCode.STEP_WITHOUT_EXECUTE: 1}),
    "no arguments": (with_nodes(Scaled), {IssueCode.STEP_CANNOT_BE_BUILT: 1}),
    "no section": (
        with_nodes(Scaled.from_config("nowhere")),
        {IssueCode.STEP_CANNOT_BE_BUILT: 1},
    ),
    "no dependency": (with_nodes(Taxed), {IssueCode.MISSING_DEPENDENCY: 1}),
    "no await": (
        with_nodes(With(process=Process(TaxedRemotely), rates=1)),
        {IssueCode.COROUTINE_OUTSIDE_WITH_ASYNC: 1},
    ),
    "state in a branch": (with_nodes(in_router(RunningTotal)), {IssueCode.UNSAFE_IN_ROUTER: 1}),
    "batch in a branch": (
        with_nodes(in_router(CollectBatch(2, 10), ForEach())),
        {IssueCode.UNSAFE_IN_ROUTER: 2},
    ),
    "state in a scope": (
        with_nodes(With(process=Process(RunningTotal))),
        {IssueCode.UNSAFE_IN_SCOPE: 1},
    ),
    "instance per batch": (
        with_nodes(With(process=Process(Taxed), scope=ResourceScope.BATCH, rates=rates())),
        {IssueCode.BATCH_SCOPE_NEEDS_FACTORY: 1},
    ),
    "async instance per batch": (
        with_nodes(
            WithAsync(
                process=Process(TaxedRemotely),
                scope=ResourceScope.BATCH,
                rates=async_rates(),
                other=ContextFactory(async_rates),
            )
        ),
        {IssueCode.BATCH_SCOPE_NEEDS_FACTORY: 1},
    ),
    "no router": (with_nodes(Explode(Lines), Valid), {IssueCode.EXPLODE_WITHOUT_ROUTER: 1}),
    "no node": (with_nodes(ForEach, 7), {IssueCode.NOT_A_NODE: 2}),
    "bare envelope": (
        with_error_route(ErrorKind.TASK, IntoTopic("failed", payload=ErrorEnvelope)),
        {IssueCode.ENVELOPE_NOT_PARAMETERISED: 1},
    ),
    "loop": (with_error_route(ErrorKind.WIRE, IntoTopic("in")), {IssueCode.TOPIC_LOOP: 1}),
    "own dead letters": (
        with_error_route(ErrorKind.ROUTING, IntoTopic("lost", dlq="lost")),
        {IssueCode.KAFKA_CONFIG_CONTRADICTORY: 1},
    ),
    "no struct": (with_int_source, {IssueCode.PAYLOAD_NOT_A_STRUCT: 1}),
    "shadowed setting": (
        with_setting("consumer", "extra", {"group.id": "x"}),
        {IssueCode.KAFKA_CONFIG_CONTRADICTORY: 1},
    ),
    "blank group": (
        with_setting("consumer", "group_id", " "),
        {IssueCode.KAFKA_CONFIG_INVALID: 1},
    ),
    "shadowed broker": (
        with_setting("producer", "extra", {"client.id": "x", "bootstrap.servers": "y"}),
        {IssueCode.KAFKA_CONFIG_CONTRADICTORY: 1},
    ),
}


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from(sorted(FAULTS)), unique=True))
def test_every_fault_is_reported_whatever_else_is_wrong(names: list[str]) -> None:
    draft, expected = Draft(), Counter[IssueCode]()
    for name in names:
        spoil, codes = FAULTS[name]
        spoil(draft)
        expected.update(codes)
    draft.nodes.append(Valid)
    assert draft.issues() == expected


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(sorted(FAULTS)), st.sampled_from(sorted(FAULTS)))
def test_two_faults_are_the_sum_of_each(one: str, other: str) -> None:
    if one == other:
        return
    single = Counter[IssueCode]()
    both = Draft()
    for name in (one, other):
        alone = Draft()
        FAULTS[name][0](alone)
        FAULTS[name][0](both)
        alone.nodes.append(Valid)
        single += alone.issues()
    both.nodes.append(Valid)
    assert both.issues() == single
