"""A fake of what a session does with recovery stores: it writes down what it is asked for."""

from __future__ import annotations

from typing import Any

from loom_bench.session.snapshots.bisection_value import BisectRequest
from loom_bench.session.snapshots.comparison_value import CompareRequest
from loom_bench.session.snapshots.replay_value import CURRENT, ReplayRequest, StepUnit
from loom_bench.session.snapshots.value import StateQuery


class ScriptedSnapshots:
    """Fakes the commands about stores; each is written to *calls* as ``snapshots.NAME``."""

    def __init__(self, calls: list[tuple[Any, ...]]) -> None:
        self._calls = calls

    def _note(self, name: str, *arguments: Any) -> None:
        self._calls.append((f"snapshots.{name}", *arguments))

    def open(self, store: str | None = None) -> None:
        self._note("open", store)

    def close_store(self) -> None:
        self._note("close_store")

    def refresh(self) -> None:
        self._note("refresh")

    def show_state(self, query: StateQuery) -> None:
        self._note("show_state", query)

    def show_key(self, step_id: str, key: str) -> None:
        self._note("show_key", step_id, key)

    def decode_key(self, step_id: str, key: str) -> None:
        self._note("decode_key", step_id, key)

    def explain(self, step_id: str, key: str, from_epoch: int, to_epoch: int) -> None:
        self._note("explain", step_id, key, from_epoch, to_epoch)

    def fork(self, epoch: int, *, parent: str = "", name: str = "", note: str = "") -> None:
        self._note("fork", epoch, parent, name, note)

    def remove_fork(self, name: str) -> None:
        self._note("remove_fork", name)

    def check(self, fork: str, revision: str = CURRENT) -> None:
        self._note("check", fork, revision)

    def remap(
        self, fork: str, mapping: dict[str, str], empty: tuple[str, ...], revision: str = CURRENT
    ) -> None:
        self._note("remap", fork, mapping, empty, revision)

    def replay(self, request: ReplayRequest) -> None:
        self._note("replay", request)

    def pause_replay(self) -> None:
        self._note("pause_replay")

    def resume_replay(self) -> None:
        self._note("resume_replay")

    def set_replay_pace(self, pace: float) -> None:
        self._note("set_replay_pace", pace)

    def step_replay(self, unit: StepUnit) -> None:
        self._note("step_replay", unit)

    def step_back(self) -> None:
        self._note("step_back")

    def stop_replay(self) -> None:
        self._note("stop_replay")

    def compare(self, request: CompareRequest) -> None:
        self._note("compare", request)

    def bisect(self, request: BisectRequest) -> None:
        self._note("bisect", request)

    def cancel(self) -> None:
        self._note("cancel")
