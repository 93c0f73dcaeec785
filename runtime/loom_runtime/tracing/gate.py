"""Stops a run at a record: a breakpoint before a node, or a failure before its envelope is written.

While anything may stop a run, its sink keeps what an epoch writes until the epoch ends. So nothing
of the epoch is out while a record is decided about, and a run that is ended meanwhile leaves the
whole epoch to the next one: nothing lost, nothing repeated.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from itertools import count
from queue import Empty, SimpleQueue
from threading import Lock
from typing import Any, Final

from loom_runtime.compiler.plan import CompiledNode, NodePath
from loom_runtime.engine_control import RunControl
from loom_runtime.errors import ErrorEnvelope
from loom_runtime.execution.boundary import FailureListener
from loom_runtime.execution.layout import Layout
from loom_runtime.execution.outcome import Outcome
from loom_runtime.execution.statistics import NodeStatistics
from loom_runtime.failures import RunAbandonedError
from loom_runtime.message import Message
from loom_runtime.tracing.breakpoints import Breakpoints
from loom_runtime.tracing.failures import FailureNotes
from loom_runtime.tracing.gate_watch import GateWatch
from loom_runtime.tracing.labels import Label, labels_of
from loom_runtime.tracing.masking import Masking
from loom_runtime.tracing.shown import EditedMessage
from loom_runtime.tracing.trace import SourceRecord, Trace, TraceOutcome
from loom_runtime.tracing.tracer import TraceRefusedError, made_message
from loom_runtime.tracing.way import Failed, Way

_LOOK_S: Final = 0.05


class GateAction(StrEnum):
    """What becomes of a record that is stopped at; see the bench's protocol."""

    GO_ON = "go_on"
    SKIP = "skip"
    DEAD_LETTER = "dead_letter"
    EDIT = "edit"
    RUN_AGAIN = "run_again"


@dataclass(frozen=True)
class Decision:
    """What was decided.

    Attributes:
        action: What becomes of the record.
        message: What the node takes, for ``edit`` and ``run_again``.
    """

    action: GateAction
    message: Message[Any] | None = None


@dataclass(frozen=True)
class RecordStop:
    """A record at which a run has stopped.

    Attributes:
        number: Its number, ascending.
        node: Id of the node.
        breakpoint: The breakpoint that was met; ``None`` for a failure.
        trace: The record's way so far.
        waiting: How many more of its batch stop here.
    """

    number: int
    node: str
    breakpoint: int | None
    trace: Trace
    waiting: int


class GateListener:
    """Told of stops, on the thread that stops. The base tells nobody."""

    def stopped(self, stop: RecordStop) -> None:
        """The run has stopped."""

    def ended(self, number: int, action: GateAction | None, problem: str | None) -> None:
        """A stop is over; with a *problem* it is not, and the answer could not be used."""


class Gate:
    """Where the run of one process is to stop. Every public method may be called from any thread.

    Attributes:
        pause_on_error: Whether it stops at failures.
        breakpoints: Where else it stops.

    Args:
        listener: Told of stops.
        masking: Says which local variables are secret.
    """

    def __init__(self, listener: GateListener, masking: Masking | None = None) -> None:
        self.pause_on_error = False
        self._listener = listener
        self._notes = FailureNotes(masking or Masking())
        self.breakpoints = Breakpoints()
        self._numbers = count(1)
        self._answers: SimpleQueue[tuple[int, GateAction, EditedMessage | None]] = SimpleQueue()
        self._asking = Lock()
        self._changes = Lock()
        self._statistics: list[tuple[NodeStatistics, GateWatch]] = []
        self._holding: dict[str, bool] = {}
        self._layout: Layout | None = None
        self._labels: dict[NodePath, Label] = {}
        self._ways: dict[int, Way] = {}
        self._failed: dict[int, Failed] = {}
        self._control: RunControl | None = None
        self._abandon: Callable[[], None] | None = None
        self._revision: str | None = None

    def attach(
        self,
        layout: Layout,
        control: RunControl,
        abandon: Callable[[], None],
        revision: str | None,
    ) -> None:
        """Take in which run it is for, before its workers are made.

        Args:
            layout: The plan, cut into segments.
            control: Says when the run is asked to end.
            abandon: Commits what earlier epochs have written.
            revision: Revision of the flow's code.
        """
        self._layout, self._control, self._abandon = layout, control, abandon
        self._labels, self._revision = labels_of(layout), revision

    @property
    def wanted(self) -> bool:
        """Whether anything may stop the run."""
        return self.pause_on_error or bool(self.breakpoints)

    @property
    def armed(self) -> bool:
        """Whether it stops now: every part of the sink that has anything keeps it."""
        return self.wanted and all(self._holding.values())

    def set_pause_on_error(self, on: bool) -> None:
        """Choose whether the run stops at failures."""
        self.pause_on_error = on
        self._watch()

    def set_breakpoint(self, number: int, node: str, text: str | None, layout: Layout) -> None:
        """Stop before *node* takes a record that fits *text*; raises as :meth:`Breakpoints.set`."""
        self.breakpoints.set(number, node, text, layout)
        self._watch()

    def clear_breakpoint(self, number: int) -> None:
        """Forget a breakpoint."""
        self.breakpoints.clear(number)
        self._watch()

    def answer(self, number: int, action: GateAction, message: EditedMessage | None) -> None:
        """Have the run go on from a stop."""
        self._answers.put((number, action, message))

    def register(self, worker: object, path: NodePath, statistics: NodeStatistics) -> None:
        """Take in that a worker has a node."""
        label = self._labels.get(path)
        if label is None:
            return
        with self._changes:
            way = self._ways.setdefault(id(worker), Way())
            watch = GateWatch(self, label, way)
            self._statistics.append((statistics, watch))
            statistics.watcher = watch if self.wanted else None

    def holds(self, part: str, *, holding: bool) -> None:
        """Take in whether a part of the sink keeps what the epoch that begins writes."""
        self._holding[part] = holding

    def listening(self, listener: FailureListener | None) -> FailureListener:
        """Return what boundaries call: *listener*, and this."""

        def failed(
            envelope: ErrorEnvelope[Any],
            message: Message[Any] | None,
            node: CompiledNode | None,
            error: BaseException,
        ) -> None:
            if listener is not None:
                listener(envelope, message, node, error)
            if self.pause_on_error and self.armed:
                label = None if node is None else self._labels.get(node.path)
                self._failed[id(envelope)] = Failed(envelope, message, label, error)

        return failed

    def failure(self, envelope: ErrorEnvelope[Any]) -> Failed | None:
        """Return what is known of a failure; ``None`` when it is decided about."""
        return self._failed.get(id(envelope))

    def decided(self, envelope: ErrorEnvelope[Any]) -> None:
        """Take in that a failure is decided about."""
        self._failed.pop(id(envelope), None)

    def settle(self, worker: object, out: Outcome) -> None:
        """Ask about failures that no node's own stop could: a key that cannot be told, a record
        that comes too late. The batch is done then."""
        way = self._ways.get(id(worker))
        if way is None:
            return
        if self.pause_on_error and self.armed:
            failures, out.failures = out.failures, []
            for number, (offset, envelope) in enumerate(failures):
                failed = self.failure(envelope)
                if failed is None or failed.label is None or failed.message is None:
                    out.failures.append((offset, envelope))
                    continue
                meta = failed.message.meta
                decision = self.ask(
                    way,
                    failed.label,
                    (meta.topic or "", meta.partition or 0, offset),
                    message=failed.message,
                    failed=failed,
                    waiting=len(failures) - number - 1,
                    refuse=lambda _: "it failed before the node took it: change the code instead",
                )
                self.decided(envelope)
                if decision.action is GateAction.SKIP:
                    out.filtered.append(offset)
                else:
                    out.failures.append((offset, envelope))
        way.clear()
        if self._failed and not any(each.stations for each in self._ways.values()):
            self._failed.clear()

    def ask(
        self,
        way: Way,
        label: Label,
        place: tuple[str, int, int],
        *,
        message: Message[Any] | None = None,
        failed: Failed | None = None,
        met: int | None = None,
        waiting: int = 0,
        refuse: Callable[[Message[Any]], str | None] | None = None,
    ) -> Decision:
        """Stop at a record and return what is decided about it.

        Args:
            way: The batch that it is in.
            label: The node.
            place: Topic, partition and offset of the source record.
            message: What the node would take, or took.
            failed: The failure; ``None`` at a breakpoint.
            met: The breakpoint.
            waiting: How many more of its batch stop here.
            refuse: Says why the node cannot take a message.

        Raises:
            RunAbandonedError: When the run is to end meanwhile.
        """
        with self._asking:
            number = next(self._numbers)
            record = way.record(*place)
            stop = RecordStop(
                number=number,
                node=label.node,
                breakpoint=met,
                trace=self._trace(way, record, failed),
                waiting=waiting,
            )
            self._listener.stopped(stop)
            while True:
                action, edited = self._answer(number, failed)
                try:
                    made = made_message(edited, record) if edited is not None else message
                except TraceRefusedError as error:
                    self._listener.ended(number, None, str(error))
                    continue
                problem: str | None = None
                if action in (GateAction.EDIT, GateAction.RUN_AGAIN):
                    problem = "there is no message to run again"
                    if made is not None:
                        problem = None if refuse is None else refuse(made)
                if problem is not None:
                    self._listener.ended(number, None, problem)
                    continue
                self._listener.ended(number, action, None)
                return Decision(action, made)

    def _answer(
        self, number: int, failed: Failed | None
    ) -> tuple[GateAction, EditedMessage | None]:
        while True:
            try:
                answered, action, edited = self._answers.get(timeout=_LOOK_S)
            except Empty:
                if self._control is not None and self._control.stop is not None:
                    self._give_up(number)
                if failed is not None and not self.pause_on_error:
                    return GateAction.GO_ON, None
                continue
            if answered == number:
                return action, edited

    def _give_up(self, number: int) -> None:
        if self._abandon is not None:
            self._abandon()
        self._listener.ended(number, None, None)
        raise RunAbandonedError(
            "the run was ended while it stood at a record",
            where="the record that it had stopped at",
            what_next="start the flow again: it reads the epoch that was under way again",
        )

    def _trace(self, way: Way, record: SourceRecord, failed: Failed | None) -> Trace:
        source = self._labels[()]
        stops = way.stops(source, record, self._notes, failed)
        return Trace(
            flow="" if self._layout is None else self._layout.plan.name,
            revision=self._revision,
            record=record,
            start=source.node,
            stops=stops,
            failures=tuple(each for stop in stops for each in stop.failures),
            outcome=TraceOutcome.UNDER_WAY,
        )

    def _watch(self) -> None:
        with self._changes:
            for statistics, watch in self._statistics:
                statistics.watcher = watch if self.wanted else None
