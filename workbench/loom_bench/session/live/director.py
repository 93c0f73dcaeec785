"""Decides what a live session does next: load, hand over, wait for the user, give up."""

from __future__ import annotations

from functools import partial

from loom_bench.broker.contract import Broker
from loom_bench.protocol.diagnosis import Diagnosis
from loom_bench.protocol.frames import Drain, Finish, Loaded
from loom_bench.session.live.board import Board
from loom_bench.session.live.broker_life import BrokerLife
from loom_bench.session.live.editing import Editing
from loom_bench.session.live.feed_life import FeedLife
from loom_bench.session.live.handover import Handover, state_problem
from loom_bench.session.live.hosts import Hosts, LiveHost, Post
from loom_bench.session.live.options import LiveOptions
from loom_bench.session.live.run_side import RunEnd, RunSide
from loom_bench.session.value import Phase
from loom_runtime.compiler.difference import PlanDifference, difference
from loom_runtime.failures import RunError
from loom_runtime.recovery.remapping import Remapping


class Director:
    """Owns the parts of a session and moves it from one state to the next, on its thread.

    Attributes:
        board: What is shown.
        run: What runs.

    Args:
        options: What to open and how.
        post: Has something done on the session's thread.
    """

    def __init__(self, options: LiveOptions, post: Post) -> None:
        self.board = board = Board(options.target, manual_reload=options.manual_reload)
        self._hosts = hosts = Hosts(post, board.logs)
        self._broker = BrokerLife(options.broker, options.open_broker, post, board)
        self._feed = FeedLife(options.feed_rate_per_s, hosts, board)
        self.run = RunSide(hosts, board, self._run_started, self._run_ended)
        self._editing = Editing(
            options,
            hosts,
            post,
            board,
            on_save=self._saved,
            on_loaded=self._loaded,
            on_refused=self._refused,
        )
        self._handover = Handover(
            post, board, self._broker, self._editing, self.run, self._handover_failed
        )
        self._wanted = True
        self._apply = True
        self._saved_meanwhile = False
        self._ran: Loaded | None = None
        self._difference: PlanDifference | None = None

    def begin(self) -> None:
        """Open the flow and its broker, side by side."""
        self._broker.open(self._broker.choice, partial(self._opened, self._broker.choice))
        self._load()

    def start(self) -> None:
        """Run the newest code, drained and started again when it runs already."""
        self._wanted = True
        if self._broker.current is None and self._broker.state != "starting":
            self._broker.open(self._broker.choice, partial(self._opened, self._broker.choice))
        self._load()

    def resume(self) -> None:
        """Go on, or start what was stopped."""
        if self.run.host is not None:
            self.run.resume()
            return
        self.run.paused = False
        self._wanted = self._apply = True
        if self._broker.current is None:
            self.start()
        elif self._editing.candidate is not None:
            self._proceed()
        else:
            self._load()

    def stop(self, command: Drain | Finish) -> None:
        """End the run and start none."""
        self._wanted = False
        self.run.end(command)

    def kill(self) -> None:
        """End the flow's process, or what loads."""
        if self.run.host is not None:
            self._wanted = False
            self.run.kill()
        else:
            self._editing.drop()

    def reload(self) -> None:
        """Load the code on disk and run it; or run what is loaded and waits."""
        newest = self.board.revisions.newest()
        ready = newest is not None and newest.state == "ready"
        if ready and newest is not None and self._editing.is_running_code(newest.number):
            self._wanted = self._apply = True
            self._proceed()
        else:
            self._load()

    def decide(self, remapping: Remapping, *, keep_old: bool) -> None:
        """Answer the state conflict."""
        conflict, host = self.board.conflict, self._editing.candidate
        if conflict is None or host is None:
            return
        if keep_old:
            self._editing.drop()
            self._give_up(conflict.revision, "the revision before was kept")
            return
        open_ids = {*conflict.gone, *conflict.changed}
        undecided = open_ids - remapping.renamed.keys() - set(remapping.emptied)
        if undecided:
            self.board.notice(f"say what becomes of {', '.join(sorted(undecided))}", "error")
            return
        try:
            self._handover.check(host, remapping)
        except RunError as error:
            self.board.notice(error.what, "error")
            return
        self.board.conflict = None
        self._handover.begin(remapping)

    def set_feed_rate(self, rate_per_s: float | None) -> None:
        """Change the feed's rate."""
        self._feed.set_rate(rate_per_s)

    def feed_record(self, key: str | None, value: str) -> None:
        """Write one record by hand."""
        self._feed.write(self.board.target, self._ran, self._broker.current, key, value)

    def switch_broker(self, choice: str) -> None:
        """Open another broker; when it is there, drain and go on with it."""
        self._broker.open(choice, partial(self._switched, choice))

    def open_flow(self, target: str) -> None:
        """Drain, and open another flow on the same broker."""
        self.run.end(Drain(), partial(self._open_flow, target))

    def tick(self) -> None:
        """Look after everything; once a second."""
        self.board.gauges.tick()
        self.run.tick()
        self._editing.tick()
        problem = self._broker.check()
        if problem is not None:
            self.run.drop()
            self._feed.end()
            self._fail(problem)

    def close(self) -> None:
        """End everything that was started."""
        self._editing.close()
        self._hosts.close()
        self._handover.close()
        self._broker.close()

    def _load(self) -> None:
        self._apply = True
        self._load_now()

    def _load_now(self) -> None:
        self.board.conflict = None
        try:
            self._editing.load(self._broker.current)
        except OSError as error:
            self._fail(
                Diagnosis(
                    code="no_process",
                    message=f"no process can be started: {error}",
                    hint="Close other programs, then restart.",
                )
            )
            return
        if self.run.host is None:
            self.board.phase = Phase.LOADING

    def _saved(self) -> None:
        if self._handover.active:
            self._saved_meanwhile = True
            return
        host = self.run.host
        if host is not None and self._editing.is_running_code(host.revision):
            self._back_to(host.revision)
            return
        self._apply = self._wanted and not self.board.manual_reload
        self._load_now()

    def _back_to(self, revision: int) -> None:
        """Take in that the code on disk is that which runs."""
        self._editing.drop()
        newest = self.board.revisions.newest()
        if newest is not None and newest.number != revision:
            self._give_up(newest.number, f"back to r{revision}")
        self.board.load_diagnoses = ()
        self.board.notice(f"back to r{revision}, which runs")

    def _give_up(self, revision: int, why: str) -> None:
        known = self.board.revisions.get(revision)
        if known is not None:
            self.board.revisions.refuse(revision, known.diagnoses, why)
        self.board.conflict = None
        if self.run.host is None:
            self.board.phase = Phase.STOPPED

    def _loaded(self, host: LiveHost, loaded: Loaded) -> None:
        before = self._ran
        self._difference = None if before is None else difference(before.plan, loaded.plan)
        summary = "" if self._difference is None else self._difference.summary
        self.board.revisions.change(host.revision, state="ready", summary=summary, diagnoses=())
        self.board.load_diagnoses = ()
        if self.run.host is None:
            self.board.show_plan(loaded.plan, None)
        self._proceed()

    def _refused(self, revision: int) -> None:
        problem = self.board.load_diagnoses[0]
        place = f"{problem.place}: " if problem.place else ""
        self.board.notice(f"r{revision} does not load: {place}{problem.message}", "error")
        if self.run.host is None:
            self.board.phase = Phase.FAILED
        self._editing.keep_warm()

    def _proceed(self) -> None:
        """Run what is loaded, if it is to run, there is a broker and the state fits."""
        host = self._editing.candidate
        if host is None or self._broker.current is None:
            return
        try:
            conflict = self._handover.conflict(host)
        except RunError as error:
            self._handover_failed(state_problem(error))
            return
        known = self.board.revisions.get(host.revision)
        summary = known.summary if known is not None else ""
        told = f"r{host.revision} loaded" + (f": {summary}" if summary else "")
        if conflict is not None:
            self.board.conflict = conflict
            self.board.revisions.change(host.revision, state="waiting")
            self.board.notice(
                f"{told}, its state does not fit: decide what becomes of it", "warning"
            )
            if self.run.host is None:
                self.board.phase = Phase.STOPPED
            return
        if summary:
            told += ", state ok"
        if self._apply:
            self.board.notice(told)
            self._handover.begin()
        else:
            self.board.notice(f"{told}; reload to run it")
            if self.run.host is None:
                self.board.phase = Phase.STOPPED

    def _run_started(self, host: LiveHost) -> None:
        loaded, broker = host.loaded, self._broker.current
        if loaded is None or broker is None:
            return
        self.board.revisions.runs(host.revision)
        self.board.show_plan(loaded.plan, self._difference)
        self.board.run_diagnoses = self.board.load_diagnoses = ()
        self._ran = loaded
        self._feed.ensure(self.board.target, loaded, broker)
        self._editing.keep_warm()
        if self._saved_meanwhile:
            self._saved_meanwhile = False
            self._editing.look()

    def _run_ended(self, end: RunEnd) -> None:
        if end.failure is not None:
            self._fail(end.failure)
            return
        self.board.phase = Phase.STOPPED
        if end.outcome == "killed":
            self.board.notice("killed; the epoch that was under way is repeated", "warning")
        else:
            self.board.notice(f"{end.outcome}, everything is committed")

    def _handover_failed(self, problem: Diagnosis) -> None:
        host = self._editing.candidate
        if host is not None:
            self.board.revisions.refuse(host.revision, (problem,))
            self._editing.drop()
        if self.run.host is None:
            self._fail(problem)
        else:
            self.board.load_diagnoses = (problem,)
            self.board.notice(problem.message, "error")

    def _fail(self, problem: Diagnosis) -> None:
        self.board.run_diagnoses = (problem,)
        self.board.phase = Phase.FAILED
        self.board.notice(problem.message, "error")

    def _opened(self, choice: str, result: Broker | Diagnosis) -> None:
        if isinstance(result, Diagnosis):
            self._broker.failed(result)
            self._fail(result)
            return
        self._adopt(result, choice)
        self._proceed()

    def _switched(self, choice: str, result: Broker | Diagnosis) -> None:
        if isinstance(result, Diagnosis) and self._broker.current is not None:
            self.board.notice(f"the broker stays: {result.message}. {result.hint}", "error")
        elif isinstance(result, Diagnosis):
            self._opened(choice, result)
        else:
            self._feed.end()
            self.run.end(Drain(), partial(self._move, result, choice))

    def _move(self, broker: Broker, choice: str, _end: RunEnd) -> None:
        self._editing.drop()
        self._adopt(broker, choice)
        if self._wanted:
            self._load()

    def _adopt(self, broker: Broker, choice: str) -> None:
        self._broker.adopt(broker, choice)
        self._handover.forget_state()

    def _open_flow(self, target: str, _end: RunEnd) -> None:
        self._feed.end()
        self.board.open(target)
        self._editing.open(target)
        self._ran, self._wanted, self.run.paused = None, True, False
        self._load()
