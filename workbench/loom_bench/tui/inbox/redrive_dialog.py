"""The screen of a redrive: what, where to, how fast; its dry run; how far it is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar, Final

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.widgets import Input

from loom_bench.session.envelopes.commands import EnvelopeCommands
from loom_bench.session.envelopes.redrive_value import RedrivePlan
from loom_bench.session.envelopes.terms import RedriveGoal, RedriveTarget
from loom_bench.tui.dialogs.confirming import TypedConfirmation
from loom_bench.tui.dialogs.list_dialog import ListDialog
from loom_bench.tui.figures import count_text, of_many
from loom_bench.tui.inbox.redrive_lines import plan_lines, progress_lines
from loom_bench.tui.inbox.redrive_scopes import Scope
from loom_bench.tui.ink import Ink, Line
from loom_bench.tui.widgets.choice_table import CHOICE_KEYS, ChoiceRow, choice_form
from loom_bench.tui.widgets.line_table import LineTable
from loom_bench.tui.widgets.lines import Lines
from loom_bench.tui.widgets.turned_table import TurnedTable

_GOALS: Final = (
    (RedriveGoal.SOURCE, "their source topic, same partition and key"),
    (RedriveGoal.TOPIC, "another topic, by key"),
    (RedriveGoal.FLOW, "straight through the flow, as its code is now"),
)
_RATES: Final[tuple[float | None, ...]] = (None, 1.0, 10.0, 100.0, 1_000.0, 10_000.0)
_TOLD_ROWS: Final = 11


class RedriveDialog(ListDialog[None]):
    """Asks for dry runs as choices change, and for the redrive itself.

    Args:
        inbox: The inbox.
        scopes: What may be redriven, the nearest first.
    """

    CSS_PATH = "../dialogs/dialogs.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        ("c", "cancel", "Cancel"),
    ]

    def __init__(self, inbox: EnvelopeCommands, scopes: Sequence[Scope]) -> None:
        super().__init__()
        self._inbox = inbox
        self._scopes = scopes
        self._scope = self._goal = self._rate = 0
        self._topic = ""
        self._started = False
        self._table = TurnedTable(choice_form(8))
        self._field = Input(placeholder="TOPIC", classes="topic")
        self._told = Lines(classes="about")
        self._keys = Lines(classes="dialog-keys")

    def compose(self) -> ComposeResult:
        """Yield the choices and what comes of them."""
        with Vertical(classes="dialog wide-short") as box:
            box.border_title = "redrive"
            self._table.styles.height = 4
            yield self._table
            self._field.display = False
            yield self._field
            self._told.styles.height = _TOLD_ROWS
            yield self._told
            yield self._keys

    def on_mount(self) -> None:
        """Begin in the choices, with a dry run."""
        self._plan()
        self.redraw()
        self._table.focus()
        self._table.action_bottom()

    # Drawing

    def redraw(self) -> None:
        """Show what is so now."""
        value = self._inbox.value()
        self._table.show(tuple(self._rows(self._plan_shown())), 0)
        running = value.redrive is not None and value.redrive.state == "running"
        if value.redrive is not None and (self._started or running):
            self._told.show(((), *progress_lines(value.redrive)))
        else:
            self._told.show(((), *plan_lines(self._plan_shown())))
        self._keys.show((_keys(running=running),))

    def _plan_shown(self) -> RedrivePlan | None:
        """Return the dry run of what is chosen; ``None`` while there is only another one's."""
        plan = self._inbox.value().plan
        if plan is None or plan.target != self._target():
            return None
        return plan if plan.selection == self._scopes[self._scope].selection else None

    def _rows(self, plan: RedrivePlan | None) -> Iterator[ChoiceRow]:
        rate = _RATES[self._rate]
        goal, where = _GOALS[self._goal]
        if goal is RedriveGoal.TOPIC:
            where += f": {self._topic}" if self._topic else "; enter names it"
        yield ChoiceRow("scope", "what", self._scopes[self._scope].title)
        yield ChoiceRow("goal", "where to", where)
        yield ChoiceRow(
            "rate",
            "rate",
            "as fast as it goes" if rate is None else f"{count_text(int(rate))} records a second",
        )
        counted = "" if plan is None else f" {of_many(plan.records, 'record')}"
        yield ChoiceRow("do", "redrive", counted)

    # Choosing

    def action_turn(self, step: int) -> None:
        """Change the choice under the cursor."""
        row = self._table.selected
        if row is None:
            return
        if row.key == "scope":
            self._scope = (self._scope + step) % len(self._scopes)
        elif row.key == "goal":
            self._goal = (self._goal + step) % len(_GOALS)
        elif row.key == "rate":
            self._rate = (self._rate + step) % len(_RATES)
        if row.key in ("scope", "goal"):
            self._started = False
            self._plan()
        self.redraw()

    def _target(self) -> RedriveTarget:
        goal = _GOALS[self._goal][0]
        return RedriveTarget(goal=goal, topic=self._topic if goal is RedriveGoal.TOPIC else "")

    def _plan(self) -> None:
        target = self._target()
        needs_topic = target.goal is RedriveGoal.TOPIC
        self._field.display = needs_topic
        if target.topic or not needs_topic:
            self._inbox.plan_redrive(self._scopes[self._scope].selection, target)

    @on(Input.Submitted)
    def _topic_typed(self, event: Input.Submitted) -> None:
        self._topic = event.value.strip()
        self._plan()
        if self._topic:
            self._table.focus()
        self.redraw()

    # Doing

    @on(LineTable.Chosen)
    def _chosen(self, event: LineTable.Chosen) -> None:
        if event.item.key == "do":
            self._start()
        elif event.item.key == "goal" and self._field.display:
            self._field.focus()
        else:
            self.action_turn(1)

    def _start(self) -> None:
        plan = self._plan_shown()
        if plan is None or plan.problem is not None or not plan.records:
            return
        if not plan.typed:
            self._begin(None)
            return
        warning: tuple[Line, ...] = (
            (("The bench did not start this broker.", Ink.WARN),),
            ((f"It would write {of_many(plan.records, 'record')} to it.", Ink.PLAIN),),
        )

        def answered(sure: bool | None) -> None:
            if sure:
                self._begin(plan.address)

        confirmation = TypedConfirmation("a broker of yours", warning, plan.address)
        self.app.push_screen(confirmation, answered)

    def _begin(self, address: str | None) -> None:
        self._started = True
        self._inbox.start_redrive(rate_per_s=_RATES[self._rate], typed_address=address)
        self.redraw()

    def action_cancel(self) -> None:
        """End the redrive under way."""
        self._inbox.cancel_redrive()

    def action_close(self) -> None:
        """Leave; a redrive under way goes on, a plan is dropped."""
        redrive = self._inbox.value().redrive
        if not self._started and (redrive is None or redrive.state != "running"):
            self._inbox.cancel_redrive()
        self.dismiss(None)


def _keys(*, running: bool) -> Line:
    if running:
        return (
            ("c", Ink.KEY),
            (" cancels   ", Ink.DIM),
            ("esc", Ink.KEY),
            (" lets it go on", Ink.DIM),
        )
    return CHOICE_KEYS
