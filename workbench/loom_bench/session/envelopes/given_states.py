"""The keyed state that a traced record found: what a test of the record has to begin with."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from loom_bench.session.envelopes.unfinished import UnfinishedTraceError
from loom_runtime.compiler.document_parts import PlanDocument
from loom_runtime.failures import RunError
from loom_runtime.tracing.trace import Trace
from loom_runtime.wire.state import read_state


class GivenState(NamedTuple):
    """The state of one key of one step.

    Attributes:
        step: The step's state id.
        key: The key.
        text: The state as JSON; ``None`` where JSON cannot say it.
        blob: The state as the recovery store has it.
    """

    step: str
    key: str
    text: str | None
    blob: bytes


def states_of(trace: Trace, plan: PlanDocument) -> tuple[GivenState, ...]:
    """Return the state of every key that a trace met and that had one.

    Raises:
        UnfinishedTraceError: When one of them was too large to be told.
    """
    told = {each.state_id for each in trace.states}
    state_ids = {node.id: node.state_id for node in plan.nodes}
    for stop in trace.stops:
        if stop.state_before is not None and state_ids.get(stop.node) not in told:
            raise UnfinishedTraceError(
                f"the state that {stop.name} keeps of its key is too large to stand in a test"
            )
    return tuple(_given(trace))


def _given(trace: Trace) -> Iterator[GivenState]:
    for each in trace.states:
        if each.before is not None:
            yield GivenState(each.state_id, each.key, _as_json(each.before), each.before)


def _as_json(blob: bytes) -> str | None:
    """Return the value in *blob* as JSON that reads back as the same; ``None`` without such."""
    try:
        value = read_state(blob)
        text = json.dumps(value)
        return text if msgspec.json.decode(text) == value else None
    except (RunError, TypeError, ValueError, RecursionError):
        return None
