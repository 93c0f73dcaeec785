"""Does what is asked about recovery stores, on threads of its own, beside the session."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any, Final

import msgspec

from loom_bench.protocol.frames import Loaded
from loom_bench.session.snapshots.bisection_value import BisectRequest
from loom_bench.session.snapshots.comparison_value import CompareRequest
from loom_bench.session.snapshots.desk_reading import NO_STORE, DeskReading
from loom_bench.session.snapshots.desk_threads import DeskThreads
from loom_bench.session.snapshots.desk_work import DeskWork, Whereabouts
from loom_bench.session.snapshots.replay_controls import ReplayControls
from loom_bench.session.snapshots.replay_value import CURRENT, ReplayRequest
from loom_bench.session.snapshots.value import SnapshotsValue, StateQuery

_THIN_INTERVAL_S: Final = 15.0


class SnapshotDesk(ReplayControls):
    """Implements SnapshotCommands.

    One thread reads, so that screens stay quick; another forks, replays, compares and searches, one
    thing after the other.

    Attributes:
        value: What it shows.

    Args:
        whereabouts: Returns where the flow, its store and its broker are now.
    """

    def __init__(self, whereabouts: Callable[[], Whereabouts] = Whereabouts) -> None:
        self.value = SnapshotsValue()
        self._whereabouts = whereabouts
        self._changes = threading.Lock()
        self._thinned_s = time.monotonic()
        self._asked: tuple[str, ...] = ()
        self._reading = DeskReading(whereabouts, self._change)
        self._threads = DeskThreads(self._reading.follow, self._reading.is_behind, self._change)
        self._work = DeskWork(self._change, self.refresh)
        super().__init__(self._work)

    def open(self, store: str | None = None) -> None:
        """Open the folder of a recovery store; ``None`` for the one that the flow runs on."""
        self._threads.read(partial(self._reading.open, store))

    def close_store(self) -> None:
        """Show no store."""
        self._threads.read(self._reading.forget)

    def refresh(self) -> None:
        """Look again: epochs have been added, counted, or thinned."""
        self._threads.read(self._reading.look)

    def show_state(self, query: StateQuery) -> None:
        """Show a page of the state at an epoch."""
        self._threads.read(partial(self._reading.show_page, query))

    def show_key(self, step_id: str, key: str) -> None:
        """Show a key's whole history."""
        self._threads.read(partial(self._reading.show_key, step_id, key))

    def decode_key(self, step_id: str, key: str) -> None:
        """Show a key's whole history, another program's pickles decoded in a host: that runs the
        program's code."""
        self._do(f"decoding {key}", self._reading.decode_key, step_id, key)

    def explain(self, step_id: str, key: str, from_epoch: int, to_epoch: int) -> None:
        """Find the source records that touched a key between two epochs; takes a replay."""
        self._do("looking for records", self._work.explain, step_id, key, from_epoch, to_epoch)

    def fork(self, epoch: int, *, parent: str = "", name: str = "", note: str = "") -> None:
        """Fork the store, or the fork *parent*, at an epoch; without a name one is made."""
        self._do(f"forking epoch {epoch}", self._work.fork, epoch, parent, name, note)

    def remove_fork(self, name: str) -> None:
        """Delete a fork; forks of it stay."""
        self._do(f"deleting {name}", self._work.remove, name)

    def check(self, fork: str, revision: str = CURRENT) -> None:
        """Check whether a fork can be replayed with a revision."""
        self._do(f"checking {fork}", self._work.check, fork, revision)

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
        self._do(f"mapping {fork}", self._work.remap, fork, mapping, empty, revision)

    def replay(self, request: ReplayRequest) -> None:
        """Replay a fork."""
        self._do(f"replaying {request.fork}", self._work.replay, request)

    def step_back(self) -> None:
        """Go back by an epoch: fork one epoch earlier and begin there, paused."""
        self._work.stop()
        self._do("going back an epoch", self._work.step_back)

    def compare(self, request: CompareRequest) -> None:
        """Run two revisions from one epoch and compare what comes of them."""
        self._do("comparing", self._work.compare, request)

    def bisect(self, request: BisectRequest) -> None:
        """Find the first epoch and record at which a predicate fails."""
        self._do("bisecting", self._work.bisect, request)

    def tidy(self) -> None:
        """Thin out the history of the store that the bench keeps for the flow; now and then."""
        now_s = time.monotonic()
        if now_s - self._thinned_s > _THIN_INTERVAL_S and self._whereabouts().thinned:
            self._thinned_s = now_s
            self._threads.read(self._reading.thin)

    def keep_source(self, target: str, loaded: Loaded) -> None:
        """Keep the source of a revision that runs."""
        self._threads.read(partial(self._reading.keep_source, target, loaded))

    def close(self) -> None:
        """End everything that was started; returns when it has ended."""
        self.cancel()
        self.stop_replay()
        self._threads.close()

    def _do(self, busy: str, work: Callable[..., None], *arguments: Any) -> None:
        def done() -> None:
            ground = self._whereabouts().ground(self._reading.root)
            self._change(problem=NO_STORE if ground is None else None)
            try:
                if ground is not None:
                    work(ground, *arguments)
            finally:
                self._tell_busy(lambda asked: asked[1:])
                self.refresh()

        self._tell_busy(lambda asked: (*asked, busy))
        self._threads.work(done)

    def _tell_busy(self, change: Callable[[tuple[str, ...]], tuple[str, ...]]) -> None:
        with self._changes:
            self._asked = change(self._asked)
            self.value = msgspec.structs.replace(self.value, busy=", then ".join(self._asked))

    def _change(self, **changes: object) -> None:
        with self._changes:
            self.value = msgspec.structs.replace(self.value, **changes)
