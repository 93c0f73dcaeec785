"""What can be said to a replay, comparison or search while it runs; from any thread."""

from __future__ import annotations

from loom_bench.session.snapshots.desk_work import DeskWork
from loom_bench.session.snapshots.replay_value import StepUnit


class ReplayControls:
    """Steers what a desk does.

    Args:
        work: What it does.
    """

    def __init__(self, work: DeskWork) -> None:
        self._steered = work

    def pause_replay(self) -> None:
        """Stop reading."""
        self._steered.pause()

    def resume_replay(self) -> None:
        """Go on reading."""
        self._steered.resume()

    def set_replay_pace(self, pace: float) -> None:
        """Change the pace: ``0`` for full speed, ``1`` as recorded."""
        self._steered.set_pace(pace)

    def step_replay(self, unit: StepUnit) -> None:
        """While paused: go on by a record, a batch or an epoch."""
        self._steered.step(unit)

    def stop_replay(self) -> None:
        """End the replay at the next epoch barrier."""
        self._steered.stop()

    def cancel(self) -> None:
        """End the comparison, bisection or search that runs."""
        self._steered.cancel()
