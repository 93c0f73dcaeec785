"""The row of stations at the top of the stepping screen, the chosen one always in sight."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from loom_bench.safe import cell_width, safe
from loom_bench.tui.ink import Ink, Line, Run, fitted
from loom_bench.tui.stepping.stations import Station, Unmet

_MAX_NAME_CELLS: Final = 22
_MAX_NARROW_CELLS: Final = 14
_WIDE_FROM_CELLS: Final = 110
_MET: Final = " ─> "
_UNMET: Final = " ╌> "
_EDGE_CELLS: Final = 6
"""Room at either end for how many stations lie beyond: ``12 <  ``."""


@dataclass(frozen=True)
class WayPicture:
    """The row: names above, what happened below.

    Attributes:
        lines: Its two lines.
        meant: For each run of either line the station that it stands for; ``None`` for none.
    """

    lines: tuple[Line, Line]
    meant: tuple[tuple[int | None, ...], tuple[int | None, ...]]


def way_picture(
    stations: Sequence[Station], at: int, width: int, marked: frozenset[str] = frozenset()
) -> WayPicture:
    """Return the row.

    Args:
        stations: The stations.
        at: Index of the chosen one.
        width: Cells.
        marked: Ids of nodes with a breakpoint.
    """
    if not stations:
        return WayPicture(((), ()), ((), ()))
    most = _MAX_NAME_CELLS if width >= _WIDE_FROM_CELLS else _MAX_NARROW_CELLS
    names = [_name(station, marked, most) for station in stations]
    sizes = [
        max(cell_width(name), cell_width(safe(station.word[0], max_cells=2 * most)))
        for name, station in zip(names, stations, strict=True)
    ]
    first, last = _window(sizes, at, width - 2 * _EDGE_CELLS)
    above: list[tuple[Run, int | None]] = [((_before(first), Ink.KEY), max(0, first - 1))]
    below: list[tuple[Run, int | None]] = [((" " * _EDGE_CELLS, Ink.PLAIN), None)]
    for index in range(first, last + 1):
        station = stations[index]
        if index > first:
            above.append((_link(station), None))
            below.append(((" " * len(_MET), Ink.PLAIN), None))
        chosen = index == at
        ink = Ink.CURSOR if chosen else Ink.STRONG if station.stop is not None else Ink.DIM
        above.append(((fitted(names[index], sizes[index]), ink), index))
        word, word_ink = station.word
        below.append(((fitted(word, sizes[index]), word_ink), index))
    beyond = len(stations) - 1 - last
    if beyond:
        above.append(((f" > {beyond}", Ink.KEY), last + 1))
    return WayPicture(
        (tuple(run for run, _ in above), tuple(run for run, _ in below)),
        (tuple(index for _, index in above), tuple(index for _, index in below)),
    )


def _name(station: Station, marked: frozenset[str], most: int) -> str:
    mark = "b:" if station.node in marked else ""
    return mark + safe(station.name, max_cells=most)


def _link(station: Station) -> Run:
    if station.stop is not None or station.unmet is Unmet.BEFORE:
        return (_MET, Ink.DIM)
    return (_UNMET, Ink.DIM)


def _before(first: int) -> str:
    text = f"{first} < " if first else ""
    return text.rjust(_EDGE_CELLS)


def _window(sizes: Sequence[int], at: int, room: int) -> tuple[int, int]:
    """Return the first and the last station that are shown: as many as fit, round the chosen."""
    first = last = at
    left = room - sizes[at]
    while True:
        grown = False
        for step in (-1, 1):
            candidate = first - 1 if step < 0 else last + 1
            if not 0 <= candidate < len(sizes):
                continue
            needed = sizes[candidate] + len(_MET)
            if needed > left:
                continue
            left -= needed
            first, last = min(first, candidate), max(last, candidate)
            grown = True
        if not grown:
            return first, last
