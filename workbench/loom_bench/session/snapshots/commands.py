"""What can be asked about a recovery store, by a screen or by a script."""

from __future__ import annotations

from typing import Protocol

from loom_bench.session.snapshots.bisection_value import BisectRequest
from loom_bench.session.snapshots.comparison_value import CompareRequest
from loom_bench.session.snapshots.replay_value import CURRENT, ReplayRequest, StepUnit
from loom_bench.session.snapshots.value import StateQuery


class SnapshotCommands(Protocol):
    """A store as a history. Every method returns at once and may be called from any thread; what
    comes of it shows in the session's next values, under ``snapshots``. One thing is done at a
    time; what is asked for meanwhile waits, reading apart, which goes on beside a replay."""

    def open(self, store: str | None = None) -> None:
        """Open the folder of a recovery store; ``None`` for the one that the flow runs on."""
        ...

    def close_store(self) -> None:
        """Show no store."""
        ...

    def refresh(self) -> None:
        """Look again: epochs have been added, counted, or thinned."""
        ...

    def show_state(self, query: StateQuery) -> None:
        """Show a page of the state at an epoch."""
        ...

    def show_key(self, step_id: str, key: str) -> None:
        """Show a key's whole history."""
        ...

    def decode_key(self, step_id: str, key: str) -> None:
        """Show a key's whole history, another program's pickles decoded in a host: that runs the
        program's code."""
        ...

    def explain(self, step_id: str, key: str, from_epoch: int, to_epoch: int) -> None:
        """Find the source records that touched a key between two epochs; takes a replay."""
        ...

    def fork(self, epoch: int, *, parent: str = "", name: str = "", note: str = "") -> None:
        """Fork the store, or the fork *parent*, at an epoch; without a name one is made."""
        ...

    def remove_fork(self, name: str) -> None:
        """Delete a fork; forks of it stay."""
        ...

    def check(self, fork: str, revision: str = CURRENT) -> None:
        """Check whether a fork can be replayed with a revision."""
        ...

    def remap(
        self, fork: str, mapping: dict[str, str], empty: tuple[str, ...], revision: str = CURRENT
    ) -> None:
        """Give the state of a fork's steps to steps of a revision.

        Args:
            fork: The fork.
            mapping: New step id by old step id.
            empty: Step ids whose state is dropped.
            revision: The revision.
        """
        ...

    def replay(self, request: ReplayRequest) -> None:
        """Replay a fork."""
        ...

    def pause_replay(self) -> None:
        """Stop reading."""
        ...

    def resume_replay(self) -> None:
        """Go on reading."""
        ...

    def set_replay_pace(self, pace: float) -> None:
        """Change the pace: ``0`` for full speed, ``1`` as recorded."""
        ...

    def step_replay(self, unit: StepUnit) -> None:
        """While paused: go on by a record, a batch or an epoch."""
        ...

    def step_back(self) -> None:
        """Go back by an epoch: fork one epoch earlier and begin there, paused."""
        ...

    def stop_replay(self) -> None:
        """End the replay at the next epoch barrier."""
        ...

    def compare(self, request: CompareRequest) -> None:
        """Run two revisions from one epoch and compare what comes of them."""
        ...

    def bisect(self, request: BisectRequest) -> None:
        """Find the first epoch and record at which a predicate fails."""
        ...

    def cancel(self) -> None:
        """End the comparison, bisection or search that runs."""
        ...
