"""Gives every box of a picture its place: a pure function from shapes to marks."""

from __future__ import annotations

from dataclasses import dataclass, replace

from loom_bench.graph.patch import Horizontal, Label, Mark, Patch, PlacedBox, Vertical
from loom_bench.graph.shapes import Box, Chain, Frame, Item, Picture, Split, Way
from loom_bench.safe import cell_width

_WAYS_APART = 3
_FRAME_PADDING = 2
_RAIL = 2
"""Column, within the head of stacked ways, of the line that leads down to them."""
_RAIL_TO_WAY = 3


@dataclass(frozen=True)
class _Room:
    """What there is to lay out in.

    Attributes:
        max_width: Cells across; ``None`` for no limit.
        gap: Rows between two boxes of a chain.
    """

    max_width: int | None
    gap: int

    def less(self, cells: int) -> _Room:
        if self.max_width is None:
            return self
        return replace(self, max_width=max(0, self.max_width - cells))

    def takes(self, width: int) -> bool:
        return self.max_width is None or width <= self.max_width


def layout(picture: Picture, *, max_width: int | None = None, dense: bool = False) -> Patch:
    """Place everything in *picture*, records going from top to bottom.

    Args:
        picture: What to place.
        max_width: Cells that are there. Ways that don't fit side by side are put one below the
            other; a box is never cut, so the result may be wider still. ``None`` for no limit.
        dense: Whether boxes of a chain touch; what a line carries is not told then.
    """
    room = _Room(max_width, 0 if dense else 1)
    patch = _chain(picture.chain, room)
    if not picture.apart:
        return patch
    boxes = [_box(box) for box in picture.apart]
    column_width = max(box.width for box in boxes)
    column_height = sum(box.height for box in boxes)
    beside = patch.width + _WAYS_APART
    x, y = (beside, 0) if room.takes(beside + column_width) else (0, patch.height + 1)
    marks, row = list(patch.marks), y
    for box in boxes:
        marks.extend(box.moved(x, row))
        row += box.height
    return Patch(
        width=max(patch.width, x + column_width),
        height=max(patch.height, y + column_height),
        axis=patch.axis,
        exit=patch.exit,
        marks=tuple(marks),
    )


def _chain(chain: Chain, room: _Room) -> Patch:
    if not chain.parts:
        return Patch(width=1, height=1, axis=0, exit=0, marks=())
    patches = [_part(part, room) for part in chain.parts]
    axis = max(patch.axis for patch in patches)
    marks: list[Mark] = []
    width = top = 0
    above: tuple[Item | Split | Frame, int] | None = None
    for part, patch in zip(chain.parts, patches, strict=True):
        dx = axis - patch.axis
        if above is not None and not above[0].ends:
            marks.append(Vertical(axis, above[1], top))
            if (label := above[0].gives) and room.gap:
                marks.append(Label(axis + 2, top - 1, label))
                width = max(width, axis + 2 + cell_width(label))
        marks.extend(patch.moved(dx, top))
        width = max(width, dx + patch.width)
        above = part, top + patch.exit
        top += patch.height + room.gap
    height, last = top - room.gap, patches[-1]
    return Patch(width, height, axis, height - last.height + last.exit, tuple(marks))


def _part(part: Item | Split | Frame, room: _Room) -> Patch:
    if isinstance(part, Item):
        return _item(part)
    if isinstance(part, Frame):
        return _frame(part, room)
    side_by_side = _split_side_by_side(part, replace(room, max_width=None))
    return side_by_side if room.takes(side_by_side.width) else _split_stacked(part, room)


def _box(box: Box) -> Patch:
    width = max(map(cell_width, box.lines), default=0) + 4
    height = len(box.lines) + 2
    return Patch(width, height, width // 2, height - 1, (PlacedBox(box, 0, 0, width, height),))


def _item(item: Item) -> Patch:
    patch = _box(item.box)
    if item.aside is None:
        return patch
    aside, label = _box(item.aside.box), f" {item.aside.label} "
    x = patch.width + cell_width(label) + 4
    return Patch(
        width=x + aside.width,
        height=max(patch.height, aside.height),
        axis=patch.axis,
        exit=patch.exit,
        marks=(
            *patch.marks,
            *aside.moved(x, 0),
            Horizontal(1, patch.width - 1, x, dashed=True),
            Label(patch.width + 2, 1, label),
        ),
    )


def _frame(frame: Frame, room: _Room) -> Patch:
    header = _box(frame.box)
    padding = _FRAME_PADDING + 1
    inner = _chain(frame.chain, room.less(2 * padding))
    width = max(header.width, inner.width + 2 * padding)
    dx = (width - inner.width) // 2
    axis, top = dx + inner.axis, header.height
    height = top + inner.height + 1
    marks: list[Mark] = [
        PlacedBox(frame.box, 0, 0, width, height),
        Vertical(axis, header.exit, top),
        *inner.moved(dx, top),
    ]
    if not frame.ends:
        marks.append(Vertical(axis, top + inner.exit, height - 1))
    return Patch(width, height, axis, height - 1, tuple(marks))


def _split_side_by_side(split: Split, room: _Room) -> Patch:
    head = _box(split.box)
    ways = [_labelled(way, _chain(way.chain, room)) for way in split.ways]
    starts, x = [], 0
    for way in ways:
        starts.append(x)
        x += way.width + _WAYS_APART
    axes = [start + way.axis for start, way in zip(starts, ways, strict=True)]
    middle = axes[len(axes) // 2] if len(axes) % 2 else (axes[0] + axes[-1]) // 2
    shift = max(0, head.axis - middle)
    starts, axes = [start + shift for start in starts], [axis + shift for axis in axes]
    axis = middle + shift
    bar = head.height
    marks: list[Mark] = [
        *head.moved(axis - head.axis, 0),
        Vertical(axis, head.exit, bar),
        Horizontal(bar, min(axis, axes[0]), max(axis, axes[-1])),
    ]
    for start, way in zip(starts, ways, strict=True):
        marks.extend(way.moved(start, bar))
    bottom = bar + max(way.height for way in ways)
    width = max(x - _WAYS_APART + shift, axis - head.axis + head.width)
    going_on = [
        (each, bar + way.exit)
        for each, way, declared in zip(axes, ways, split.ways, strict=True)
        if not declared.chain.ends
    ]
    if not going_on:
        return Patch(width, bottom, axis, bottom - 1, tuple(marks))
    marks.extend(Vertical(each, row, bottom) for each, row in going_on)
    joined = [axis, *(each for each, _ in going_on)]
    marks.append(Horizontal(bottom, min(joined), max(joined)))
    return Patch(width, bottom + 1, axis, bottom, tuple(marks))


def _labelled(way: Way, patch: Patch) -> Patch:
    """Put the line that leads into *patch*, with its label, above it."""
    entry = 2 if way.label else 1
    marks: list[Mark] = [Vertical(patch.axis, 0, entry), *patch.moved(0, entry)]
    width = patch.width
    if way.label:
        marks.append(Label(patch.axis + 2, 1, way.label))
        width = max(width, patch.axis + 2 + cell_width(way.label))
    return Patch(width, patch.height + entry, patch.axis, patch.exit + entry, tuple(marks))


def _split_stacked(split: Split, room: _Room) -> Patch:
    head = _box(split.box)
    marks: list[Mark] = list(head.marks)
    inner = room.less(_RAIL + _RAIL_TO_WAY + 2)
    row, width = head.height, head.width
    exits: list[tuple[int, int]] = []
    for way in split.ways:
        patch, label = _chain(way.chain, inner), f" {way.label} " if way.label else ""
        axis = max(_RAIL + _RAIL_TO_WAY + patch.axis, _RAIL + cell_width(label) + 4)
        marks.append(Vertical(_RAIL, head.exit, row))
        marks.append(Horizontal(row, _RAIL, axis))
        marks.append(Vertical(axis, row, row + 1))
        if label:
            marks.append(Label(_RAIL + 2, row, label))
        marks.extend(patch.moved(axis - patch.axis, row + 1))
        width = max(width, axis - patch.axis + patch.width)
        if not way.chain.ends:
            exits.append((axis, row + 1 + patch.exit))
            row += 1
        row += patch.height + 1
    if not exits:
        return Patch(width, row, head.axis, row - 1, tuple(marks))
    rail = width + 1
    for axis, exit_row in exits:
        marks.append(Vertical(axis, exit_row, exit_row + 1))
        marks.append(Horizontal(exit_row + 1, axis, rail))
    marks.append(Vertical(rail, exits[0][1] + 1, row))
    marks.append(Horizontal(row, head.axis, rail))
    return Patch(rail + 1, row + 1, head.axis, row, tuple(marks))
