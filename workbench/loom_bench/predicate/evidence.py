"""State and outputs as a predicate sees them: read from their files when they are asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

import msgspec

from loom_runtime.recovery.history.epochs import flow_id
from loom_runtime.recovery.history.files import OpenStore, looking
from loom_runtime.recovery.history.state import read_all, stateful_steps
from loom_runtime.recovery.history.values import show_value
from loom_runtime.recovery.identity import SINK_STEP, SOURCE_STEP
from loom_runtime.replay.capture import Captured, read_captured


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be judged.

    Attributes:
        store: Folder of the store.
        epoch: Epoch whose state is meant.
        captured: File of captured outputs; empty for none.
        upto: Source offsets up to which outputs count, by partition; all when empty.
        expression: The expression; empty when a pytest judges.
        records: Records of the stretch.
    """

    store: str
    epoch: int
    captured: str = ""
    upto: dict[str, int] = {}
    expression: str = ""
    records: int = 0


class StepState(Mapping[str, Any]):
    """The keys of one step with their values as plain data."""

    def __init__(self, store: OpenStore, step_id: str, epoch: int) -> None:
        self._store, self._step_id, self._epoch = store, step_id, epoch

    def __getitem__(self, key: str) -> Any:
        found = [
            row
            for file in self._store.files
            for row in file.query(
                "SELECT snap_epoch, ser_change FROM snaps WHERE step_id = ? AND state_key = ? "
                "AND snap_epoch <= ? ORDER BY snap_epoch DESC LIMIT 1",
                (self._step_id, key, self._epoch),
            )
        ]
        blob = max(found, default=(0, None))[1]
        if blob is None:
            raise KeyError(key)
        return show_value(blob).data

    def __iter__(self) -> Iterator[str]:
        for key, _ in read_all(self._store, self._step_id, self._epoch):
            yield key

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def items(self) -> Any:
        """Return keys and values, read in one pass."""
        return [
            (key, show_value(blob).data)
            for key, blob in read_all(self._store, self._step_id, self._epoch)
        ]

    def values(self) -> Any:
        """Return the values, read in one pass."""
        return [value for _, value in self.items()]


class Evidence:
    """State and outputs of a case; open until the context is left.

    Attributes:
        state: Step id to key to value.
        outputs: Dictionaries with ``sink``, ``key``, ``value``, ``partition`` and ``offset``.
        records: Records of the stretch.
    """

    def __init__(self, case: Case) -> None:
        self._case = case
        self._stack = ExitStack()
        self.records = case.records
        self.state: dict[str, StepState] = {}
        self.outputs: list[dict[str, Any]] = []

    def __enter__(self) -> Self:
        case = self._case
        store = self._stack.enter_context(looking(Path(case.store)))
        flow = flow_id(store)
        for full_id in stateful_steps(store):
            step = full_id if flow is None else full_id.removeprefix(f"{flow}.")
            if step not in (SOURCE_STEP, SINK_STEP):
                self.state[step] = StepState(store, full_id, case.epoch)
        if store.identity is not None:
            for step in store.identity.identity.steps:
                self.state.setdefault(step, StepState(store, f"{flow}.{step}", case.epoch))
        if case.captured:
            self.outputs = [
                _output(each)
                for each in read_captured(Path(case.captured))
                if each.kind == "record" and _counts(each, case.upto)
            ]
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()


def _counts(captured: Captured, upto: Mapping[str, int]) -> bool:
    return not upto or captured.offset < upto.get(captured.partition, 0)


def _output(captured: Captured) -> dict[str, Any]:
    value: Any = captured.value
    decode = msgspec.json.decode if captured.format == "json" else msgspec.msgpack.decode
    try:
        value = None if captured.value is None else decode(captured.value)
    except (msgspec.MsgspecError, ValueError):
        value = captured.value
    return {
        "sink": captured.sink,
        "key": None if captured.key is None else captured.key.decode("utf-8", "backslashreplace"),
        "value": value,
        "partition": captured.partition,
        "offset": captured.offset,
    }
