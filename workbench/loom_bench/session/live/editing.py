"""The flow's code as it is edited: watched, numbered, loaded ahead of being run."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import msgspec

from loom_bench.broker.contract import Broker
from loom_bench.protocol.diagnosis import Diagnosis
from loom_bench.protocol.frames import Load, Loaded, LoadFailed
from loom_bench.session.live.board import Board
from loom_bench.session.live.hosts import Hosts, LiveHost, Post
from loom_bench.session.live.load_side import LoadSide
from loom_bench.session.live.options import LiveOptions
from loom_bench.session.live.sources import Sources
from loom_bench.session.live.watching import FileWatcher
from loom_bench.session.tracing.trace_side import Code


class Editing:
    """Owns what is loaded and not yet run.

    Args:
        options: What was opened and how.
        hosts: Starts and ends hosts.
        post: Has something done on the session's thread.
        board: Where revisions are shown.
        on_save: Called when other code than that of the newest revision was saved.
        on_loaded: Called when a revision is loaded.
        on_refused: Called when one cannot be.
    """

    def __init__(
        self,
        options: LiveOptions,
        hosts: Hosts,
        post: Post,
        board: Board,
        *,
        on_save: Callable[[], None],
        on_loaded: Callable[[LiveHost, Loaded], None],
        on_refused: Callable[[int], None],
    ) -> None:
        self._board = board
        self._on_save = on_save
        self._on_loaded = on_loaded
        self._on_refused = on_refused
        self._config_path = options.config_path
        self._time_limit_ms = options.load_time_limit_ms
        self._load_side = LoadSide(hosts, self._loaded, self._refused)
        self._sources = Sources(options.target, options.config_path)
        self._watcher = FileWatcher(
            lambda files: post(partial(self._saved, files)),
            lambda problem: post(partial(self._not_watched, problem)),
        )

    @property
    def candidate(self) -> LiveHost | None:
        """The host that has loaded the next revision; ``None`` while none has."""
        host = self._load_side.candidate
        return None if host is None or host.loaded is None else host

    def keep_warm(self) -> None:
        """Have a standby ready for the next save."""
        self._load_side.keep_warm()

    def open(self, target: str) -> None:
        """Be about another flow."""
        self.drop()
        self._config_path = None
        self._sources = Sources(target, None)

    def load(self, broker: Broker | None) -> None:
        """Load the module as it is on disk now.

        Raises:
            OSError: When no process can be started.
        """
        number = self._board.revisions.begin(
            self._sources.content_hash(), self._sources.saved_at_ms()
        )
        self._watcher.follow(self._sources.files)
        self._load_side.load(number, self._command(broker))

    def newest_code(self, broker: Broker | None) -> Code | None:
        """Return how to load the code on disk, to try records in it, and its revision; ``None``
        before any loaded."""
        newest = self._board.revisions.newest()
        if newest is None or self._board.plan is None:
            return None
        return msgspec.structs.replace(self._command(broker), replay=True), newest.number

    def _command(self, broker: Broker | None) -> Load:
        return Load(
            target=self._board.target,
            config_path=self._config_path,
            bootstrap=None if broker is None else broker.bootstrap,
            plaintext=broker is not None and broker.owned,
            to_run=True,
            time_limit_ms=self._time_limit_ms,
        )

    def take_over(self) -> LiveHost | None:
        """Hand the loaded host over to whoever runs it."""
        return self._load_side.take_over()

    def drop(self) -> None:
        """Give up what is loading or waits to be run."""
        self._load_side.drop()

    def look(self) -> None:
        """See whether the code was changed since the newest revision."""
        newest = self._board.revisions.newest()
        if newest is None or newest.content_hash != self._sources.content_hash():
            self._on_save()

    def is_code_of(self, number: int) -> bool:
        """Return whether the code on disk is that of revision *number*."""
        revision = self._board.revisions.get(number)
        return revision is not None and revision.content_hash == self._sources.content_hash()

    def tick(self) -> None:
        """Look after what loads."""
        self._load_side.tick()

    def close(self) -> None:
        """Watch no more."""
        self._watcher.close()

    def _saved(self, files: set[Path]) -> None:
        newest = self._board.revisions.newest()
        refused = newest is not None and newest.state == "refused"
        # What a refused revision could not import may be any file.
        if files & self._sources.files:
            self.look()
        elif refused and not files <= self._sources.files:
            self._on_save()

    def _not_watched(self, problem: str) -> None:
        self._board.notice(f"saves are not seen, reload by key: {problem}", "warning")

    def _loaded(self, host: LiveHost, loaded: Loaded) -> None:
        self._learn(host.revision, loaded)
        if self.candidate is host:  # it was not saved once more in the meantime
            self._on_loaded(host, loaded)

    def _refused(
        self, revision: int, diagnoses: tuple[Diagnosis, ...], said: LoadFailed | None
    ) -> None:
        if said is not None:
            self._learn(revision, said)
        self._board.revisions.refuse(revision, diagnoses)
        self._board.load_diagnoses = diagnoses
        self._on_refused(revision)

    def _learn(self, revision: int, news: Loaded | LoadFailed) -> None:
        """Take in which files there are; the revision's hash is over all of them."""
        before = self._sources.content_hash()
        changed = not self._board.revisions.is_of(revision, before)
        self._sources.learn(news)
        if not changed:
            self._board.revisions.change(revision, content_hash=self._sources.content_hash())
        if self._watcher.follow(self._sources.files):
            self.look()
