"""What differs between the identity of a store and that of a plan, and what that means."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from loom_runtime.model import LoomFrozenStruct
from loom_runtime.recovery.errors import StoreMismatchError
from loom_runtime.recovery.identity import StatefulStepIdentity, StoreIdentity
from loom_runtime.recovery.state_schema import schema_changes


class StoreDifference(LoomFrozenStruct, frozen=True):
    """One difference.

    Attributes:
        what: What differs.
        what_next: What to do about it; empty when nothing needs doing.
        refused: Whether a run would lose or misread state.
    """

    what: str
    what_next: str = ""
    refused: bool = True


def difference(stored: StoreIdentity, current: StoreIdentity) -> list[StoreDifference]:
    """Return what differs between the identity in a store and that of the plan at hand."""
    return [
        *_flow_differences(stored, current),
        *_topic_differences(stored.topics, current.topics),
        *_step_differences(stored.steps, current.steps),
    ]


def refuse(where: str, differences: Iterable[StoreDifference]) -> None:
    """Raise when one of *differences* is refused.

    Raises:
        StoreMismatchError: It names every refused difference.
    """
    refused = [each for each in differences if each.refused]
    if refused:
        raise StoreMismatchError(
            "the recovery store does not fit this flow: "
            + "; ".join(each.what for each in refused),
            where=where,
            what_next="; ".join(dict.fromkeys(each.what_next for each in refused))
            + "; or name another db_dir: the flow then starts there without state, at the "
            "committed offsets. Nothing in this store was changed",
        )


def missing_step(step_id: str, renamed_to: str | None = None) -> StoreDifference:
    """Return the difference of a step whose state nobody would read."""
    return StoreDifference(
        f"state of step {step_id!r} is in the store and the flow has no such step"
        + (f" ({renamed_to!r} looks like it under a new name)" if renamed_to else ""),
        f"give the step its name {step_id!r} back",
    )


def missing_topic(topic: str) -> StoreDifference:
    """Return the difference of a topic whose positions nobody would read."""
    return StoreDifference(
        f"positions of topic {topic!r} are in the store and the flow does not read it",
        f"read topic {topic!r} again",
    )


def other_flow(stored: str, current: str) -> StoreDifference:
    """Return the difference of a store of another flow."""
    return StoreDifference(
        f"it belongs to the flow {stored!r}, not to {current!r}",
        f"give the flow its name {stored!r} back, or run the flow that it belongs to",
    )


def _flow_differences(stored: StoreIdentity, current: StoreIdentity) -> Iterator[StoreDifference]:
    if stored.flow != current.flow:
        yield other_flow(stored.flow, current.flow)


def _topic_differences(
    stored: tuple[str, ...], current: tuple[str, ...]
) -> Iterator[StoreDifference]:
    for topic in stored:
        if topic not in current:
            yield missing_topic(topic)
    for topic in current:
        if topic not in stored:
            yield StoreDifference(f"topic {topic!r} is new to the store", refused=False)


def _step_differences(
    stored: dict[str, StatefulStepIdentity], current: dict[str, StatefulStepIdentity]
) -> Iterator[StoreDifference]:
    gone = [each for each in stored if each not in current]
    new = [each for each in current if each not in stored]
    for step_id in gone:
        yield missing_step(
            step_id, _renamed(stored[step_id], [(each, current[each]) for each in new])
        )
    for step_id in new:
        yield StoreDifference(
            f"step {step_id!r} is new to the store and starts without state", refused=False
        )
    for step_id, step in current.items():
        if step_id in stored:
            yield from _changes(step_id, stored[step_id], step)


def _renamed(step: StatefulStepIdentity, new: list[tuple[str, StatefulStepIdentity]]) -> str | None:
    """Return the id of the one new step that keeps the same kind of state."""
    same_kind = [each for each in new if each[1].kind is step.kind]
    alike = [each for each in same_kind if each[1].schema == step.schema]
    for found in (alike, same_kind):
        if len(found) == 1:
            return found[0][0]
    return None


def _changes(
    step_id: str, stored: StatefulStepIdentity, current: StatefulStepIdentity
) -> Iterator[StoreDifference]:
    if stored.kind is not current.kind:
        yield StoreDifference(
            f"step {step_id!r} was a {stored.kind.value} and is a {current.kind.value}",
            f"give the {current.kind.value} another name",
        )
        return
    if stored.schema is None or current.schema is None:
        return
    for change in schema_changes(stored.schema, current.schema):
        yield StoreDifference(
            f"state of step {step_id!r}: {change.what}",
            "" if change.readable else _REMEDY,
            refused=not change.readable,
        )
    if stored.state_type != current.state_type:
        yield StoreDifference(
            f"state of step {step_id!r} was of type {stored.state_type} and is of type "
            f"{current.state_type}",
            refused=False,
        )


_REMEDY = (
    "go back to the state type that wrote it: give new fields a default, keep the stored name of a "
    "renamed field with msgspec.field(name=…), and list fields that may go in "
    "__loom_dropped_fields__"
)
