"""The store that a desk has open: looked at, followed while a run writes it, thinned."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from loom_bench.protocol.diagnosis import Diagnosis
from loom_bench.protocol.frames import Loaded
from loom_bench.session.snapshots.decoding import decoded_history
from loom_bench.session.snapshots.desk_work import Changer, Whereabouts
from loom_bench.session.snapshots.ground import Ground
from loom_bench.session.snapshots.reading import (
    KEPT,
    KEPT_BY_CONFIGURATION,
    StoreReader,
    root_of,
)
from loom_bench.session.snapshots.revisions import Revisions
from loom_bench.session.snapshots.value import StateQuery
from loom_runtime.recovery.history.thinning import thin

_COUNT_SLICE_S: Final = 0.2
"""How long rows are counted before somebody else may ask for something."""

NO_STORE: Final = Diagnosis(
    code="no_store",
    message="there is no recovery store to look at",
    hint="A flow keeps one when it has keyed state or windows, or when "
    "streaming.runtime.recovery.db_dir is configured; or name the folder of one.",
)


class DeskReading:
    """Reads on one thread.

    Args:
        whereabouts: Returns where the flow and its store are now.
        change: Changes what is shown.
    """

    def __init__(self, whereabouts: Callable[[], Whereabouts], change: Changer) -> None:
        self._whereabouts = whereabouts
        self._change = change
        self._reader: StoreReader | None = None
        self._counted = True

    @property
    def root(self) -> Path | None:
        """The open store, or the one that the open fork is of; ``None`` when none is open."""
        reader = self._reader
        return None if reader is None else root_of(reader.db_dir)

    def is_behind(self) -> bool:
        """Return whether rows were not counted yet."""
        return not self._counted

    def open(self, store: str | None) -> None:
        """Open a store; ``None`` for the one that the flow runs on."""
        where = self._whereabouts()
        folder = where.store if store is None else Path(store).absolute()
        if folder is None:
            self._change(problem=NO_STORE)
            return
        ours = folder == where.store and where.thinned
        self._reader = StoreReader(folder, KEPT if ours else KEPT_BY_CONFIGURATION)
        self._counted = False
        self._change(page=None, history=None, why=None, problem=None)
        self.look()

    def forget(self) -> None:
        """Show no store."""
        self._reader = None
        self._change(timeline=None, page=None, history=None, why=None, forks=(), problem=None)

    def look(self) -> None:
        """Look at the open store again."""
        reader = self._reader
        if reader is None:
            return
        timeline = reader.timeline()
        forks = StoreReader(root_of(reader.db_dir)).forks()
        ground = self._whereabouts().ground(self.root)
        has_flow = ground is not None and bool(ground.target)
        revisions = ground.revisions.listed() if ground is not None and has_flow else ()
        self._change(timeline=timeline, forks=forks, revisions=revisions)

    def follow(self) -> None:
        """Count a little and look again."""
        if self._reader is not None:
            self._counted = True  # a store that cannot be read is not asked all the time
            self._counted = self._reader.count(_COUNT_SLICE_S)
            self.look()

    def show_page(self, query: StateQuery) -> None:
        """Show a page of the state."""
        reader = self._opened()
        if reader is not None:
            self._change(page=reader.page(query), problem=None)

    def show_key(self, step_id: str, key: str) -> None:
        """Show a key's history."""
        reader = self._opened()
        if reader is not None:
            self._change(history=reader.key(step_id, key), problem=None)

    def decode_key(self, ground: Ground, step_id: str, key: str) -> None:
        """Show a key's history, another program's pickles decoded beside the flow's module.

        Raises:
            ReplayFailedError: When they cannot be decoded.
        """
        reader = self._reader
        if reader is not None:
            history = decoded_history(ground.target, reader, reader.key(step_id, key))
            self._change(history=history, problem=None)

    def thin(self) -> None:
        """Thin out the store that the bench keeps for the flow."""
        where = self._whereabouts()
        if where.thinned and where.store is not None and where.store.is_dir():
            thin(where.store, time.time_ns() // 1_000_000)

    def keep_source(self, target: str, loaded: Loaded) -> None:
        """Keep the source of a revision."""
        Revisions(target).keep(loaded)

    def _opened(self) -> StoreReader | None:
        if self._reader is None:
            self.open(None)
        return self._reader
