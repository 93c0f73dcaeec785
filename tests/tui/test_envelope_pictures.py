"""The screens about envelopes and stops, filled, small and large, compared with kept pictures."""

from __future__ import annotations

from pathlib import Path

import pytest

from loom_bench.session.envelopes.value import InboxValue
from loom_bench.session.value import SessionValue
from tests.tui import inbox_values, values
from tests.tui.kept_pictures import ACCEPT, differences, sizes
from tests.tui.running_app import bench
from tests.tui.stepping_scenes import BEFORE, FAILING, INBOX, PASSING, STOPPED, TO_THE_FIRST

_RUNNING = values.running()
_GROUPS = inbox_values.failing()
_BACK = ("N",) * 4

_SCREENS: dict[str, tuple[SessionValue, InboxValue, tuple[str, ...]]] = {
    "groups-running": (_RUNNING, inbox_values.running(), ("i",)),
    "groups-failing": (_RUNNING, _GROUPS, ("i",)),
    "groups-flooded": (_RUNNING, inbox_values.flooded(), ("i", "enter")),
    "groups-filter": (_RUNNING, _GROUPS, ("i", "slash", *"node:Price")),
    "graph-proofs": (values.failing(), _GROUPS, ()),
    "redrive-plan": (_RUNNING, inbox_values.planned(_GROUPS), ("i", "R")),
    "redrive-running": (_RUNNING, inbox_values.redriving(_GROUPS), ("i", "R")),
    "stepping-failed": (FAILING, INBOX, TO_THE_FIRST),
    "stepping-not-taken": (FAILING, INBOX, (*TO_THE_FIRST, "h", "h")),
    "stepping-passes": (PASSING, INBOX, (*TO_THE_FIRST, *_BACK)),
    "stepping-state": (PASSING, INBOX, (*TO_THE_FIRST, "N", "N")),
    "stepping-json": (PASSING, INBOX, (*TO_THE_FIRST, *_BACK, "v")),
    "stepping-hex": (PASSING, INBOX, (*TO_THE_FIRST, *_BACK, "v", "v", "v")),
    "stepping-untraced": (_RUNNING, INBOX, TO_THE_FIRST),
    "stop-at-error": (STOPPED, _GROUPS, ("W",)),
    "stop-at-breakpoint": (BEFORE, _GROUPS, ("W",)),
    "stop-main": (STOPPED, _GROUPS, ()),
}
"""By name: the values, and the keys that lead there."""


@pytest.mark.asyncio
@sizes
@pytest.mark.parametrize("name", _SCREENS)
async def test_screens_look_as_they_did(name: str, size: tuple[int, int], tmp_path: Path) -> None:
    value, inbox, keys = _SCREENS[name]
    async with bench(value, inbox=inbox, size=size) as seen:
        await seen.press(*keys)
        wrong = await differences(seen, name, tmp_path)
    assert not wrong, "\n".join([*wrong, ACCEPT])
