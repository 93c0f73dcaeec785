"""Every screen, in every state, small and large, compared with a picture in ``pictures``.

``LOOM_UPDATE_PICTURES=1`` writes the pictures anew; look at them before they are committed.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from loom_bench.session.value import Phase, SessionValue
from loom_bench.tui.app import WorkbenchApp
from loom_bench.tui.panels.pages import PAGES
from tests.tui import values
from tests.tui.scripted_session import ScriptedSession
from tests.tui.seen import picture, stop_blinking

_PICTURES = Path(__file__).parent / "pictures"
_SIZES = ((80, 24), (160, 45))

_STATES: dict[str, Callable[[], SessionValue]] = {
    "empty": values.empty,
    "running": values.running,
    "failing": values.failing,
    "flooded": values.flooded,
}


def _cases() -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Name of the screen, state, and keys that lead there."""
    for state in _STATES:
        yield "main", state, ()
        for number, page in enumerate(PAGES, start=1):
            yield page.id, state, (str(number), "z")
    yield "main", "opening", ()
    yield "main", "refused", ()
    yield "boxes", "failing", ("v",)
    yield "boxes-light", "failing", ("v", "t")
    yield "folded", "failing", ("j", "f")
    yield "help", "running", ("question_mark",)
    yield "commands", "running", ("colon",)
    yield "node", "failing", ("n", "enter")
    yield "error", "failing", ("2", "enter")
    yield "problem", "failing", ("8", "enter")
    yield "event", "running", ("1", "enter")
    yield "filter", "running", ("6", "slash", *"product=tea")
    yield "conflict", "failing", ("c",)
    yield "broker", "running", ("b",)
    yield "confirmation", "running", ("b", "tab", *"kafka:9092", "enter")
    yield "open", "running", ("o",)
    yield "quitting", "draining", ("q",)


_CASES = [
    pytest.param(screen, state, keys, id=f"{screen}-{state}") for screen, state, keys in _cases()
]

_OTHER_STATES: dict[str, Callable[[], SessionValue]] = {
    "opening": values.opening,
    "refused": values.refused,
    "draining": lambda: values.in_phase(Phase.DRAINING),
}


@pytest.mark.asyncio
@pytest.mark.parametrize("size", _SIZES, ids=lambda size: "x".join(map(str, size)))
@pytest.mark.parametrize(("screen", "state", "keys"), _CASES)
async def test_every_screen_looks_as_it_did(
    screen: str, state: str, keys: tuple[str, ...], size: tuple[int, int], tmp_path: Path
) -> None:
    session = ScriptedSession((_STATES | _OTHER_STATES)[state]())
    app = WorkbenchApp(session)
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        for key in keys:
            await pilot.press(key)
        stop_blinking(app)
        app.draw()
        await app.workers.wait_for_complete()
        await pilot.pause()
        now = picture(app)
    _compare(f"{screen}-{state}-{size[0]}x{size[1]}.svg", now, tmp_path)


def _compare(name: str, now: str, tmp_path: Path) -> None:
    file = _PICTURES / name
    if os.environ.get("LOOM_UPDATE_PICTURES"):
        _PICTURES.mkdir(exist_ok=True)
        file.write_text(now, encoding="utf-8")
        return
    before = file.read_text(encoding="utf-8") if file.exists() else ""
    if now != before:
        (tmp_path / name).write_text(now, encoding="utf-8")
        difference = difflib.unified_diff(
            before.splitlines(), now.splitlines(), name, str(tmp_path / name), n=0, lineterm=""
        )
        pytest.fail("\n".join([*list(difference)[:40], "LOOM_UPDATE_PICTURES=1 accepts it"]))
