"""What the compiler demands of a step's class: execute, dependencies, state."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from typing import Any, Generic, TypeVar

import pytest

from loom_runtime import (
    CompilationIssue,
    ExpandStep,
    IssueCode,
    LoomFrozenStruct,
    LoomStruct,
    Message,
    Process,
    ProcessNode,
    RecordStep,
    StatefulStep,
    Step,
    With,
    WithAsync,
)
from tests.compiler.samples import flow_of, issues_of, plan_of, refused
from tests.compiler.typed_flow import Priced, Rates, RunningTotal, Taxed, TaxedRemotely, Totals

Result = tuple[Any, Iterable[Priced]]


def only_issue(node: ProcessNode) -> CompilationIssue:
    (issue,) = issues_of(flow_of(node))
    assert issue.file == __file__
    assert issue.line is not None
    return issue


class Idle(RecordStep[Priced, Priced]):
    pass


def test_a_step_without_execute_is_refused() -> None:
    issue = only_issue(Idle)
    assert issue.code is IssueCode.STEP_WITHOUT_EXECUTE
    assert issue.hint == "define execute(self, message, **deps)"


class IdleState(StatefulStep[Priced, Priced, Totals]):
    def key(self, message: Message[Priced]) -> str:
        return "all"

    def initial(self) -> Totals:
        return Totals()


def test_a_stateful_step_without_execute_is_told_its_own_signature() -> None:
    assert only_issue(IdleState).hint == "define execute(self, state, message, **deps)"


class Shapeless(Step[Priced, Priced]):
    def execute(self, message: Message[Priced]) -> Priced:
        return message.payload


def test_step_itself_is_no_base_for_a_node() -> None:
    assert only_issue(Shapeless).code is IssueCode.NOT_A_NODE


class NoMessage(RecordStep[Priced, Priced]):
    def execute(self) -> None: ...


class NoState(RunningTotal):
    def execute(self, message: Message[Priced]) -> Result:  # type: ignore[override]
        return None, []


class Positional(RecordStep[Priced, Priced]):
    def execute(self, message: Message[Priced], rates: Rates, /) -> None: ...


@pytest.mark.parametrize(
    ("step", "text"),
    [
        (NoMessage, "too few arguments: it is called as execute(message, **deps)"),
        (NoState, "too few arguments: it is called as execute(state, message, **deps)"),
        (Positional, "these take no name: rates"),
    ],
)
def test_an_execute_that_cannot_be_called_is_refused(step: type[Step[Any, Any]], text: str) -> None:
    issue = only_issue(step)
    assert issue.code is IssueCode.STEP_SIGNATURE
    assert text in issue.message


class Static(RecordStep[Priced, Priced]):
    @staticmethod
    def execute(message: Message[Priced]) -> Priced:
        return message.payload


class Open(RecordStep[Priced, Priced]):
    def execute(self, *args: Any, **deps: Any) -> Any:
        return args[0].payload


@pytest.mark.parametrize("step", [Static, Open])
def test_other_ways_to_take_a_message_are_fine(step: type[Step[Any, Any]]) -> None:
    assert refused(step) == []


def test_a_coroutine_outside_with_async_is_refused() -> None:
    codes = refused(With(process=Process(TaxedRemotely), rates=Rates()))
    assert codes == [IssueCode.COROUTINE_OUTSIDE_WITH_ASYNC]


class Streamed(ExpandStep[Priced, Priced]):
    async def execute(self, message: Message[Priced]) -> AsyncIterator[Priced]:
        yield message.payload


class StreamedRecord(RecordStep[Priced, Priced]):
    async def execute(self, message: Message[Priced]) -> AsyncIterator[Priced]:
        yield message.payload


def test_an_expand_step_inside_with_async_may_be_an_async_generator() -> None:
    assert refused(WithAsync(process=Process(Streamed))) == []
    assert refused(Streamed) == [IssueCode.COROUTINE_OUTSIDE_WITH_ASYNC]


def test_a_record_step_is_no_async_generator() -> None:
    assert refused(WithAsync(process=Process(StreamedRecord))) == [IssueCode.STEP_SIGNATURE]


def test_missing_dependencies_are_named() -> None:
    issue = only_issue_about(Taxed)
    assert issue.code is IssueCode.MISSING_DEPENDENCY
    assert issue.message.startswith("execute needs rates,")
    assert issue.hint == "wrap it: With(process=Process(…), rates=…)"


def only_issue_about(node: ProcessNode) -> CompilationIssue:
    (issue,) = issues_of(flow_of(node))
    return issue


class Optional(RecordStep[Priced, Priced]):
    def execute(self, message: Message[Priced], rates: Rates | None = None, *, tag: str) -> Priced:
        return message.payload


def test_dependencies_come_from_every_scope_around_the_step() -> None:
    inner: With[Any, Any] = With(process=Process(Optional), tag="x", unused=1)
    plan = plan_of(With(process=Process(inner), rates=Rates()))
    assert plan.nodes[2].dependencies == ("rates", "tag")
    assert refused(With(process=Process(Optional), tag="x")) == []
    assert refused(With(process=Process(Optional), rates=Rates())) == [IssueCode.MISSING_DEPENDENCY]


def test_a_step_that_takes_any_keyword_gets_every_dependency() -> None:
    plan = plan_of(With(process=Process(Open), a=1, b=2))
    assert plan.nodes[1].dependencies == ("a", "b")


StateT = TypeVar("StateT", bound=LoomStruct | LoomFrozenStruct)
InT = TypeVar("InT", bound=LoomStruct | LoomFrozenStruct)


class Keyed(StatefulStep[InT, InT, StateT], Generic[StateT, InT]):
    def key(self, message: Message[InT]) -> str:
        return "all"

    def initial(self) -> StateT:
        raise NotImplementedError

    def execute(self, state: StateT, message: Message[InT]) -> tuple[StateT, Iterable[InT]]:
        return state, []


class Direct(Keyed[Totals, Priced]):
    pass


class Inherited(Direct):
    pass


class Quoted(Keyed["Totals", "Priced"]):
    pass


class Named(Keyed[Any, Priced]):
    state_type = Totals


@pytest.mark.parametrize("step", [RunningTotal, Direct, Inherited, Quoted, Named])
def test_the_state_type_is_found_through_every_base(step: type[Step[Any, Any]]) -> None:
    node = plan_of(step).process[0]
    assert node.state_type is Totals
    assert node.state_id == step.__name__


class Unknown(Keyed[StateT, Priced]):
    pass


class Bare(Keyed):  # type: ignore[type-arg]
    pass


@pytest.mark.parametrize("step", [Unknown, Bare])
def test_a_state_type_that_cannot_be_found_is_refused(step: type[Step[Any, Any]]) -> None:
    assert only_issue(step).code is IssueCode.STATE_TYPE_UNKNOWN


class Wrong(Keyed[dict, Priced]):  # type: ignore[type-var, type-arg]
    pass


def test_a_state_that_is_no_struct_is_refused() -> None:
    assert only_issue(Wrong).code is IssueCode.STATE_TYPE_NOT_A_STRUCT


class Keyless(StatefulStep[Priced, Priced, Totals]):
    def execute(self, state: Totals, message: Message[Priced]) -> Result:
        return state, []


def test_a_stateful_step_without_key_is_told_what_to_define() -> None:
    issue = only_issue(Keyless)
    assert issue.code is IssueCode.STEP_CANNOT_BE_BUILT
    assert issue.hint == "define initial, key"
