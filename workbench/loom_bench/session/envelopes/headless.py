"""The inbox of a flow that need not run: for commands and scripts."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, Self

from loom_bench.broker.choice import open_broker
from loom_bench.broker.contract import Broker, BrokerError
from loom_bench.protocol.diagnosis import Diagnosis
from loom_bench.protocol.frames import Load, Loaded
from loom_bench.session.asking import load_plan
from loom_bench.session.envelopes.flow_view import InboxFlow, load_of
from loom_bench.session.envelopes.headless_traces import HeadlessTraces
from loom_bench.session.envelopes.inbox import Inbox
from loom_bench.session.envelopes.value import InboxValue
from loom_bench.session.live.stores import Stores, triage_path
from loom_bench.session.tracing.value import TraceState, TraceView, TracingView
from loom_runtime.failures import RunError
from loom_runtime.recovery.identity import load_identity

WAIT_S: Final = 60.0
"""How long topics may stand still before reading them is given up."""

_LOOK_S: Final = 0.05

_MADE_FOR_A_SESSION: Final = frozenset({"embedded", "auto"})


class HeadlessError(Exception):
    """A command about envelopes cannot be done.

    Attributes:
        diagnoses: What is wrong, at least one.
    """

    def __init__(self, *diagnoses: Diagnosis) -> None:
        super().__init__(diagnoses[0].message)
        self.diagnoses = diagnoses


class HeadlessInbox:
    """Opens a flow's inbox on a broker that runs. A context manager.

    Attributes:
        inbox: The inbox.
        flow: The flow.
        traces: Traces of opened envelopes; ``None`` when none are made.

    Args:
        target: Path of the module, with ``:ATTRIBUTE`` when it has several flows.
        broker: Address of the broker.
        config_path: Configuration file; ``None`` looks for one beside the module.
        time_limit_ms: Longest time that importing and compiling may take.
        traced: Whether opened envelopes are traced.
        store: The recovery store that keyed steps find their state in; ``None`` for the one that
            a session of the flow would have on this broker, if there is one.

    Raises:
        HeadlessError: When the flow does not load, the broker cannot be reached, or *store* is no
            recovery store.
    """

    def __init__(
        self,
        target: str,
        broker: str,
        config_path: str | None,
        time_limit_ms: int,
        *,
        traced: bool = False,
        store: Path | None = None,
    ) -> None:
        if broker in _MADE_FOR_A_SESSION:
            raise HeadlessError(
                Diagnosis(
                    code="no_topics",
                    message=f"the {broker} broker has no topics yet: it is made for a session, and "
                    "its topics die with it",
                    component="--broker",
                    hint="Name a broker that runs with --broker HOST:PORT. Envelopes of a session "
                    "on a broker of the bench's own are looked at in that session.",
                )
            )
        loaded = load_plan(
            Load(target=target, config_path=config_path, time_limit_ms=time_limit_ms)
        )
        if isinstance(loaded, tuple):
            raise HeadlessError(*loaded)
        if store is not None:
            _check_store(store)
        self._broker = _open(broker)
        self.flow = InboxFlow(
            target=target,
            config_path=config_path,
            module=loaded.module,
            plan=loaded.plan,
            bootstrap=self._broker.bootstrap,
            owned=self._broker.owned,
            lasting=self._broker.lasting,
        )
        load = load_of(self.flow, time_limit_ms)
        used = store or self._store_of(loaded)
        self.traces = HeadlessTraces(load, used) if traced else None
        view = TracingView if self.traces is None else self.traces.value
        self.inbox = Inbox(self.traces, view, triage_path, time_limit_ms=time_limit_ms)
        self.inbox.flow_runs(self.flow)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.inbox.close()
        if self.traces is not None:
            self.traces.close()
        self._broker.stop()

    def _store_of(self, loaded: Loaded) -> Path | None:
        """Return the store that a session of the flow would have here, if there is one."""
        if self._broker.lasting is None:
            return None
        folder = Stores().folder(self.flow.target, self._broker, loaded)
        return folder if folder is not None and folder.is_dir() else None

    def read_all(self) -> InboxValue:
        """Return the inbox when everything that lies in the topics has arrived.

        Raises:
            HeadlessError: When a topic cannot be read, or no record comes for a minute.
        """
        return self.until(_is_read, "the topics were not read to their end")

    def traced(self) -> TraceView:
        """Return the newest trace of the open envelope when it has ended.

        Raises:
            HeadlessError: When there is none, or it does not end.
        """
        while True:
            value = self.until(lambda value: value.opened is not None, "no envelope is open")
            opened = value.opened
            if opened is not None and opened.problem is not None:
                raise HeadlessError(opened.problem)
            views = () if self.traces is None else self.traces.value().traces
            for view in views:
                ended = view.state in (TraceState.DONE, TraceState.REFUSED)
                if ended and opened is not None and view.number == opened.trace:
                    return view
            time.sleep(_LOOK_S)

    def until(
        self, holds: Callable[[InboxValue], object], what: str, *, limit_s: float = WAIT_S
    ) -> InboxValue:
        """Return the first value that *holds*, waiting while envelopes come.

        Raises:
            HeadlessError: When it does not come; *what* says so.
        """
        heard_s, seen = time.monotonic(), -1
        while True:
            value = self.inbox.value()
            problem = next((each.problem for each in value.topics if each.problem), None)
            if problem is not None:
                raise HeadlessError(problem)
            if holds(value):
                return value
            if value.kept.seen != seen:
                heard_s, seen = time.monotonic(), value.kept.seen
            if time.monotonic() - heard_s > limit_s:
                raise HeadlessError(
                    Diagnosis(
                        code="no_answer",
                        message=f"{what} within {limit_s:g} s",
                        component=self.flow.bootstrap,
                        hint="Check that the broker is up.",
                    )
                )
            time.sleep(_LOOK_S)


def _is_read(value: InboxValue) -> bool:
    return bool(value.topics) and all(each.behind == 0 for each in value.topics)


def _check_store(folder: Path) -> None:
    try:
        there = load_identity(folder) is not None
        problem = "it holds no recovery store"
    except (RunError, OSError) as error:
        there, problem = False, str(error)
    if not there:
        raise HeadlessError(
            Diagnosis(
                code="no_store",
                message=f"keyed state cannot be read from {folder}: {problem}",
                component="--store",
                hint="Name the folder that `loom-bench run --store` or the configuration names.",
            )
        )


def _open(choice: str) -> Broker:
    try:
        return open_broker(choice)
    except BrokerError as error:
        raise HeadlessError(
            Diagnosis(
                code="broker_failed",
                message=error.what,
                component=error.where,
                hint=error.what_next,
            )
        ) from error
