"""A month of flights in a real terminal: its epochs browsed, forked, replayed with other code and
compared; at every one of them the numbers are those of plain Python."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from pathlib import Path
from typing import Any

import pytest

from loom_bench.tui.figures import count_text
from sample_flows import flights
from tests.cli.commands import COMMAND
from tests.samples import flight_oracle as oracle
from tests.samples.flight_history import carriers_at, stretch
from tests.terminal.editing import edit
from tests.terminal.terminal import Terminal, need_tmux

pytestmark = pytest.mark.timeout(400)

_SIZE = (180, 56)
_LAST = re.compile(r"epochs? (?:\d+ to )?(\d+) among [\d.k]+ epochs")
_ROW = re.compile(r"^.? +(\d+) [^\n]* flights((?: \d=\d+)+)", re.MULTILINE)
_OFFSET = re.compile(r"=(\d+)")
_KEY = re.compile(r"^[* ] (\w\w) +\d+ +\d+ B (\{[^}]*\})", re.MULTILINE)


class Timeline:
    """The timeline that stands in a terminal.

    Args:
        terminal: The terminal.
    """

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal

    def last(self) -> int:
        """Number of the epoch at which it opens: the newest one."""
        found = _LAST.search(self._terminal.until(_LAST.search))
        assert found
        return int(found[1])

    def go_to(self, epoch: int) -> tuple[dict[int, int], dict[str, Any]]:
        """Go to an epoch, as a user does; return where the source stood there, and the state of
        every carrier, both as the screen shows them."""
        self._terminal.press("e")
        self._terminal.until("The number of an epoch")
        self._terminal.press(str(epoch), "Enter")
        return self.read(epoch)

    def read(self, epoch: int) -> tuple[dict[int, int], dict[str, Any]]:
        """Return what stands there once the state at *epoch* does."""
        row = re.compile(rf"^.? +{epoch} [^\n]* flights( \d=\d+)+", re.MULTILINE)
        text = self._terminal.until(
            re.compile(rf"state at epoch {epoch} .* \d+ keys").search, row.search
        )
        place = row.search(text)
        assert place
        offsets = {int(p): int(at) for p, at in re.findall(r" (\d)=(\d+)", place[0])}
        return offsets, {carrier: json.loads(value) for carrier, value in _KEY.findall(text)}


def _copied(folder: Path) -> Path:
    file = folder / "flights.py"
    shutil.copy(flights.__file__, file)
    (folder / "data").mkdir()
    shutil.copy(flights.DATA, folder / "data")
    return file


def test_a_month_of_flights_is_browsed_forked_replayed_with_other_code_and_compared(
    tmp_path: Path,
) -> None:
    need_tmux()
    file = _copied(tmp_path)
    command = shlex.split(shlex.join([*COMMAND, str(file), "--broker", "embedded"]))
    with Terminal(command, tmp_path, size=_SIZE, XDG_STATE_HOME=str(tmp_path)) as terminal:
        timeline, end = _run_the_month(terminal)
        middle = _browse_three_epochs(terminal, timeline)
        begin = _fork(terminal, timeline, middle)

        # Late is late from half an hour on: the running flow is reloaded, the fork replayed.
        edit(file, "LATE_FROM_MIN = 15", "LATE_FROM_MIN = 30")
        terminal.until(re.compile(r"flights │ r2 │").search)
        _replay(terminal, begin, end)
        _look_into_the_replay(terminal, timeline, begin, end)
        _compare(terminal, timeline, middle, begin, end)
        terminal.press("Q")


def _run_the_month(terminal: Terminal) -> tuple[Timeline, dict[int, int]]:
    terminal.until("RUNNING", "balanced")
    terminal.press("*")
    terminal.until("feed off, 27.0k fed", "lag 0", timeout_s=120.0)
    terminal.press("T")
    timeline = Timeline(terminal)
    end: dict[int, int] = {}

    def all_read(text: str) -> bool:
        rows = re.findall(r"flights(?: \d=\d+){4}", text)
        if rows:
            end.update((int(p), int(at)) for p, at in re.findall(r"(\d)=(\d+)", rows[-1]))
        return sum(end.values()) == oracle.FLIGHTS

    terminal.until(all_read)
    return timeline, end


def _browse_three_epochs(terminal: Terminal, timeline: Timeline) -> int:
    """Return the middle one of the three."""
    terminal.press("g", "z")
    terminal.until(lambda text: "state at epoch" not in text, _is_at_the_top)
    rows = _ROW.findall(terminal.text)
    terminal.press("z")
    read = {int(number): sum(map(int, _OFFSET.findall(places))) for number, places in rows}
    within = [number for number, records in read.items() if 0 < records < oracle.FLIGHTS]
    assert len(within) > 2, read
    chosen = [within[len(within) * part // 4] for part in (1, 2, 3)]
    for epoch in chosen:
        offsets, carriers = timeline.go_to(epoch)
        assert carriers == carriers_at(offsets), f"epoch {epoch} at {offsets}"
    return chosen[1]


def _is_at_the_top(text: str) -> bool:
    chosen, listed = _LAST.search(text), _ROW.search(text)
    return bool(chosen and listed and chosen[1] == listed[1])


def _fork(terminal: Terminal, timeline: Timeline, epoch: int) -> dict[int, int]:
    """Return where the source stood at the epoch."""
    begin, _ = timeline.go_to(epoch)
    terminal.press("f")
    terminal.until(f"cut at epoch {epoch}")
    terminal.press("C-u")
    terminal.until("NAME")  # the field is empty
    terminal.press("middle", "Enter")
    terminal.until(lambda text: "cut at epoch" not in text)
    terminal.press("F5")
    terminal.until("1 fork", "middle")
    return begin


def _replay(terminal: Terminal, begin: dict[int, int], end: dict[int, int]) -> None:
    wanted = stretch(begin, end, late_from_min=30)
    terminal.press("c")
    terminal.until("middle with the code as it is", re.compile(r"  (fits|runs, with)").search)
    terminal.press("p")
    terminal.until("middle with the code as it is, at full speed", "is not isolated")
    terminal.press("Enter")
    text = terminal.until("ENDED", "100%", timeout_s=120.0)
    assert f"{count_text(wanted.records)} records" in text
    assert f"{count_text(wanted.never_left)} failed" in text


def _look_into_the_replay(
    terminal: Terminal, timeline: Timeline, begin: dict[int, int], end: dict[int, int]
) -> None:
    terminal.press("F5")
    terminal.until(re.compile(r"middle +\d+ .* to \d+").search)
    terminal.press("Enter")
    terminal.until("forks/middle")
    offsets, carriers = timeline.read(timeline.last())
    assert offsets == end
    assert carriers == stretch(begin, end, late_from_min=30).carriers
    terminal.press("F5")
    terminal.until("1 fork")
    terminal.press("O", "F3")
    terminal.until("being written", lambda text: "forks/middle" not in text)


def _compare(
    terminal: Terminal, timeline: Timeline, epoch: int, begin: dict[int, int], end: dict[int, int]
) -> None:
    offsets, _ = timeline.go_to(epoch)
    assert offsets == begin
    terminal.press("d")
    terminal.until(f"epoch {epoch}", "the code as it is against revision")
    terminal.press("Enter")
    text = terminal.until("THEY DIFFER", timeout_s=180.0)
    wanted, usual = (stretch(begin, end, late_from_min=minutes) for minutes in (30, 15))
    found = re.search(r"^ (\S+) outputs +(\d+) keys differ +(.*?)\s*$", text, re.MULTILINE)
    assert found
    assert found[1] == count_text(wanted.differing)
    # Carriers, and departures that a window holds: those lie under their partition.
    carriers = sum(wanted.carriers[each] != usual.carriers[each] for each in wanted.carriers)
    assert carriers <= int(found[2]) <= carriers + len(end)
    assert found[3] == f"errors: 0 fixed  0 new  {count_text(wanted.never_left)} same"
    assert text.count(f"{count_text(wanted.records)} records") == 2
