"""Does what the user asks of a live session, and reacts to what happens in it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from loom_bench.broker.contract import Broker
from loom_bench.protocol.diagnosis import Diagnosis
from loom_bench.protocol.frames import Drain, Finish, Loaded
from loom_bench.session.envelopes.inbox import Inbox
from loom_bench.session.live.board import Board
from loom_bench.session.live.broker_life import BrokerLife
from loom_bench.session.live.claiming import Claiming
from loom_bench.session.live.envelope_side import flow_of
from loom_bench.session.live.feed_life import FeedLife
from loom_bench.session.live.hosts import Hosts, LiveHost, Post
from loom_bench.session.live.options import LiveOptions
from loom_bench.session.live.run_side import RunEnd, RunSide
from loom_bench.session.live.stores import triage_path
from loom_bench.session.live.succession import Succession
from loom_bench.session.live.trace_desk import TraceDesk
from loom_bench.session.snapshots.desk import SnapshotDesk
from loom_bench.session.snapshots.desk_work import Whereabouts
from loom_bench.session.tracing.states import StateReader
from loom_bench.session.tracing.trace_side import TraceSide
from loom_bench.session.tracing.value import TracingView
from loom_bench.session.value import Phase, SessionValue

if TYPE_CHECKING:
    pass


class Director:
    """Owns the parts of a session, on its thread.

    Attributes:
        board: What is shown.
        run: What runs.
        broker: The broker.
        next: What is loaded, waits, and is run next.
        snapshots: What is done with recovery stores.
        traces: Traces of records.
        tracing: What is asked about single records.
        envelopes: The inbox of error envelopes.

    Args:
        options: What to open and how.
        post: Has something done on the session's thread.
        traces: Returns the traces that the session shows; called from any thread.
    """

    def __init__(self, options: LiveOptions, post: Post, traces: Callable[[], TracingView]) -> None:
        self.board = board = Board(
            options.target, manual_reload=options.manual_reload, look_only=options.look_only
        )
        self._claiming = Claiming()
        self._hosts = hosts = Hosts(post, board.logs)
        self.broker = BrokerLife(options.broker, options.open_broker, post, board)
        self._feed = FeedLife(options.feed_rate_per_s, hosts, board)
        self.run = RunSide(hosts, board, self._run_started, self._run_settled, self._run_ended)
        self.next = Succession(options, hosts, post, board, self.broker, self.run)
        self.next.on_loaded = self._feed.make_ready
        self.snapshots = SnapshotDesk(
            partial(_whereabouts, board, self.broker, self.next, options.config_path)
        )
        states = StateReader(post, self.next.state_folder)
        self.traces = TraceSide(hosts, self.next.newest_code, states.find)
        self.next.on_code = self.traces.code_changed
        self.tracing = TraceDesk(post, self.run.stops, self.traces)
        self.envelopes = Inbox(
            self.tracing, traces, triage_path, time_limit_ms=options.load_time_limit_ms
        )
        self._tell_inbox = partial(
            _tell_inbox, board, self.broker, self.next, self.envelopes, options.config_path
        )
        self.next.on_looked = self._tell_inbox

    def value(self) -> SessionValue:
        """Return everything that is shown as one value."""
        return msgspec.structs.replace(
            self.board.value(), snapshots=self.snapshots.value, tracing=self.tracing.value()
        )

    def begin(self) -> None:
        """Open the flow and its broker, side by side."""
        self._claiming.claim(self.board.target, self.broker.choice)
        self._open_broker()
        self.next.load()

    def start(self) -> None:
        """Run the code on disk, drained and started again when it runs already."""
        if self.broker.current is None and self.broker.state != "starting":
            self._open_broker()
        self.next.load()

    def resume(self) -> None:
        """Go on, or start what was stopped."""
        self.run.resume()
        if self.run.host is not None:
            return
        if self.broker.current is None:
            self.start()
        else:
            self.next.run_newest()

    def stop(self, command: Drain | Finish) -> None:
        """End the run and start none."""
        self.next.wanted = False
        self.run.end(command)

    def kill(self) -> None:
        """End the flow's process, or what loads."""
        self.next.wanted = False
        if self.run.host is not None:
            self.run.kill()
        else:
            self.next.drop()
            self.board.phase = Phase.STOPPED

    def set_feed_rate(self, rate_per_s: float | None) -> None:
        """Change the feed's rate; a feed that is over begins again."""
        self._feed.set_rate(rate_per_s)
        if rate_per_s != 0 and self.next.ran is not None and self.broker.current is not None:
            self._feed.begin_again(self.board.target, self.next.ran, self.broker.current)

    def feed_record(self, key: str | None, value: str) -> None:
        """Write one record by hand."""
        self._feed.write(self.board.target, self.next.ran, self.broker.current, key, value)

    def switch_broker(self, choice: str | None) -> None:
        """Open another broker; when it is there, drain and go on with it. ``None`` calls off what
        is being opened."""
        if choice is None:
            self.broker.call_off()
        else:
            self.broker.open(choice, partial(self._switched, choice))

    def allow_writes(self, address: str) -> None:
        """Create what is missing on the user's broker, whose address was typed, and feed there."""
        broker, ran = self.broker.current, self.next.ran
        if self.board.look_only or broker is None or not self.broker.allow_writes(address):
            return
        if ran is None or self.run.host is None:
            self.board.notice("writes are allowed; restart the flow to have its topics created")
            return
        self.board.notice(f"writes to {broker.bootstrap} are allowed")
        self.broker.make_topics(ran, partial(self._may_feed, ran, broker))

    def open_flow(self, target: str, broker: str | None, *, look_only: bool) -> None:
        """Drain, and open another flow, on the same broker or on another one."""
        self.run.end(Drain(), partial(self._open_flow, target, broker, look_only))

    def check_deadline(self) -> None:
        """Give up on code that hangs; a few times a second."""
        self.next.check_deadline()
        self.traces.tick()

    def tick(self) -> None:
        """Look after everything; once a second."""
        self.board.gauges.tick()
        self.run.tick()
        self.next.keep_warm()
        self.snapshots.tidy()
        problem = self.broker.check()
        if problem is not None:
            self.run.drop()
            self.next.drop()
            self._feed.end()
            self.envelopes.leave_flow()
            self.board.fail(problem)

    def close(self) -> None:
        """End everything that was started."""
        self._claiming.release()
        self.snapshots.close()
        self.envelopes.close()
        self.next.stop_watching()
        self._hosts.close()
        self.next.close()
        self.broker.close()

    def _run_started(self, host: LiveHost) -> None:
        self.next.started(host)
        if host.loaded is not None:
            self.snapshots.keep_source(self.board.target, host.loaded)
        self._tell_inbox(host)
        if host.loaded is not None and self.broker.current is not None:
            self._feed.ensure(self.board.target, host.loaded, self.broker.current)
        if not self.next.wanted:  # the user changed their mind while it was handed over
            self.run.end(Drain())

    def _may_feed(self, ran: Loaded, broker: Broker, problem: Diagnosis | None) -> None:
        if problem is not None:
            self.board.notice(f"{problem.message}. {problem.hint}", "error")
        elif broker is self.broker.current:
            self._feed.ensure(self.board.target, ran, broker)

    def _run_settled(self) -> None:
        self.next.keep_warm()
        self.traces.keep_warm()

    def _run_ended(self, end: RunEnd) -> None:
        if end.failure is not None:
            self.board.fail(end.failure)
            return
        self.board.phase = Phase.STOPPED
        if end.outcome == "killed":
            self.board.notice("killed; the epoch that was under way is repeated", "warning")
        else:
            self.board.notice(f"{end.outcome}, everything is committed")

    def _open_broker(self) -> None:
        self.broker.open(self.broker.choice, partial(self._opened, self.broker.choice))

    def _opened(self, choice: str, result: Broker | Diagnosis) -> None:
        if isinstance(result, Diagnosis):
            self.broker.failed(result)
            self.board.fail(result)
        else:
            self._adopt(result, choice)
            self.next.proceed()

    def _switched(self, choice: str, result: Broker | Diagnosis) -> None:
        if isinstance(result, Diagnosis) and self.broker.current is not None:
            self.board.notice(f"the broker stays: {result.message}. {result.hint}", "error")
        elif isinstance(result, Diagnosis):
            self._opened(choice, result)
        else:
            self._feed.end()
            self.run.end(Drain(), partial(self._move, result, choice))

    def _move(self, broker: Broker, choice: str, _end: RunEnd) -> None:
        self.next.drop()
        self._adopt(broker, choice)
        if self.next.wanted:
            self.next.load()
        else:
            self.board.phase = Phase.STOPPED

    def _adopt(self, broker: Broker, choice: str) -> None:
        self.envelopes.leave_flow()
        self.broker.adopt(broker, choice)
        self._claiming.claim(self.board.target, choice)
        self.next.forget_state()

    def _open_flow(self, target: str, broker: str | None, look_only: bool, _end: RunEnd) -> None:
        self._feed.end()
        self.envelopes.leave_flow()
        self.board.open(target)
        self.board.look_only = look_only
        if broker is not None:
            self.broker.leave()
            self.broker.open(broker, partial(self._opened, broker))
        self._claiming.claim(target, broker or self.broker.choice)
        self.run.paused = False
        self.next.open(target)


def _tell_inbox(
    board: Board,
    broker: BrokerLife,
    succession: Succession,
    inbox: Inbox,
    config_path: str | None,
    host: LiveHost,
) -> None:
    """Have the inbox be about what *host* has loaded."""
    store = succession.handover.folder(host)
    seen = flow_of(board.target, config_path, host, broker.current, store)
    if seen is not None:
        inbox.flow_runs(seen)


def _whereabouts(
    board: Board, broker: BrokerLife, succession: Succession, config_path: str | None
) -> Whereabouts:
    """Return where the flow is now; called from any thread."""
    current = broker.current
    return Whereabouts(
        target=board.target,
        config_path=config_path,
        store=succession.handover.store,
        thinned=succession.handover.keeps_store,
        bootstrap=None if current is None else current.bootstrap,
        plaintext=current is not None and current.owned,
    )
