"""Runs the application over a scripted session, for one test."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from textual.pilot import Pilot

from loom_bench.session.envelopes.value import InboxValue
from loom_bench.session.value import SessionValue
from loom_bench.tui.app import WorkbenchApp
from loom_bench.tui.screens import SCREENS, ScreenSpec
from tests.tui.scripted_inbox import ScriptedInbox
from tests.tui.scripted_session import ScriptedSession
from tests.tui.seen import shown_rows, shown_text

MEDIUM = (120, 36)


@dataclass
class ScriptedEditor:
    """Fakes an editor: writes down what it is asked to open, and may write into the file.

    Attributes:
        writes: What it saves; ``None`` leaves the file as it is.
        code: Its exit code.
        commands: What it was started with.
        found: What stood in the file.
    """

    writes: str | None = None
    code: int = 0
    commands: list[Sequence[str]] = field(default_factory=list)
    found: list[str] = field(default_factory=list)

    def __call__(self, command: Sequence[str]) -> int:
        self.commands.append(command)
        file = Path(command[-1])
        if file.exists():
            self.found.append(file.read_text(encoding="utf-8"))
            if self.writes is not None:
                file.write_text(self.writes, encoding="utf-8")
        return self.code


@dataclass(frozen=True)
class Bench:
    """A running application and what it runs over."""

    app: WorkbenchApp
    pilot: Pilot[None]
    session: ScriptedSession
    editor: ScriptedEditor

    async def press(self, *keys: str) -> None:
        """Press keys, and let what comes of them be drawn."""
        await self.pilot.press(*keys)
        self.app.draw()
        await self.pilot.pause()

    @property
    def inbox(self) -> ScriptedInbox:
        """The inbox that it runs over."""
        return self.session.envelopes

    async def shows_inbox(self, value: InboxValue) -> None:
        """Let the inbox publish *value*, and have it drawn."""
        self.inbox.now_shows(value)
        await self.press()

    async def shows(self, value: SessionValue) -> None:
        """Let the session publish *value*, and have it drawn."""
        self.session.now_shows(value)
        self.app.draw()
        await self.pilot.pause()

    @property
    def text(self) -> str:
        """What is on the screen."""
        return shown_text(self.app)

    @property
    def rows(self) -> list[str]:
        """What is on the screen, by row."""
        return shown_rows(self.app)


@asynccontextmanager
async def bench(
    value: SessionValue,
    *,
    inbox: InboxValue | None = None,
    size: tuple[int, int] = MEDIUM,
    editor: ScriptedEditor | None = None,
    environ: Mapping[str, str] | None = None,
    screens: Sequence[ScreenSpec] = SCREENS,
) -> AsyncIterator[Bench]:
    """Run the application over *value*."""
    session, used = ScriptedSession(value), editor or ScriptedEditor()
    if inbox is not None:
        session.envelopes.now_shows(inbox)
    app = WorkbenchApp(session, editor=used, environ=environ, screens=screens)
    async with app.run_test(size=size, notifications=True) as pilot:
        await pilot.pause()
        yield Bench(app, pilot, session, used)
