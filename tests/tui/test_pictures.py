"""Every screen, in every state, small and large, compared with a picture in ``pictures``.

``LOOM_UPDATE_PICTURES=1`` writes the pictures anew; look at them before they are committed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from loom_bench.session.value import Phase, SessionValue
from loom_bench.tui.panels.pages import PAGES
from loom_bench.tui.screens import SCREENS
from tests.tui import values
from tests.tui.kept_pictures import ACCEPT, differences, sizes
from tests.tui.running_app import bench

_STATES: dict[str, Callable[[], SessionValue]] = {
    "empty": values.empty,
    "running": values.running,
    "failing": values.failing,
    "flooded": values.flooded,
}


_DIALOGS: dict[str, tuple[str, tuple[str, ...]]] = {
    "main-opening": ("opening", ()),
    "main-refused": ("refused", ()),
    "boxes": ("failing", ("v",)),
    "boxes-light": ("failing", ("v", "t")),
    "folded": ("failing", ("j", "f")),
    "help": ("running", ("question_mark",)),
    "commands": ("running", ("colon",)),
    "node": ("failing", ("n", "enter")),
    "error": ("failing", ("2", "enter")),
    "problem": ("failing", ("8", "enter")),
    "event": ("running", ("1", "enter")),
    "filter": ("running", ("6", "slash", *"product=tea")),
    "conflict": ("failing", ("c",)),
    "broker": ("running", ("b",)),
    "confirmation": ("running", ("b", "tab", *"kafka:9092", "enter")),
    "open": ("running", ("o",)),
    "quitting": ("draining", ("q",)),
}
"""By name: the state, and the keys that lead there."""

PICTURED_KEYS: dict[str, dict[str, tuple[str, tuple[str, ...]]]] = {
    "timeline": {
        "fork": ("running", ("f",)),
        "zoomed": ("running", ("tab", "z")),
        "quiet": ("running", ("e", *"154", "enter")),
    },
    "forks": {
        "checked": ("failing", ("G",)),
        "map": ("failing", ("G", "m")),
        "delete": ("running", ("d",)),
    },
    "replay": {"real": ("failing", ("G", "l", "g", "enter"))},
    "compare": {
        "difference": ("running", ("tab", "enter")),
        "unstable": ("running", ("u",)),
    },
    "bisect": {"expression": ("running", ("j", "enter"))},
}
"""By full screen, then by name: the state, and the keys that lead to more of what it shows."""

_OTHER_STATES: dict[str, Callable[[], SessionValue]] = {
    "opening": values.opening,
    "refused": values.refused,
    "draining": lambda: values.in_phase(Phase.DRAINING),
}


@pytest.mark.asyncio
@sizes
@pytest.mark.parametrize("state", _STATES)
async def test_the_main_screen_and_every_panel_look_as_they_did(
    state: str, size: tuple[int, int], tmp_path: Path
) -> None:
    wrong: list[str] = []
    async with bench(_STATES[state](), size=size) as seen:
        wrong.extend(await differences(seen, f"main-{state}", tmp_path))
        for number, page in enumerate(PAGES, start=1):
            await seen.press(*("1", "z") if number == 1 else (str(number),))
            wrong.extend(await differences(seen, f"{page.id}-{state}", tmp_path))
    assert not wrong, "\n".join([*wrong, ACCEPT])


@pytest.mark.asyncio
@sizes
@pytest.mark.parametrize("name", _DIALOGS)
async def test_every_other_screen_looks_as_it_did(
    name: str, size: tuple[int, int], tmp_path: Path
) -> None:
    state, keys = _DIALOGS[name]
    async with bench((_STATES | _OTHER_STATES)[state](), size=size) as seen:
        await seen.press(*keys)
        wrong = await differences(seen, name, tmp_path)
    assert not wrong, "\n".join([*wrong, ACCEPT])


@pytest.mark.asyncio
@sizes
async def test_every_full_screen_looks_as_it_did(size: tuple[int, int], tmp_path: Path) -> None:
    wrong: list[str] = []
    for screen_id, name, state, keys in _of_full_screens():
        async with bench((_STATES | _OTHER_STATES)[state](), size=size) as seen:
            seen.app.show_screen(screen_id)
            await seen.press()
            await seen.press(*keys)
            wrong.extend(await differences(seen, f"{screen_id}-{name}", tmp_path))
    assert not wrong, "\n".join([*wrong, ACCEPT])


def _of_full_screens() -> Iterator[tuple[str, str, str, tuple[str, ...]]]:
    """Yield screen, name, state and keys of every picture."""
    for spec in SCREENS:
        for state in _STATES:
            yield spec.id, state, state, ()
        for name, (state, keys) in PICTURED_KEYS.get(spec.id, {}).items():
            yield spec.id, name, state, keys
