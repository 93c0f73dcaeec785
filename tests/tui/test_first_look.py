"""The application over a scripted session: what is seen first, and keys that reach the session."""

import pytest

from loom_bench.tui.app import WorkbenchApp
from tests.tui import values
from tests.tui.scripted_session import ScriptedSession


@pytest.mark.asyncio
async def test_the_graph_is_there_and_keys_reach_the_session() -> None:
    session = ScriptedSession(values.running())
    app = WorkbenchApp(session)
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.pause()
        assert app.main.graph.spots
        await pilot.press("p")
        assert session.asked("pause") == [()]
