"""Does what is asked about recovery stores, on a thread of its own, beside the session."""

from __future__ import annotations

from loom_bench.protocol.diagnosis import Diagnosis
from loom_bench.session.snapshots.bisection_value import BisectRequest
from loom_bench.session.snapshots.comparison_value import CompareRequest
from loom_bench.session.snapshots.replay_value import CURRENT, ReplayRequest, StepUnit
from loom_bench.session.snapshots.value import SnapshotsValue, StateQuery


class SnapshotDesk:
    """Implements SnapshotCommands.

    Attributes:
        value: What it shows.
    """

    def __init__(self) -> None:
        self.value = SnapshotsValue()

    def _refuse(self, *asked: object) -> None:
        problem = Diagnosis(code="not_there", message=f"this bench cannot do that: {asked}")
        self.value = SnapshotsValue(problem=problem)

    def open(self, store: str | None = None) -> None:
        """Open the folder of a recovery store; ``None`` for the one that the flow runs on."""
        self._refuse(store)

    def close_store(self) -> None:
        """Show no store."""
        self._refuse()

    def refresh(self) -> None:
        """Look again: epochs have been added, counted, or thinned."""
        self._refuse()

    def show_state(self, query: StateQuery) -> None:
        """Show a page of the state at an epoch."""
        self._refuse(query)

    def show_key(self, step_id: str, key: str) -> None:
        """Show a key's whole history."""
        self._refuse(step_id, key)

    def explain(self, step_id: str, key: str, from_epoch: int, to_epoch: int) -> None:
        """Find the source records that touched a key between two epochs; takes a replay."""
        self._refuse(step_id, key, from_epoch, to_epoch)

    def fork(self, epoch: int, *, parent: str = "", name: str = "", note: str = "") -> None:
        """Fork the store, or the fork *parent*, at an epoch; without a name one is made."""
        self._refuse(epoch, parent, name, note)

    def remove_fork(self, name: str) -> None:
        """Delete a fork; forks of it stay."""
        self._refuse(name)

    def check(self, fork: str, revision: str = CURRENT) -> None:
        """Check whether a fork can be replayed with a revision."""
        self._refuse(fork, revision)

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
        self._refuse(fork, mapping, empty, revision)

    def replay(self, request: ReplayRequest) -> None:
        """Replay a fork."""
        self._refuse(request)

    def pause_replay(self) -> None:
        """Stop reading."""
        self._refuse()

    def resume_replay(self) -> None:
        """Go on reading."""
        self._refuse()

    def set_replay_pace(self, pace: float) -> None:
        """Change the pace: ``0`` for full speed, ``1`` as recorded."""
        self._refuse(pace)

    def step_replay(self, unit: StepUnit) -> None:
        """While paused: go on by a record, a batch or an epoch."""
        self._refuse(unit)

    def step_back(self) -> None:
        """Go back by an epoch: fork one epoch earlier and begin there, paused."""
        self._refuse()

    def stop_replay(self) -> None:
        """End the replay at the next epoch barrier."""
        self._refuse()

    def compare(self, request: CompareRequest) -> None:
        """Run two revisions from one epoch and compare what comes of them."""
        self._refuse(request)

    def bisect(self, request: BisectRequest) -> None:
        """Find the first epoch and record at which a predicate fails."""
        self._refuse(request)

    def cancel(self) -> None:
        """End the comparison, bisection or search that runs."""
        self._refuse()
