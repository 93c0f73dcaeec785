"""The bench over a session that is opened for real, without a terminal; pictures for ``docs`` are
taken there."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, chdir, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from textual.pilot import Pilot

from loom_bench.session.live.session import LiveSession
from loom_bench.tui import app as application
from loom_bench.tui.app import WorkbenchApp
from sample_flows import orders
from tests.tui.seen import picture, shown_text

SIZE = (120, 36)
_TIMEOUT_S = 120.0


@dataclass(frozen=True)
class Stage:
    """A bench at work.

    Attributes:
        session: Its session.
        app: Its application.
        pilot: Presses its keys.
        file: The flow's file, a copy that may be changed.
        taken: SVG texts by the names of their files.
    """

    session: LiveSession
    app: WorkbenchApp
    pilot: Pilot[None]
    file: Path
    taken: dict[str, str] = field(default_factory=dict)

    async def press(self, *keys: str) -> None:
        """Press keys, and have what comes of them drawn."""
        await self.pilot.press(*keys)
        self.app.draw()
        await self.pilot.pause()

    async def until(self, holds: Callable[[], object], what: str) -> None:
        """Wait until something holds.

        Raises:
            TimeoutError: When it does not; *what* says what was waited for.
        """
        deadline_s = time.monotonic() + _TIMEOUT_S
        while not holds():
            if time.monotonic() > deadline_s:
                seen = shown_text(self.app)
                raise TimeoutError(f"not within {_TIMEOUT_S} s: {what}\n{seen}")
            await self.pilot.pause(0.1)
        await self.press()

    async def until_seen(self, *texts: str) -> None:
        """Wait until every one of *texts* stands on the screen."""

        def seen() -> bool:
            text = shown_text(self.app)
            return all(each in text for each in texts)

        await self.until(seen, f"on the screen: {texts}")

    async def take(self, name: str) -> None:
        """Take a picture of the screen as it is; *name* is its file's, without the suffix."""
        await self.press()
        self.taken[name] = picture(self.app)


@asynccontextmanager
async def order_desk(
    *,
    feed_rate_per_s: float | None = 100.0,
    editor: Sequence[str] = ("true",),
    size: tuple[int, int] = SIZE,
) -> AsyncIterator[Stage]:
    """Open a copy of the order desk on a broker of its own, in a folder that is gone afterwards.

    Args:
        feed_rate_per_s: Rate of its feed; ``None`` for full speed.
        editor: Command of the editor; the file comes last.
        size: Columns and rows.
    """
    with tempfile.TemporaryDirectory(prefix="loom-bench-docs-") as folder, chdir(folder):
        file = Path("sample_flows") / "orders.py"
        file.parent.mkdir()
        shutil.copy(orders.__file__, file)
        session = LiveSession.open(str(file), broker="embedded", feed_rate_per_s=feed_rate_per_s)
        async with staged(session, file, editor=editor, size=size) as stage:
            yield stage


@asynccontextmanager
async def staged(
    session: LiveSession,
    file: Path,
    *,
    editor: Sequence[str] = ("true",),
    size: tuple[int, int] = SIZE,
) -> AsyncIterator[Stage]:
    """Show a session of the flow in *file*, and close it in the end.

    Args:
        session: The session.
        file: The flow's file.
        editor: Command of the editor; the file comes last.
        size: Columns and rows.
    """
    with session:
        environ = {"EDITOR": shlex.join(editor)}
        app = _OffTerminal(session, editor=_edited, environ=environ)
        async with app.run_test(size=size, notifications=True) as pilot:
            yield Stage(session, app, pilot, file)


class _OffTerminal(WorkbenchApp):
    """Has no terminal to lend, so its editors have to do without."""

    CSS_PATH = str(Path(application.__file__).with_name(WorkbenchApp.CSS_PATH))

    @contextmanager
    def suspend(self) -> Iterator[None]:
        """Go on."""
        yield


def _edited(command: Sequence[str]) -> int:
    return subprocess.run(command, check=False).returncode
