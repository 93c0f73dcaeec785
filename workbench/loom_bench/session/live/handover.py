"""From one revision to the next: topics, drain, state, start; nothing lost, nothing repeated."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from loom_bench.broker.contract import Broker
from loom_bench.protocol.diagnosis import Diagnosis
from loom_bench.protocol.frames import Drain, Start
from loom_bench.session.live.board import Board
from loom_bench.session.live.broker_life import BrokerLife
from loom_bench.session.live.editing import Editing
from loom_bench.session.live.hosts import LiveHost, Post
from loom_bench.session.live.run_side import RunEnd, RunSide
from loom_bench.session.live.stores import Stores, find_conflict
from loom_bench.session.value import StateConflict
from loom_runtime.failures import RunError
from loom_runtime.recovery.identity import StoreIdentity, load_identity

if TYPE_CHECKING:
    from loom_runtime.recovery.remapping import Remapping


class Handover:
    """Takes the loaded revision into operation.

    Attributes:
        store: Folder of the recovery store of what runs; ``None`` for none.
        keeps_store: Whether the bench keeps that store itself.

    Args:
        post: Has something done on the session's thread.
        board: Where it is shown.
        broker: The broker.
        editing: Has the loaded host.
        run: Runs it.
        on_failed: Called with why it could not be.
    """

    def __init__(
        self,
        post: Post,
        board: Board,
        broker: BrokerLife,
        editing: Editing,
        run: RunSide,
        on_failed: Callable[[Diagnosis], None],
    ) -> None:
        self._ticket = 0
        self._under_way = 0
        self._post = post
        self._board = board
        self._broker = broker
        self._editing = editing
        self._run = run
        self._on_failed = on_failed
        self._stores = Stores()
        self.store: Path | None = None
        self.keeps_store = False
        self._threads: list[threading.Thread] = []

    @property
    def active(self) -> bool:
        """Whether one is under way: from the decision to the new run's start."""
        return self._under_way != 0

    def conflict(self, host: LiveHost) -> StateConflict | None:
        """Return in what the state that is kept does not fit what *host* has loaded.

        Raises:
            RunError: When the store cannot be read.
        """
        if host.loaded is None:
            return None
        found = find_conflict(self.folder(host), host.loaded.identity)
        return None if found is None else msgspec.structs.replace(found, revision=host.revision)

    def check(self, host: LiveHost, remapping: Remapping) -> None:
        """Check that the state fits what *host* has loaded when it is remapped.

        Raises:
            RunError: When it does not.
        """
        folder = self.folder(host)
        stored = None if folder is None else load_identity(folder)
        if stored is not None and host.loaded is not None and host.loaded.identity is not None:
            from loom_runtime.recovery.remapping import remapped_identity  # noqa: PLC0415 - rare

            remapped_identity(stored.identity, host.loaded.identity, remapping, where=str(folder))

    def begin(self, remapping: Remapping | None = None) -> None:
        """Take the loaded revision into operation, its state remapped first."""
        host = self._editing.candidate
        if host is None or host.loaded is None:
            return
        self._ticket += 1
        self._under_way = self._ticket
        self._broker.make_topics(host.loaded, partial(self._topics_made, self._ticket, remapping))

    def cancel(self) -> None:
        """Forget what is under way."""
        self._under_way = 0

    def forget_state(self) -> None:
        """Drop temporary stores: the broker that they belong to is gone."""
        self.store, self.keeps_store = None, False
        self._stores.close()

    def close(self) -> None:
        """Release everything; no run may be under way."""
        for thread in self._threads:
            thread.join()
        self._stores.close()

    def folder(self, host: LiveHost) -> Path | None:
        """Return the folder of the store that *host* runs on, or would; ``None`` for none."""
        broker = self._broker.current
        if broker is None or host.loaded is None:
            return None
        return self._stores.folder(self._board.target, broker, host.loaded)

    def _topics_made(
        self, ticket: int, remapping: Remapping | None, problem: Diagnosis | None
    ) -> None:
        if ticket != self._under_way:
            return
        if problem is not None:
            self._fail(ticket, problem)
            return
        self._run.end(Drain(), partial(self._drained, ticket, remapping))

    def _drained(self, ticket: int, remapping: Remapping | None, end: RunEnd) -> None:
        if ticket != self._under_way:
            return
        if end.failure is not None:
            self._board.notice(
                f"the run before ended by itself: {end.failure.message}; its last epoch is "
                "repeated",
                "warning",
            )
        host = self._editing.candidate
        if host is None or host.loaded is None:
            self._fail(
                ticket,
                Diagnosis(
                    code="revision_lost",
                    message="the process of the new revision ended before it could run",
                    hint="Start again.",
                ),
            )
            return
        folder, identity = self.folder(host), host.loaded.identity
        if folder is None or identity is None or not _needs_work(folder, remapping, host):
            self._start(ticket)
            return
        thread = threading.Thread(
            target=self._remap,
            args=(ticket, partial(_remap, folder, identity, remapping)),
            name="remap-state",
            daemon=True,
        )
        self._threads.append(thread)
        thread.start()

    def _remap(self, ticket: int, work: Callable[[], None]) -> None:
        try:
            work()
        except RunError as error:
            self._post(partial(self._fail, ticket, state_problem(error)))
        except OSError as error:
            problem = Diagnosis(
                code="state_unfit",
                message=f"the state could not be moved: {error}",
                hint="Check the space on the disk, then start again.",
            )
            self._post(partial(self._fail, ticket, problem))
        else:
            self._post(partial(self._start, ticket))

    def _start(self, ticket: int) -> None:
        if ticket != self._under_way:
            return
        broker: Broker | None = self._broker.current
        host = self._editing.take_over()
        self._under_way = 0
        if host is None or host.loaded is None or broker is None:
            return
        folder = self.folder(host)
        ours = folder is not None and str(folder) != host.loaded.store
        self.store, self.keeps_store = folder, ours
        moved = host.loaded_for != broker.bootstrap
        self._run.start(
            host,
            Start(
                bootstrap=broker.bootstrap if moved else None,
                plaintext=broker.owned,
                store=str(folder) if ours else None,
                paused=self._run.paused,
                live=True,
            ),
        )

    def _fail(self, ticket: int, problem: Diagnosis) -> None:
        if ticket == self._under_way:
            self._under_way = 0
            self._on_failed(problem)


def state_problem(error: RunError) -> Diagnosis:
    """Return what *error*, raised about a recovery store, means."""
    return Diagnosis(
        code="state_unfit", message=error.what, component=error.where, hint=error.what_next
    )


def _remap(folder: Path, identity: StoreIdentity, remapping: Remapping | None) -> None:
    # Brings SQLite with it, and most sessions move no state.
    from loom_runtime.recovery.remapping import Remapping, remap_store  # noqa: PLC0415

    remap_store(folder, identity, remapping or Remapping())


def _needs_work(folder: Path, remapping: Remapping | None, host: LiveHost) -> bool:
    """Return whether the store has to be changed before the revision can run on it."""
    if remapping is not None and (remapping.renamed or remapping.emptied):
        return True
    stored = load_identity(folder)
    if stored is None or host.loaded is None or host.loaded.identity is None:
        return False
    before, after = stored.identity, host.loaded.identity
    return before.flow != after.flow or not set(before.topics) <= set(after.topics)
