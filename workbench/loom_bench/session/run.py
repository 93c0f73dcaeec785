"""One headless run: opens the broker, has the flow loaded, fed and run, and ends it all."""

from __future__ import annotations

import contextlib
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from functools import partial
from typing import Final, Literal

from loom_bench.broker.contract import Broker, BrokerError
from loom_bench.broker.opening import OpeningStep
from loom_bench.protocol.diagnosis import Diagnosis
from loom_bench.protocol.frames import (
    Drain,
    Errors,
    Events,
    Finished,
    FinishWhenIdle,
    Ledger,
    Load,
    Loaded,
    LoadFailed,
    Start,
    Started,
)
from loom_bench.session.broker_side import (
    BrokerSide,
    OpenBroker,
    broker_death,
    broker_failure,
    broker_opening,
    broker_ready,
)
from loom_bench.session.endings import ended, undrained
from loom_bench.session.feed_side import FeedSide
from loom_bench.session.happenings import (
    Failed,
    FlowLoaded,
    Happening,
    NewError,
    OutputShown,
    RunStarted,
    Stopping,
)
from loom_bench.session.host_process import HostEnded, HostNews, HostProcess, OutputLine
from loom_bench.session.load_deadline import LOOK_INTERVAL_S, LoadDeadline
from loom_bench.session.mailbox import BrokerOpened, FromHost, Mail, Mailbox, Origin, StopRequest
from loom_bench.session.snapshots.revisions import Revisions
from loom_bench.session.tally import Tally
from loom_bench.session.topics import topics_of

PROGRESS_INTERVAL_S: Final = 1.0

_MAX_ERRORS_TOLD = 20
"""Error groups told when they first come; the summary at the end has them all."""

_LAST_LINES = 20

Outcome = Literal["finished", "drained", "failed", "killed"]


@dataclass(frozen=True)
class RunOptions:
    """What to run and how.

    Attributes:
        target: Path of the module, with ``:ATTRIBUTE`` when it has several flows.
        config_path: Configuration file; ``None`` looks for one beside the module.
        broker: ``embedded``, ``docker``, ``auto``, or the address of a broker.
        until_idle_ms: Finish when nothing was there to read for so long; a feed ends first.
        max_records: Finish when so many were read.
        feed_rate_per_s: Records per second of the feed; ``None`` for as fast as it goes.
        load_time_limit_ms: Longest time that importing and compiling may take.
        drain_time_limit_ms: Longest time that a drain may take.
        store: Folder that takes the place of the configured recovery store; ``None`` for none.
    """

    target: str
    config_path: str | None = None
    broker: str = "embedded"
    until_idle_ms: int | None = None
    max_records: int | None = None
    feed_rate_per_s: float | None = None
    load_time_limit_ms: int = 20_000
    drain_time_limit_ms: int = 60_000
    store: str | None = None


class _Phase(Enum):
    STARTING = auto()
    LOADING = auto()
    RUNNING = auto()
    ENDED = auto()


class RunSession:
    """Runs one flow once.

    Args:
        options: What to run and how.
        open_broker: Opens the broker that the options choose.
        publish: Called on the thread that runs the session with everything that happens.
    """

    def __init__(
        self,
        options: RunOptions,
        open_broker: OpenBroker,
        publish: Callable[[Happening], None],
    ) -> None:
        self._options = options
        self._publish = publish
        self._mailbox = Mailbox()
        self._broker_side = BrokerSide(partial(open_broker, options.broker), self._mailbox)
        self._tally = Tally()
        self._phase = _Phase.STARTING
        self._outcome: Outcome = "failed"
        self._load_deadline: LoadDeadline | None = None
        self._drain_deadline_s: float | None = None
        self._broker: Broker | None = None
        self._flow_host: HostProcess | None = None
        self._feed = FeedSide(
            options.target,
            options.feed_rate_per_s,
            partial(self._spawn, Origin.FEED),
            self._tally,
        )
        self._stopping = False
        self._errors_told = 0
        self._last_lines: deque[str] = deque(maxlen=_LAST_LINES)
        self._lines_left_out = 0

    def request_stop(self, how: Literal["drain", "kill"] | None = None) -> None:
        """Ask the run to end, from any thread or signal handler.

        Without *how* the first request drains and the second kills.
        """
        self._mailbox.put(StopRequest(how))

    def run(self) -> Outcome:
        """Run until the end; nothing that was started is left when this returns.

        Raises:
            OSError: When no process can be started.
        """
        self._broker_side.begin()
        try:
            self._flow_host = self._spawn(Origin.FLOW)
            self._feed.warm_up()
            self._loop()
        finally:
            self._feed.close()
            if self._flow_host is not None:
                self._flow_host.close()
            self._broker_side.close()
        summary = self._tally.error_summary()
        if summary is not None:
            self._publish(summary)
        self._publish(self._tally.final(self._outcome))
        return self._outcome

    @property
    def succeeded(self) -> bool:
        """Whether everything went as it should: the run ended as asked, its feed did not fail and
        its ledger balances."""
        ended_well = self._outcome in ("finished", "drained")
        return ended_well and not self._feed.failed and self._tally.balanced

    def _spawn(self, origin: Origin) -> HostProcess:
        return HostProcess(partial(self._mailbox.put_news, origin))

    def _loop(self) -> None:
        next_tick_s = time.monotonic() + PROGRESS_INTERVAL_S
        while self._phase is not _Phase.ENDED:
            now_s = time.monotonic()
            if now_s >= next_tick_s:
                next_tick_s = now_s + PROGRESS_INTERVAL_S
                self._tick()
            overdue = self._overdue(now_s)
            if overdue is not None:
                self._fail(overdue)
                return
            wake_s = min(next_tick_s, now_s + LOOK_INTERVAL_S)
            mail = self._mailbox.get(wake_s - now_s)
            if mail is not None:
                self._take(mail)

    def _overdue(self, now_s: float) -> Diagnosis | None:
        """Return what is wrong with the flow's host when it takes too long."""
        if self._load_deadline is not None:
            return self._load_deadline.passed()
        if self._flow_host is None or self._drain_deadline_s is None:
            return None
        if now_s < self._drain_deadline_s:
            return None
        dump = self._flow_host.dump_stacks()
        return undrained(self._options.target, self._options.drain_time_limit_ms, dump)

    def _take(self, mail: Mail) -> None:
        if isinstance(mail, OpeningStep):
            self._publish(broker_opening(mail))
        elif isinstance(mail, BrokerOpened):
            self._take_broker(mail.result)
        elif isinstance(mail, StopRequest):
            self._stop(mail.how)
        elif isinstance(mail.news, OutputLine):
            self._take_line(mail, mail.news)
        elif mail.origin is Origin.FLOW:
            self._take_flow_news(mail.news)
        elif (feed_ended := self._feed.take(mail.news)) is not None:
            self._publish(feed_ended)
            if self._options.until_idle_ms is not None and not self._stopping:
                self._send(FinishWhenIdle(self._options.until_idle_ms))

    def _take_broker(self, result: Broker | BrokerError) -> None:
        if isinstance(result, BrokerError):
            self._fail(broker_failure(result))
            return
        self._broker = result
        self._publish(broker_ready(result))
        self._phase = _Phase.LOADING
        options = self._options
        assert self._flow_host is not None  # noqa: S101 - run() has started it
        self._load_deadline = LoadDeadline(
            options.target, options.load_time_limit_ms, self._flow_host.stack_dump
        )
        self._send(
            Load(
                target=options.target,
                config_path=options.config_path,
                bootstrap=result.bootstrap,
                plaintext=result.owned,
                to_run=True,
                time_limit_ms=options.load_time_limit_ms,
            )
        )

    def _take_flow_news(self, news: HostNews) -> None:
        match news:
            case Loaded():
                self._load_deadline = None
                self._start(news)
            case LoadFailed():
                self._fail(*news.diagnoses)
            case Started():
                self._tally.started()
                self._publish(RunStarted(flow=self._tally.flow))
            case Ledger():
                self._tally.ledger(news.report)
            case Events():
                self._tally.events(news)
            case Errors():
                self._tell_new_errors(news)
            case Finished():
                self._finished(news)
            case HostEnded() if self._flow_host is not None:
                dump = self._flow_host.stack_dump()
                self._fail(ended(self._options.target, news, dump, self._last_lines))

    def _start(self, loaded: Loaded) -> None:
        assert self._broker is not None  # noqa: S101 - Load is sent when it is there
        plan, until_idle_ms = loaded.plan, self._options.until_idle_ms
        with contextlib.suppress(OSError):  # a run is worth more than its source's copy
            Revisions(self._options.target).keep(loaded)
        self._tally.flow = plan.flow
        self._publish(
            FlowLoaded(
                flow=plan.flow,
                target=self._options.target,
                nodes=len(plan.nodes),
                topics=plan.source.topics,
                config_sources=loaded.config_sources,
                replaced_brokers=loaded.replaced_brokers,
            )
        )
        feed_started = None
        if self._broker.writable:
            try:
                self._broker.create_topics(topics_of(plan), loaded.security.writing)
            except BrokerError as error:
                self._fail(broker_failure(error))
                return
            feed_started = self._feed.begin(loaded, self._broker.bootstrap)
        self._phase = _Phase.RUNNING
        self._send(
            Start(
                until_idle_ms=until_idle_ms if feed_started is None else None,
                max_records=self._options.max_records,
                store=self._options.store,
            )
        )
        if feed_started is not None:
            self._publish(feed_started)

    def _tick(self) -> None:
        if (progress := self._tally.progress()) is not None:
            self._publish(progress)
        if self._broker is not None and not self._broker.alive():
            self._fail(broker_death(self._broker))

    def _take_line(self, mail: FromHost, line: OutputLine) -> None:
        if mail.origin is Origin.FLOW and line.stream == "stderr":
            self._last_lines.append(line.text)
        left_out = mail.lines_left_out - self._lines_left_out
        self._lines_left_out = mail.lines_left_out
        self._publish(
            OutputShown(
                origin=mail.origin.value, stream=line.stream, text=line.text, left_out=left_out
            )
        )

    def _tell_new_errors(self, news: Errors) -> None:
        for group in self._tally.errors(news):
            if self._errors_told < _MAX_ERRORS_TOLD:
                self._errors_told += 1
                self._publish(NewError(group=group))

    def _stop(self, how: Literal["drain", "kill"] | None) -> None:
        kill = how == "kill" or (how is None and self._stopping)
        if not kill and self._stopping:
            return
        if kill or self._phase is not _Phase.RUNNING:
            self._publish(Stopping(how="kill"))
            self._outcome, self._phase = "killed", _Phase.ENDED
            return
        self._stopping = True
        self._drain_deadline_s = time.monotonic() + self._options.drain_time_limit_ms / 1000
        self._publish(Stopping(how="drain"))
        self._feed.stop()
        self._send(Drain())

    def _finished(self, news: Finished) -> None:
        self._outcome = news.outcome
        self._phase = _Phase.ENDED
        if news.failure is not None:
            self._publish(Failed(diagnoses=(news.failure,)))

    def _fail(self, *diagnoses: Diagnosis) -> None:
        self._outcome, self._phase = "failed", _Phase.ENDED
        self._publish(Failed(diagnoses=diagnoses))

    def _send(self, command: Load | Start | Drain | FinishWhenIdle) -> None:
        if self._flow_host is not None:
            self._flow_host.send(command)
