"""Takes the README's picture: ``python -m tests.tui.readme_picture FILE`` opens the order desk for
real, without a terminal, and writes what its screen looks like after some seconds."""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path

from loom_bench.session.live.session import LiveSession
from loom_bench.session.value import SessionValue
from loom_bench.tui.app import WorkbenchApp
from tests.tui.seen import picture

_SIZE = (120, 36)
_TIMEOUT_S = 120.0
_FLOW = "sample_flows/orders.py"


async def _taken(session: LiveSession) -> str:
    app = WorkbenchApp(session, environ={})
    async with app.run_test(size=_SIZE) as pilot:
        deadline_s = time.monotonic() + _TIMEOUT_S
        while not _is_lively(session.value()):
            if time.monotonic() > deadline_s:
                raise TimeoutError(f"{_FLOW} did not run within {_TIMEOUT_S} s")
            await pilot.pause(0.5)
        await pilot.press("2", "j", "shift+tab", "shift+tab", "n")
        await pilot.pause(2.0)
        app.draw()
        await pilot.pause()
        return picture(app)


def _is_lively(value: SessionValue) -> bool:
    return value.errors_seen > 40 and len(value.errors) >= 3 and not value.diagnoses


def main() -> None:
    """Write the picture."""
    with LiveSession.open(_FLOW, broker="embedded", feed_rate_per_s=100.0) as session:
        taken = asyncio.run(_taken(session))
    Path(sys.argv[1]).write_text(taken, encoding="utf-8")


if __name__ == "__main__":
    main()
