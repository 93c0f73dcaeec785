"""The forks of a store as a tree, with the disk that they use."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from loom_bench.session.snapshots.value import ForkView
from loom_bench.tui.figures import age_text, bytes_text, moment_text, of_many
from loom_bench.tui.ink import Ink, Line, Run
from loom_bench.tui.widgets.line_table import Column, TableForm

_DEEPEST: Final = 12
"""Levels that are drawn; deeper ones stand there too."""


class Branch(Struct, frozen=True):
    """A fork and its place in the tree.

    Attributes:
        fork: The fork.
        depth: How many forks it stands below.
        opened: Whether it is what the timeline shows.
    """

    fork: ForkView
    depth: int
    opened: bool


def branches_of(forks: Sequence[ForkView], opened: str) -> Sequence[Branch]:
    """Return *forks* with their depth; each stands after its parent.

    Args:
        forks: The forks.
        opened: Folder of what the timeline shows.
    """
    depths: dict[str, int] = {}
    branches: list[Branch] = []
    for fork in forks:
        depth = depths[fork.name] = depths.get(fork.parent, -1) + 1
        branches.append(Branch(fork, min(depth, _DEEPEST), fork.folder == opened))
    return tuple(branches)


def tree_line(forks: Sequence[ForkView], opened: str) -> Line:
    """Return how many forks there are, what they take, and which is open.

    Args:
        forks: The forks.
        opened: Name of the open one; empty when the store itself is open.
    """
    if not forks:
        return ()
    size = bytes_text(sum(fork.size_bytes for fork in forks))
    runs: list[Run] = [
        (f" {of_many(len(forks), 'fork')}", Ink.STRONG),
        (f"  {size} of disk", Ink.DIM),
    ]
    if opened:
        runs += [
            (f"  {opened}", Ink.STRONG),
            (" is open: ", Ink.DIM),
            ("O", Ink.KEY),
            (" opens the store again", Ink.DIM),
        ]
    return runs


_COLUMNS: Final = (
    Column("", 1),
    Column("fork", 28),
    Column("epoch", 8, right=True),
    Column("closed", 16, from_cells=96),
    Column("revision", 12, from_cells=112),
    Column("replayed", 8, right=True),
    Column("disk", 8, right=True),
    Column("made", 6, right=True),
    Column("note", 0),
)


def _cells(branch: Branch, now_ms: int) -> Sequence[Run]:
    fork = branch.fork
    stem = "" if not branch.depth else f"{'   ' * (branch.depth - 1)}└─ "
    closed = "-" if fork.epoch_at_ms is None else moment_text(fork.epoch_at_ms, now_ms)
    return (
        (">" if branch.opened else " ", Ink.KEY),
        (stem + fork.name, Ink.STRONG),
        (str(fork.epoch), Ink.ACCENT),
        (closed, Ink.DIM),
        (fork.revision or "-", Ink.DIM),
        ("not yet" if fork.replayed_to is None else f"to {fork.replayed_to}", Ink.PLAIN),
        (bytes_text(fork.size_bytes), Ink.PLAIN),
        (age_text(fork.made_at_ms or None, now_ms), Ink.DIM),
        (fork.note, Ink.DIM),
    )


TREE: Final = TableForm(_COLUMNS, _cells, lambda branch: branch.fork.name, ages=True)
