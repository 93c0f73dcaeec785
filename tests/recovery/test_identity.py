"""Whose a store is: what a plan demands, what differs, what is refused."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from loom_runtime import (
    CollectBatch,
    CompiledPlan,
    ForEach,
    LoomFrozenStruct,
    Message,
    StatefulStep,
)
from loom_runtime.compiler.plan import NodeKind
from loom_runtime.recovery.difference import StoreDifference, difference
from loom_runtime.recovery.errors import StoreDamagedError
from loom_runtime.recovery.identity import (
    IDENTITY_FILE,
    IdentityFile,
    StoreIdentity,
    StoreStage,
    identity_of,
    load_identity,
    save_identity,
)
from tests.compiler.samples import plan_of
from tests.compiler.typed_flow import Priced


class Total(LoomFrozenStruct, frozen=True):
    count: int = 0


class LongerTotal(LoomFrozenStruct, frozen=True):
    count: int = 0
    cents: int = 0


class OtherTotal(LoomFrozenStruct, frozen=True):
    cents: int = 0


class Totals(StatefulStep[Priced, Priced, Total]):
    def key(self, message: Message[Priced]) -> str:
        return "all"

    def initial(self) -> Total:
        return Total()

    def execute(self, state: Total, message: Message[Priced]) -> tuple[Total, list[Priced]]:
        return Total(state.count + 1), [message.payload]


def plan() -> CompiledPlan:
    return plan_of(Totals, CollectBatch(max_records=3, timeout_ms=50), ForEach())


def with_state(identity: StoreIdentity, state_type: type) -> StoreIdentity:
    """Return *identity* with another state type of ``Totals``."""

    class Other(Totals):
        name = "Totals"

    Other.state_type = state_type
    steps = {**identity.steps, "Totals": identity_of(plan_of(Other)).steps["Totals"]}
    return msgspec.structs.replace(identity, steps=steps)


def only(found: list[StoreDifference]) -> StoreDifference:
    (one,) = found
    return one


def test_a_plan_demands_its_flow_topics_and_state() -> None:
    identity = identity_of(plan())
    assert (identity.flow, identity.topics) == ("sample", ("in",))
    assert {step: each.kind for step, each in identity.steps.items()} == {
        "Totals": NodeKind.STATEFUL_STEP,
        "collect_batch": NodeKind.COLLECT_BATCH,
    }
    assert identity.steps["Totals"].state_type.endswith("Total")
    assert difference(identity, identity_of(plan())) == []


def test_another_flow_is_refused() -> None:
    stored = identity_of(plan())
    found = only(difference(stored, msgspec.structs.replace(stored, flow="other")))
    assert found.refused
    assert found.what == "it belongs to the flow 'sample', not to 'other'"


def test_a_topic_may_be_added_and_not_dropped() -> None:
    stored = identity_of(plan())
    more = msgspec.structs.replace(stored, topics=("in", "more"))
    assert only(difference(stored, more)) == StoreDifference(
        "topic 'more' is new to the store", refused=False
    )
    dropped = only(difference(more, stored))
    assert dropped.refused
    assert "'more'" in dropped.what
    assert dropped.what_next == "read topic 'more' again"


def test_a_new_step_starts_without_state() -> None:
    stored = msgspec.structs.replace(identity_of(plan()), steps={})
    found = difference(stored, identity_of(plan()))
    assert [each.refused for each in found] == [False, False]
    assert found[0].what == "step 'Totals' is new to the store and starts without state"


def test_a_step_that_is_gone_is_refused() -> None:
    stored = identity_of(plan())
    found = only(difference(stored, identity_of(plan_of(Totals))))
    assert found.refused
    assert "'collect_batch'" in found.what


def test_a_renamed_step_is_recognised() -> None:
    class Renamed(Totals):
        name = "sums"

    gone, new = difference(identity_of(plan_of(Totals)), identity_of(plan_of(Renamed)))
    assert gone.refused
    assert gone.what.endswith("('sums' looks like it under a new name)")
    assert gone.what_next == "give the step its name 'Totals' back"
    assert not new.refused


def test_another_kind_of_state_is_refused() -> None:
    stored = identity_of(plan())
    steps = {**stored.steps, "Totals": stored.steps["collect_batch"]}
    found = only(difference(stored, msgspec.structs.replace(stored, steps=steps)))
    assert found.refused
    assert found.what == "step 'Totals' was a stateful_step and is a collect_batch"


def test_a_state_type_may_grow() -> None:
    stored = identity_of(plan())
    found = difference(stored, with_state(stored, LongerTotal))
    assert not any(each.refused for each in found)
    assert any("new field cents, which begins at its default" in each.what for each in found)


def test_a_state_type_that_loses_a_field_is_refused() -> None:
    stored = identity_of(plan())
    found = [each for each in difference(stored, with_state(stored, OtherTotal)) if each.refused]
    assert "lacks the field count" in only(found).what
    assert "__loom_dropped_fields__" in only(found).what_next


def test_the_file_keeps_it_privately(tmp_path: Path) -> None:
    assert load_identity(tmp_path) is None
    content = IdentityFile(stage=StoreStage.READY, partitions=8, identity=identity_of(plan()))
    save_identity(tmp_path, content)
    save_identity(tmp_path, content)
    assert load_identity(tmp_path) == content
    assert [path.name for path in tmp_path.iterdir()] == [IDENTITY_FILE]
    assert (tmp_path / IDENTITY_FILE).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b"\xff", b'{"identity": {}}', b'{"a": 1}'])
def test_a_file_that_makes_no_sense_is_told(tmp_path: Path, text: bytes) -> None:
    (tmp_path / IDENTITY_FILE).write_bytes(text)
    with pytest.raises(StoreDamagedError, match="delete that one file"):
        load_identity(tmp_path)


def test_a_file_of_a_later_runtime_is_told(tmp_path: Path) -> None:
    (tmp_path / IDENTITY_FILE).write_text('{"identity": {"format": 2}}')
    with pytest.raises(StoreDamagedError, match="has format 2; this runtime reads 1"):
        load_identity(tmp_path)
