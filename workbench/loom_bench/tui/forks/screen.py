"""The forks of a store: a tree, what each takes, and whether code fits one of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.widget import Widget

from loom_bench.session.snapshots.value import ForkView, SnapshotsValue
from loom_bench.tui.actions import bindings
from loom_bench.tui.dialogs.asking_line import LineDialog
from loom_bench.tui.dialogs.choosing import ChoiceDialog
from loom_bench.tui.dialogs.confirming import TypedConfirmation
from loom_bench.tui.figures import bytes_text
from loom_bench.tui.forks.fit_lines import fit_lines
from loom_bench.tui.forks.mapping_dialog import Mapped, MappingDialog
from loom_bench.tui.forks.tree import TREE, Branch, branches_of, tree_line
from loom_bench.tui.ink import Ink, Line, plain
from loom_bench.tui.timeline.code_choices import REVISION_HINT, revision_choices
from loom_bench.tui.timeline.fork_names import free_name, parent_of
from loom_bench.tui.timeline.going import ReplaysFork
from loom_bench.tui.timeline.tabs import no_store_lines
from loom_bench.tui.timeline.time_screen import TimeScreen
from loom_bench.tui.widgets.line_table import LineTable
from loom_bench.tui.widgets.lines import Lines, ScrolledLines
from loom_bench.tui.widgets.list_panel import ListPanel


class ForksScreen(TimeScreen):
    """Shows the forks, and hands on what is wanted of one."""

    PLACE = "forks"
    BINDINGS: ClassVar[list[BindingType]] = bindings("forks")

    def __init__(self, keymap: Mapping[str, str]) -> None:
        super().__init__(keymap)
        self._summary = Lines(classes="summary")
        self.branches: LineTable[Branch] = LineTable(TREE, id="forks")
        self._detail = ScrolledLines(id="fit")
        self._drawn_from: tuple[Sequence[ForkView], str] = ((), "")
        self._shown: Sequence[Branch] = ()

    def compose_time(self) -> ComposeResult:
        """Yield the tree, and what is known of the chosen fork."""
        yield self._summary
        yield self.branches
        yield self._detail

    def parts(self) -> Sequence[Widget]:
        """Return tree and details."""
        return (self.branches, self._detail)

    # Drawing

    def show_time(self, snapshots: SnapshotsValue, now_ms: int) -> None:
        """Draw the forks."""
        opened = "" if snapshots.timeline is None else snapshots.timeline.store
        if (snapshots.forks, opened) != self._drawn_from:
            self._drawn_from = (snapshots.forks, opened)
            self._shown = branches_of(snapshots.forks, opened)
        self._summary.show((tree_line(snapshots.forks, parent_of(snapshots)),))
        self.branches.show(self._shown, now_ms, tuple(_instead(snapshots)))
        self._show_detail()

    def _show_detail(self) -> None:
        self._detail.show(tuple(fit_lines(self.fork, self.snapshots.compatibility)))

    @property
    def fork(self) -> ForkView | None:
        """The fork under the cursor."""
        branch = self.branches.selected
        return None if branch is None else branch.fork

    @on(LineTable.Moved)
    def _moved(self, event: LineTable.Moved) -> None:
        event.stop()
        self._show_detail()

    # With a fork

    def _chosen_fork(self) -> ForkView | None:
        if self.fork is None:
            self.bench.tell("There is no fork yet: fork an epoch in the timeline.", "warning")
        return self.fork

    def action_replay(self) -> None:
        """Go to the replay of the fork."""
        fork, screen = self._chosen_fork(), self.bench.get_screen("replay")
        if fork is not None and isinstance(screen, ReplaysFork):
            screen.take_fork(fork.name)
            self.bench.show_screen("replay")

    def action_check(self) -> None:
        """Check whether the code as it is can run on the fork."""
        if (fork := self._chosen_fork()) is not None:
            self.desk.check(fork.name)

    def action_check_revision(self) -> None:
        """Ask for a revision, and check whether it can run on the fork."""
        if (fork := self._chosen_fork()) is None:
            return

        def answered(revision: str | None) -> None:
            if revision is not None:
                self.desk.check(fork.name, revision)

        choices = revision_choices(self.snapshots.revisions, self.now_ms)
        told = (plain("Which code is to run on it"),)
        self.bench.push_screen(ChoiceDialog("check", told, choices, REVISION_HINT), answered)

    def action_map(self) -> None:
        """Ask what becomes of state whose steps the code lacks."""
        fork, fit = self._chosen_fork(), self.snapshots.compatibility
        if fork is None:
            return
        if fit is None or fit.fork != fork.name:
            self.bench.tell("Check it first (c): that tells which steps are gone.", "warning")
            return
        if not fit.gone:
            self.bench.tell("The code has every step that the fork has state of.")
            return

        def answered(mapped: Mapped | None) -> None:
            if mapped is not None:
                self.desk.remap(fork.name, mapped.mapping, mapped.dropped, fit.revision)

        self.bench.push_screen(MappingDialog(fit), answered)

    def action_fork(self) -> None:
        """Ask for an epoch of the fork, and fork it there."""
        if (fork := self._chosen_fork()) is None:
            return
        epoch = fork.epoch if fork.replayed_to is None else fork.replayed_to
        told = (
            plain("The epoch at which it is cut, and a name"),
            (("enter in the list opens it: its epochs are in the timeline", Ink.DIM),),
        )

        def answered(typed: str | None) -> None:
            number, _, name = (typed or "").partition(" ")
            if number.isdecimal() and len(number) < 19:
                self.desk.fork(int(number), parent=fork.name, name=name.strip())
            elif typed is not None:
                self.bench.tell(f"{number} is no epoch.", "warning")

        name = free_name({each.name for each in self.snapshots.forks}, epoch)
        self.bench.push_screen(LineDialog("fork", told, "EPOCH NAME", f"{epoch} {name}"), answered)

    def action_remove(self) -> None:
        """Have the fork's name typed, and delete it."""
        if (fork := self._chosen_fork()) is None:
            return
        below = [each.name for each in self.snapshots.forks if each.parent == fork.name]
        told: list[Line] = [
            ((f"Deletes {bytes_text(fork.size_bytes)} that nothing else holds.", Ink.WARN),)
        ]
        if below:
            told.append(plain(f"Forks of it stay: {', '.join(below)}"))

        def answered(sure: bool | None) -> None:
            if sure:
                self.desk.remove_fork(fork.name)

        self.bench.push_screen(TypedConfirmation("delete a fork", told, fork.name), answered)

    def action_leave(self) -> None:
        """Open the store that the open fork is of; any other when none is open."""
        timeline = self.snapshots.timeline
        if timeline is None or not parent_of(self.snapshots):
            self.ask_store()
            return
        self.desk.open(timeline.root or None)
        self.bench.show_screen("timeline")

    @on(LineTable.Chosen)
    def _chosen(self, event: LineTable.Chosen) -> None:
        event.stop()
        self.desk.open(event.item.fork.folder)
        self.bench.show_screen("timeline")

    @on(LineTable.Asked)
    def _asked(self, event: LineTable.Asked) -> None:
        event.stop()
        if event.what == "clear":
            self.post_message(self.Left())
        elif event.what == "copy" and self.fork is not None:
            self.post_message(ListPanel.Copied(self.fork.folder))


def _instead(snapshots: SnapshotsValue) -> Iterator[Line]:
    if snapshots.timeline is None:
        yield from no_store_lines(snapshots)
        return
    yield plain(" There is no fork yet.")
    yield ()
    yield (
        (" f3", Ink.KEY),
        (" shows the timeline; ", Ink.DIM),
        ("f", Ink.KEY),
        (" there forks the chosen epoch", Ink.DIM),
    )
    yield ((" A fork is a copy: whatever is run on it, the store stays as it is.", Ink.DIM),)
