"""Explode and ExpandRoutes: every row type has its way."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest

from loom_runtime import (
    Drain,
    ExpandRoutes,
    Explode,
    IntoTopic,
    IssueCode,
    LoomFrozenStruct,
    Process,
    Route,
    Router,
    msg,
    payload,
)
from tests.compiler.samples import flow_of, issues_of, plan_of, refused
from tests.compiler.typed_flow import KeepLine, Line, Lines, Priced, RowType, Tax, Valid

LINES = Line.loom_message_type()
TAXES = Tax.loom_message_type()
DROP: Process[Any, Any] = Process(Drain())
KEEP: Process[Any, Any] = Process(KeepLine)


def routed(selector: Any, routes: dict[object, Process[Any, Any]], **more: Any) -> list[IssueCode]:
    return refused(Explode(Lines), Router.by(selector, routes, **more))


def test_an_explode_without_a_router_after_it_is_refused() -> None:
    assert refused(Explode(Lines)) == [IssueCode.EXPLODE_WITHOUT_ROUTER]
    assert refused(Explode(Lines), Valid) == [IssueCode.EXPLODE_WITHOUT_ROUTER]


def test_a_row_type_without_a_route_is_refused() -> None:
    assert routed(RowType(), {Line: KEEP}) == [IssueCode.ROW_TYPE_WITHOUT_ROUTE]
    assert routed(msg.meta.message_type, {LINES: KEEP}) == [IssueCode.ROW_TYPE_WITHOUT_ROUTE]


def test_every_row_type_with_a_route_or_a_default_is_fine() -> None:
    assert routed(RowType(), {Line: KEEP, Tax: DROP}) == []
    assert routed(msg.meta.message_type, {LINES: KEEP, TAXES: DROP}) == []
    assert routed(RowType(), {Line: KEEP}, default=DROP) == []


def test_routes_by_anything_else_cannot_be_checked_and_are_left_alone() -> None:
    assert routed(payload.kind, {"a": KEEP}) == []
    assert refused(Explode(Lines), Router.when([Route(payload.id == "a", KEEP)])) == []


def test_expand_routes_needs_a_route_for_every_row_type() -> None:
    sink: IntoTopic[Line] = IntoTopic("lines", payload=Line)
    node = ExpandRoutes(expander=Lines, routes={Line: Process(sink)})
    (issue,) = issues_of(flow_of(node, output=None))
    assert issue.code is IssueCode.ROW_TYPE_WITHOUT_ROUTE
    assert issue.message == "rows of type Tax have no route"
    assert issue.file == __file__


def test_expand_routes_branches_must_end() -> None:
    node = ExpandRoutes(expander=Lines, routes={Line: KEEP}, default=DROP)
    assert refused(node, output=None) == [IssueCode.BRANCH_WITHOUT_TERMINAL]


def test_expand_routes_is_terminal() -> None:
    node = ExpandRoutes(expander=Lines, routes={Line: DROP}, default=DROP)
    plan = plan_of(node, output=None)
    assert [branch.key for branch in plan.process[0].branches] == [Line, None]
    assert refused(node) == [IssueCode.OUTPUT_BESIDE_TERMINAL]
    assert refused(node, Valid) == [IssueCode.NODE_AFTER_TERMINAL]


class NoOutputs:
    @classmethod
    def expand(cls, event: Priced) -> dict[type, list[Any]]:
        return {}


class NoExpand:
    outputs: ClassVar[tuple[type, ...]] = (Line,)


@pytest.mark.parametrize(
    ("expander", "lacks"), [(NoOutputs, "outputs"), (NoExpand, "expand"), (dict, "outputs")]
)
def test_an_incomplete_expander_is_refused(expander: Any, lacks: str) -> None:
    node = ExpandRoutes(expander=expander, routes={Line: DROP}, default=DROP)
    (issue,) = issues_of(flow_of(node, output=None))
    assert issue.code is IssueCode.EXPANDER_INCOMPLETE
    assert lacks in issue.message


class Row(LoomFrozenStruct, frozen=True, tag="row"):
    __loom_message_type__: ClassVar[str] = "row.v1"


def test_a_declared_message_type_is_the_route_key() -> None:
    class Rows:
        outputs: ClassVar[tuple[type, ...]] = (Row,)

        @classmethod
        def expand(cls, event: Priced) -> dict[type, list[Any]]:
            return {Row: [Row()]}

    by_type: Router[Any, Any] = Router.by(msg.meta.message_type, {"row.v1": KEEP})
    assert refused(Explode(Rows), by_type) == []
