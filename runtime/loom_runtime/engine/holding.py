"""The keyed operators: state of a StatefulStep's key, records held by a CollectBatch."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from time import time
from typing import Any

from bytewax.operators import StatefulBatchLogic

from loom_runtime.engine.context import EngineContext
from loom_runtime.execution.holding import Holding
from loom_runtime.execution.keyed import Keyed, KeyedStep, KeyState
from loom_runtime.execution.layout import Exchange
from loom_runtime.execution.travel import Batch, Collected, Flush, Stepped


class KeyLogic(StatefulBatchLogic[Keyed, Stepped, bytes]):
    """One key of a StatefulStep."""

    __slots__ = ("_state",)

    def __init__(self, step: KeyedStep, resume_state: bytes | None) -> None:
        self._state = KeyState(step, resume_state)

    def on_batch(self, values: list[Keyed]) -> tuple[list[Stepped], bool]:
        """Run the step for each record, in order."""
        results = self._state.take_all(values)
        return results, self._state.discarded

    def on_eof(self) -> tuple[list[Stepped], bool]:
        """Keep the state: the end of reading is not the end of the key."""
        return [], False

    def snapshot(self) -> bytes:
        """Return the key's state."""
        return self._state.save()


class GivenKeyLogic(KeyLogic):
    """One key of a StatefulStep that may begin with a state that was given.

    Args:
        step: The step.
        given: States by key. Each is taken once: a key that is dropped begins anew.
    """

    __slots__ = ("_begun", "_given", "_step")

    def __init__(self, step: KeyedStep, given: dict[str, bytes]) -> None:
        super().__init__(step, None)
        self._step = step
        self._given = given
        self._begun = False

    def on_batch(self, values: list[Keyed]) -> tuple[list[Stepped], bool]:
        """Find the key's state before its first record; Bytewax does not tell the key."""
        if not self._begun:
            self._begun = True
            blob = self._given.pop(self._step.key(values[0][2]), None)
            self._state = KeyState(self._step, blob)
        return super().on_batch(values)


class CollectLogic(StatefulBatchLogic[Batch | Flush, Collected, "bytes | None"]):
    """What a CollectBatch holds for one source partition."""

    def __init__(self, holding: Holding, *, persistent: bool) -> None:
        self._holding = holding
        self._persistent = persistent

    def on_batch(self, values: list[Batch | Flush]) -> tuple[list[Collected], bool]:
        """Take records in, hand on what is complete, or everything when asked."""
        return [found for item in values for found in self._holding.take(item, _now_ms())], False

    def on_notify(self) -> tuple[list[Collected], bool]:
        """Hand on what the clock completed."""
        return self._holding.expire(_now_ms()), False

    def notify_at(self) -> datetime | None:
        """Return when the clock next completes something."""
        due_ms = self._holding.due_ms()
        return None if due_ms is None else datetime.fromtimestamp(due_ms / 1000, UTC)

    def on_eof(self) -> tuple[list[Collected], bool]:
        """Keep what is held: a drain is no reason to hand on an open window."""
        return [], False

    def snapshot(self) -> bytes | None:
        """Return what is held, for the recovery store."""
        return self._holding.save() if self._persistent else None


def key_logic(context: EngineContext, exchange: Exchange) -> Callable[[Any], KeyLogic]:
    """Return what makes the logic of one key of *exchange*'s step, on the calling worker."""

    given = context.given_states.get(exchange.step_id)

    def build(resume_state: bytes | None) -> KeyLogic:
        step = context.keyed_step(exchange)
        return KeyLogic(step, resume_state) if given is None else GivenKeyLogic(step, given)

    return build


def collect_logic(context: EngineContext, exchange: Exchange) -> Callable[[Any], CollectLogic]:
    """Return what makes the logic of one partition of *exchange*'s node."""

    def build(resume_state: bytes | None) -> CollectLogic:
        node = exchange.node
        statistics = context.worker().statistics_of(node.path)
        return CollectLogic(
            Holding(node.node, statistics, resume_state), persistent=context.persistent
        )

    return build


def _now_ms() -> int:
    return int(time() * 1000)
