"""Which revision runs next: loaded at a save, judged against the state, handed over or held."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from loom_bench.protocol.diagnosis import Diagnosis
from loom_bench.protocol.frames import Loaded
from loom_bench.session.live.board import Board
from loom_bench.session.live.broker_life import BrokerLife
from loom_bench.session.live.editing import Editing
from loom_bench.session.live.handover import Handover, state_problem
from loom_bench.session.live.hosts import Hosts, LiveHost, Post
from loom_bench.session.live.options import LiveOptions
from loom_bench.session.live.run_side import RunSide
from loom_bench.session.tracing.trace_side import Code
from loom_bench.session.value import Phase
from loom_runtime.failures import RunError

if TYPE_CHECKING:
    from loom_runtime.compiler.difference import PlanDifference
    from loom_runtime.recovery.remapping import Remapping


class Succession:
    """Takes revisions from the disk into operation.

    Attributes:
        wanted: Whether the user wants the flow to run; what is loaded while not waits.
        ran: What ran last.
        handover: Takes revisions into operation.
        on_code: Called when other code was loaded.
        on_loaded: Called with what was loaded, before it runs.
        on_looked: Called with the host of what was loaded to be looked at only.

    Args:
        options: What was opened and how.
        hosts: Starts and ends hosts.
        post: Has something done on the session's thread.
        board: Where everything is shown.
        broker: The broker.
        run: What runs.
    """

    def __init__(
        self,
        options: LiveOptions,
        hosts: Hosts,
        post: Post,
        board: Board,
        broker: BrokerLife,
        run: RunSide,
    ) -> None:
        self.on_code: Callable[[], None] = lambda: None
        self.on_loaded: Callable[[Loaded], object] = bool
        self.on_looked: Callable[[LiveHost], object] = bool
        self.wanted = True
        self.ran: Loaded | None = None
        self._board, self._broker = board, broker
        self._run = run
        self._editing = Editing(
            options,
            hosts,
            post,
            board,
            on_save=self._saved,
            on_loaded=self._loaded,
            on_refused=self._refused,
        )
        self.handover = Handover(post, board, broker, self._editing, run, self._failed)
        self._apply = True
        self._saved_meanwhile = False
        self._difference: PlanDifference | None = None

    def load(self) -> None:
        """Load the code on disk and run it."""
        if self.handover.active:
            self._saved_meanwhile = True
            return
        self.wanted = self._apply = not self._board.look_only
        self._load()

    def run_newest(self) -> None:
        """Run what is loaded and waits; else load the code on disk and run it."""
        newest = self._board.revisions.newest()
        waits = newest is not None and newest.state in ("ready", "waiting")
        if waits and newest is not None and self._editing.is_code_of(newest.number):
            self.wanted = self._apply = not self._board.look_only
            self.proceed()
        else:
            self.load()

    def decide(self, remapping: Remapping, *, keep_old: bool) -> None:
        """Answer the state conflict."""
        conflict, host = self._board.conflict, self._editing.candidate
        if conflict is None or host is None or self._board.look_only:
            return
        if keep_old:
            self._editing.drop()
            self._give_up(conflict.revision, "the revision before was kept")
            return
        open_ids = {*conflict.gone, *conflict.changed}
        undecided = open_ids - remapping.renamed.keys() - set(remapping.emptied)
        if undecided:
            self._board.notice(f"say what becomes of {', '.join(sorted(undecided))}", "error")
            return
        try:
            self.handover.check(host, remapping)
        except RunError as error:
            self._board.notice(error.what, "error")
            return
        self._board.conflict = None
        self.handover.begin(remapping)

    def proceed(self) -> None:
        """Run what is loaded, if it is to run, there is a broker and the state fits."""
        host = self._editing.candidate
        if host is None or self._broker.current is None or self.handover.active:
            return
        try:
            conflict = self.handover.conflict(host)
        except RunError as error:
            self._failed(state_problem(error))
            return
        known = self._board.revisions.get(host.revision)
        summary = known.summary if known is not None else ""
        told = f"r{host.revision} loaded" + (f": {summary}" if summary else "")
        if conflict is not None:
            self._board.conflict = conflict
            self._board.revisions.change(host.revision, state="waiting")
            self._hold(f"{told}; its state does not fit, decide about it", "warning")
        elif self._apply:
            self._board.notice(told + (", state ok" if summary else ""))
            self.handover.begin()
        elif self._board.look_only:
            self._hold(f"{told}; this bench only looks")
            self.on_looked(host)
        else:
            self._hold(f"{told}, state ok; reload to run it")

    def started(self, host: LiveHost) -> None:
        """Take in that a revision runs now."""
        loaded = host.loaded
        if loaded is None:
            return
        self.ran = loaded
        self._board.revisions.runs(host.revision)
        self._board.show_plan(loaded.plan, self._difference)
        self._board.run_diagnoses = self._board.load_diagnoses = ()
        self._catch_up()

    def open(self, target: str) -> None:
        """Be about another flow."""
        self.handover.cancel()
        self._editing.open(target)
        self.ran, self._saved_meanwhile = None, False
        self.load()

    def drop(self) -> None:
        """Give up what loads, waits, or is being handed over to."""
        self.handover.cancel()
        self._editing.drop()
        self._board.conflict = None

    def forget_state(self) -> None:
        """Drop temporary state: the broker that it belongs to is gone."""
        self.handover.forget_state()

    def newest_code(self) -> Code | None:
        """Return how to load the code on disk and its revision; ``None`` before any loaded."""
        return self._editing.newest_code(self._broker.current)

    def state_folder(self) -> Path | None:
        """Return the folder of the recovery store that the flow runs on; ``None`` for none."""
        host = self._run.host
        return None if host is None else self.handover.folder(host)

    def keep_warm(self) -> None:
        """Have a process ready for the next save; a run that begins needs the processor more."""
        self._editing.keep_warm()

    def check_deadline(self) -> None:
        """Give up on a module that hangs; a few times a second."""
        self._editing.tick()

    def stop_watching(self) -> None:
        """See no more saves."""
        self._editing.close()

    def close(self) -> None:
        """Release everything; no host may be left."""
        self.handover.close()

    def _load(self) -> None:
        self._board.conflict = None
        try:
            self._editing.load(self._broker.current)
        except OSError as error:
            self._board.fail(_no_process(error))
            return
        if self._run.host is None:
            self._board.phase = Phase.LOADING

    def _saved(self) -> None:
        if self.handover.active:
            self._saved_meanwhile = True
            return
        host = self._run.host
        if host is not None and self._editing.is_code_of(host.revision):
            self._back_to(host.revision)
            return
        self._apply = self.wanted and not self._board.manual_reload
        self._load()

    def _back_to(self, revision: int) -> None:
        """Take in that the code on disk is that which runs."""
        self._editing.drop()
        newest = self._board.revisions.newest()
        if newest is not None and newest.number != revision:
            self._give_up(newest.number, f"back to r{revision}")
        self._board.load_diagnoses = ()
        self._board.notice(f"back to r{revision}, which runs")

    def _give_up(self, revision: int, why: str) -> None:
        known = self._board.revisions.get(revision)
        if known is not None:
            self._board.revisions.refuse(revision, known.diagnoses, why)
        self._board.conflict = None
        if self._run.host is None:
            self._board.phase = Phase.STOPPED

    def _hold(self, told: str, severity: str = "information") -> None:
        """Leave what is loaded until the user says so."""
        self._board.notice(told, severity)
        if self._run.host is None:
            self._board.phase = Phase.STOPPED

    def _loaded(self, host: LiveHost, loaded: Loaded) -> None:
        self._difference = None if self.ran is None else _difference(self.ran, loaded)
        summary = "" if self._difference is None else self._difference.summary
        self._board.revisions.change(host.revision, state="ready", summary=summary, diagnoses=())
        self._board.load_diagnoses = ()
        if self._run.host is None:
            self._board.show_plan(loaded.plan, None)
        self.on_loaded(loaded)
        self.proceed()
        self.on_code()

    def _refused(self, revision: int) -> None:
        problem = self._board.load_diagnoses[0]
        place = f"{problem.place}: " if problem.place else ""
        self._board.notice(f"r{revision} does not load: {place}{problem.message}", "error")
        if self._run.host is None:
            self._board.phase = Phase.FAILED

    def _catch_up(self) -> None:
        """See what was saved while a revision was taken into operation."""
        if self._saved_meanwhile:
            self._saved_meanwhile = False
            self._editing.look()

    def _failed(self, problem: Diagnosis) -> None:
        """Take in that what is loaded cannot be run."""
        host = self._editing.candidate
        if host is not None:
            self._board.revisions.refuse(host.revision, (problem,))
            self._editing.drop()
        if self._run.host is None:
            self._board.fail(problem)
        else:
            self._board.load_diagnoses = (problem,)
            self._board.notice(problem.message, "error")
        self._catch_up()


def _difference(before: Loaded, after: Loaded) -> PlanDifference:
    from loom_runtime.compiler.difference import difference  # noqa: PLC0415 - not for the first

    return difference(before.plan, after.plan)


def _no_process(error: OSError) -> Diagnosis:
    return Diagnosis(
        code="no_process",
        message=f"no process can be started: {error}",
        hint="Close other programs, then restart.",
    )
