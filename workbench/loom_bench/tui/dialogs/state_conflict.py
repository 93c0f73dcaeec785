"""The screen that asks what becomes of state that does not fit a new revision."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical

from loom_bench.session.value import StateConflict
from loom_bench.tui.dialogs.about import about_lines
from loom_bench.tui.dialogs.list_dialog import ListDialog
from loom_bench.tui.ink import Ink, Line, Run
from loom_bench.tui.widgets.line_table import Column, LineTable, TableForm
from loom_bench.tui.widgets.lines import Lines


@dataclass(frozen=True)
class Decision:
    """The answer to a conflict.

    Attributes:
        mapping: Old state id to new state id.
        empty: State ids that start empty.
        keep_old: Whether the old revision keeps running instead.
    """

    mapping: Mapping[str, str]
    empty: tuple[str, ...]
    keep_old: bool = False


@dataclass(frozen=True)
class _Row:
    """A row: a state of the new revision, or one of the two ways to end."""

    key: str
    told: str
    choice: str
    ink: Ink


class Draft:
    """A decision in the making: what each state of the new revision begins with.

    Args:
        conflict: What does not fit.
    """

    def __init__(self, conflict: StateConflict) -> None:
        self.conflict = conflict
        self._from: dict[str, str | None] = dict.fromkeys((*conflict.new, *conflict.changed))
        if len(conflict.new) == len(conflict.gone) == 1:  # most likely it was renamed
            self._from[conflict.new[0]] = conflict.gone[0]

    def turn(self, state_id: str, step: int) -> None:
        """Give a new state its next possible beginning; a changed one can only start empty."""
        if state_id not in self.conflict.new:
            return
        taken = {old for new, old in self._from.items() if new != state_id}
        options = [None, *(old for old in self.conflict.gone if old not in taken)]
        at = options.index(self._from[state_id])
        self._from[state_id] = options[(at + step) % len(options)]

    def begins_with(self, state_id: str) -> str | None:
        """Return the old state id whose state it takes over; ``None`` when it starts empty."""
        return self._from[state_id]

    @property
    def left_over(self) -> tuple[str, ...]:
        """Old state ids that nothing takes over."""
        return tuple(old for old in self.conflict.gone if old not in self._from.values())

    def decision(self) -> Decision:
        """Return it as it stands."""
        mapping = {old: new for new, old in self._from.items() if old is not None}
        empty = tuple(new for new, old in self._from.items() if old is None)
        return Decision(mapping, empty)


_APPLY, _KEEP = "apply", "keep"


def _rows(draft: Draft) -> Iterator[_Row]:
    for state_id in (*draft.conflict.new, *draft.conflict.changed):
        changed = state_id in draft.conflict.changed
        old = draft.begins_with(state_id)
        choice = "starts empty" if old is None else f"takes over the state of {old}"
        told = f"{state_id}  {'its type changed' if changed else 'is new'}"
        yield _Row(f"state {state_id}", told, choice, Ink.WARN if old is None else Ink.GOOD)
    for state_id in draft.left_over:
        yield _Row(f"gone {state_id}", f"{state_id}  is gone", "its state is left behind", Ink.WARN)
    yield _Row(_APPLY, f"Start r{draft.conflict.revision} so", "", Ink.STRONG)
    yield _Row(_KEEP, "Keep the old revision", "", Ink.STRONG)


def _cells(row: _Row, _: int) -> Sequence[Run]:
    arrow = "> " if row.key in (_APPLY, _KEEP) else "  "
    return (arrow, Ink.KEY), (row.told, Ink.STRONG), (row.choice, row.ink)


_FORM = TableForm((Column("", 2), Column("", 36), Column("", 0)), _cells, lambda row: row.key)


class StateConflictDialog(ListDialog[Decision]):
    """Asks for a :class:`Decision`; answers ``None`` when it was closed without one.

    Args:
        conflict: What does not fit.
    """

    CSS_PATH = "dialogs.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        ("left,h,minus", "turn(-1)", "Before"),
        ("right,l,space,plus", "turn(1)", "Next"),
    ]

    def __init__(self, conflict: StateConflict) -> None:
        super().__init__()
        self._draft = Draft(conflict)
        self._table = _ChoiceTable(_FORM)

    def compose(self) -> ComposeResult:
        """Yield what happened and the rows."""
        with Vertical(classes="dialog wide-short") as box:
            revision = self._draft.conflict.revision
            box.border_title = f"r{revision} does not fit the state in the store"
            told: Sequence[Line] = (
                (("It is not started until you choose. The old revision goes on.", Ink.PLAIN),),
                (),
            )
            yield about_lines(told)
            rows = tuple(_rows(self._draft))
            self._table.styles.height = min(14, len(rows) + 1)
            self._table.show(rows, 0)
            yield self._table
            keys = Lines(classes="dialog-keys")
            keys.show(
                (
                    (
                        ("left right", Ink.KEY),
                        (" change   ", Ink.DIM),
                        ("enter", Ink.KEY),
                        (" on > does it   ", Ink.DIM),
                        ("esc", Ink.KEY),
                        (" decides later", Ink.DIM),
                    ),
                )
            )
            yield keys

    def on_mount(self) -> None:
        """Begin in the rows."""
        self._table.focus()

    def action_turn(self, step: int) -> None:
        """Change what the selected state begins with."""
        row = self._table.selected
        if row is not None and row.key.startswith("state "):
            self._draft.turn(row.key.removeprefix("state "), step)
            self._table.show(tuple(_rows(self._draft)), 0)
            self._table.refresh()

    @on(LineTable.Chosen)
    def _chosen(self, event: LineTable.Chosen) -> None:
        if event.item.key == _APPLY:
            self.dismiss(self._draft.decision())
        elif event.item.key == _KEEP:
            self.dismiss(Decision({}, (), keep_old=True))
        else:
            self.action_turn(1)


class _ChoiceTable(LineTable[_Row]):
    """Its left and right keys belong to the dialog."""

    BINDINGS: ClassVar[list[BindingType]] = [
        ("left,h", "screen.turn(-1)", "Before"),
        ("right,l,space", "screen.turn(1)", "Next"),
    ]
