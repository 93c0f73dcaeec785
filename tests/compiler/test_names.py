"""Names, state ids and paths: unique in a plan, stable while the flow stays as it is."""

from __future__ import annotations

import re

from loom_runtime import (
    CollectBatch,
    Drain,
    ForEach,
    Fork,
    IntoTopic,
    Message,
    Process,
    RecordStep,
    Router,
    payload,
)
from tests.compiler.samples import plan_of
from tests.compiler.typed_flow import Priced, RunningTotal, Valid

COLLECT = CollectBatch(max_records=2, timeout_ms=10)


class Renamed(RecordStep[Priced, Priced]):
    name = "add.tax to [order]"

    def execute(self, message: Message[Priced]) -> Priced:
        return message.payload


class DottedTotal(RunningTotal):
    name = "total.per region"


class OtherTotal(RunningTotal):
    name = "total_per_region"


def test_a_name_that_is_used_again_is_numbered_in_the_order_of_paths() -> None:
    router: Router[Priced, Priced] = Router.by(
        payload.id, {"a": Process(Valid)}, default=Process(Valid)
    )
    plan = plan_of(Valid, router, Valid, router)
    assert [node.name for node in plan.nodes] == [
        "Valid",
        "Router",
        "Valid#2",
        "Valid#3",
        "Valid#4",
        "Router#2",
        "Valid#5",
        "Valid#6",
    ]


def test_names_are_those_that_authors_gave() -> None:
    plan = plan_of(Renamed, IntoTopic("orders.out", payload=Priced), output=None)
    assert [node.name for node in plan.nodes] == ["add.tax to [order]", "IntoTopic(orders.out)"]


def test_state_ids_are_safe_for_bytewax_and_unique() -> None:
    plan = plan_of(DottedTotal, OtherTotal, DottedTotal)
    ids = [node.state_id for node in plan.nodes]
    assert ids == ["total_per_region", "total_per_region_2", "total_per_region#2"]
    assert not any(re.search(r"\.", str(each)) for each in ids)


def test_batches_have_state_ids_in_the_order_of_paths() -> None:
    branch: Process[Priced, Priced] = Process(COLLECT, ForEach(), Drain())
    fork: Fork[Priced] = Fork.by(payload.id, {"a": branch}, default=branch)
    plan = plan_of(COLLECT, ForEach(), Valid, fork, output=None)
    assert [(node.path, node.state_id) for node in plan.nodes if node.state_id] == [
        ((0,), "collect_batch"),
        ((3, 0, 0), "collect_batch_2"),
        ((3, 1, 0), "collect_batch_3"),
    ]


def test_state_ids_don_t_depend_on_stateless_nodes() -> None:
    before = plan_of(RunningTotal, Valid)
    after = plan_of(Valid, Renamed, RunningTotal, Valid)
    ids = [{node.state_id for node in plan.nodes} - {None} for plan in (before, after)]
    assert ids == [{"RunningTotal"}, {"RunningTotal"}]


def test_a_path_is_position_then_branch_and_position_for_each_level() -> None:
    inner: Router[Priced, Priced] = Router.by(payload.id, {"x": Process(Valid)})
    outer: Router[Priced, Priced] = Router.by(
        payload.id, {"a": Process(Valid), "b": Process(Valid, inner)}
    )
    assert [node.path for node in plan_of(Valid, outer).nodes] == [
        (0,),
        (1,),
        (1, 0, 0),
        (1, 1, 0),
        (1, 1, 1),
        (1, 1, 1, 0, 0),
    ]
