"""What a drawing is made of: boxes in chains, splits into ways, frames round inner chains.

A plan is a process of nodes whose branches are processes again, so its picture is chains within
chains and its lines never need to cross. A general graph layout would have to find that out again.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Box:
    """A rectangle with text in it.

    Attributes:
        id: What it stands for.
        lines: Its text, safe to show.
        dashed: Whether its outline is dashed: a topic that only failures reach.
    """

    id: str
    lines: tuple[str, ...]
    dashed: bool = False


@dataclass(frozen=True)
class Aside:
    """A box beside another one, and the label of the line that leads there."""

    label: str
    box: Box


@dataclass(frozen=True)
class Item:
    """One box of a chain.

    Attributes:
        box: The box.
        gives: Label of the line that leaves it.
        ends: Whether no line leaves it.
        aside: A box that some of its records go to.
    """

    box: Box
    gives: str = ""
    ends: bool = False
    aside: Aside | None = None


@dataclass(frozen=True)
class Chain:
    """Parts from top to bottom. Without any it is a line: records pass as they are."""

    parts: tuple[Item | Split | Frame, ...]

    @property
    def ends(self) -> bool:
        """Whether nothing leaves it."""
        return bool(self.parts) and self.parts[-1].ends


@dataclass(frozen=True)
class Way:
    """One way out of a split, and its label."""

    label: str
    chain: Chain


@dataclass(frozen=True)
class Split:
    """A box whose records go on by several ways; those that don't end meet again below."""

    box: Box
    ways: tuple[Way, ...]
    gives: str = ""

    @property
    def ends(self) -> bool:
        """Whether no way leads on."""
        return all(way.chain.ends for way in self.ways)


@dataclass(frozen=True)
class Frame:
    """A box that stands round a chain."""

    box: Box
    chain: Chain
    gives: str = ""

    @property
    def ends(self) -> bool:
        """Whether nothing leaves it."""
        return self.chain.ends


@dataclass(frozen=True)
class Picture:
    """A whole plan.

    Attributes:
        chain: From the source to the last sink.
        apart: Boxes that stand apart: the topics of errors.
    """

    chain: Chain
    apart: tuple[Box, ...] = ()
