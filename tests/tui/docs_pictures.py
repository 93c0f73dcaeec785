"""Takes the pictures in ``docs``: ``python -m tests.tui.docs_pictures FOLDER [TOUR ...]``.

Each tour opens the order desk for real, walks through it and takes pictures on the way. A tour is
added to :data:`TOURS`; what it takes is written to ``FOLDER/NAME.svg``.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from tests.tui.envelope_tour import envelopes
from tests.tui.picture_stage import Stage, order_desk
from tests.tui.time_tour import timetravel

Tour = Callable[[], Coroutine[Any, Any, dict[str, str]]]
"""Returns SVG texts by the names of their files."""


async def workbench() -> dict[str, str]:
    """The main screen, for the README."""
    async with order_desk() as stage:
        await stage.until(lambda: _is_lively(stage), "failures in three groups")
        await stage.press("2", "j", "shift+tab", "shift+tab", "n")
        await stage.pilot.pause(2.0)
        await stage.take("workbench")
        return stage.taken


def _is_lively(stage: Stage) -> bool:
    value = stage.session.value()
    return value.errors_seen > 40 and len(value.errors) >= 3 and not value.diagnoses


TOURS: dict[str, Tour] = {each.__name__: each for each in (workbench, envelopes, timetravel)}
"""By name."""


def main() -> None:
    """Write the pictures of the named tours, of all when none is named."""
    folder, *names = sys.argv[1:]
    for name in names or TOURS:
        for file, text in asyncio.run(TOURS[name]()).items():
            (Path(folder) / f"{file}.svg").write_text(text, encoding="utf-8")
            print(f"{folder}/{file}.svg")


if __name__ == "__main__":
    main()
