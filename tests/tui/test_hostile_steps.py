"""Steps that hang, exit, flood or cannot say why, walked on the screen in real trace hosts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from loom_bench.protocol.tracing import Verdict
from loom_bench.session.envelopes.value import EnvelopeRow, InboxValue
from loom_bench.session.live.session import LiveSession
from loom_bench.tui.inbox.screen import InboxScreen
from tests.bench.tracing.sides import FLOW
from tests.tui.picture_stage import Stage, staged
from tests.tui.seen import picture, raw_characters, shown_rows, shown_text, strips_of

DEEDS = ("hang", "exit", "print", "line", "silent")

FAILS_AT_ALL = 'if message.payload.do:\n            raise DomainError("not yet")\n        match'
"""What the first revision does: the records fail in a harmless way, and become envelopes."""

LIMIT_LINES = 200
SIZES = ((160, 45), (80, 24))


@pytest.mark.asyncio
@pytest.mark.timeout(300)
async def test_each_is_cut_off_and_shown_within_its_limit(tmp_path: Path) -> None:
    file = tmp_path / "jobs.py"
    harmful = FLOW.read_text(encoding="utf-8") + _feed(DEEDS)
    file.write_text(harmful.replace("match", FAILS_AT_ALL, 1), encoding="utf-8")
    session = LiveSession.open(str(file), broker="embedded")
    async with staged(session, file, size=SIZES[0]) as stage:
        inbox = session.envelopes

        def holds(what: Callable[[InboxValue], object]) -> Callable[[], object]:
            return lambda: what(inbox.value())

        await stage.until(holds(lambda value: value.kept.seen == len(DEEDS)), "the envelopes")
        session.pause()
        file.write_text(harmful, encoding="utf-8")
        await stage.until(
            holds(lambda value: value.proof is not None and value.proof.revision == 2),
            "a second revision",
        )
        await stage.press("i")
        await stage.until(holds(lambda value: value.proof and value.proof.done), "the proof")
        rows = {row.key: row for row in await _rows(stage, inbox.value)}
        assert {rows[deed].verdict for deed in ("hang", "exit")} == {Verdict.CUT_OFF}
        assert {rows[deed].verdict for deed in ("print", "line")} == {Verdict.PASSES}
        assert rows["silent"].verdict is Verdict.DIFFERENT_ERROR

        for deed in DEEDS:
            await _open(stage, inbox.value, rows[deed])
            await stage.until_seen(SHOWN[deed][0])
            await stage.press("c")
            for size in reversed(SIZES):
                await stage.pilot.resize_terminal(*size)
                await stage.until_seen(*SHOWN[deed])
                _keep_picture(stage, tmp_path, deed)
                assert not raw_characters(strips_of(stage.app))
            if deed in ("print", "line"):
                await _see_what_was_printed(stage)
        # The flow itself never met them.
        assert not session.value().diagnoses


SHOWN = {
    "hang": ("cut off in r2", "within 10 s", "jobs.py:", "in execute", "time.sleep(0.05)"),
    "exit": ("cut off in r2", "exit code 7", "It never came back"),
    "print": ("passes: written in r2",),
    "line": ("passes: written in r2",),
    "silent": ("fails in r2", "SilentError", "its text could not be made: RuntimeError"),
}
"""What stands on the screen for each."""


async def _rows(stage: Stage, value: Callable[[], InboxValue]) -> tuple[EnvelopeRow, ...]:
    await stage.until(
        lambda: (
            len(value().window.rows) == len(DEEDS) and all(r.verdict for r in value().window.rows)
        ),
        "the rows",
    )
    return value().window.rows


async def _open(stage: Stage, value: Callable[[], InboxValue], row: EnvelopeRow) -> None:
    """Go to an envelope from the inbox."""
    await stage.press("f2", "i")
    screen = stage.app.screen
    assert isinstance(screen, InboxScreen)
    if not screen.rows.has_focus:
        await stage.press("enter")
    index = [each.id for each in value().window.rows].index(row.id)
    await stage.press("g", *["j"] * index, "enter")


async def _see_what_was_printed(stage: Stage) -> None:
    trace = stage.session.value().tracing.traces[-1]
    assert len(trace.printed) == LIMIT_LINES
    assert trace.printed_left_out > 0
    await stage.press("end")
    for _ in range(2 * LIMIT_LINES):
        if "lines are left out here" in shown_text(stage.app):
            return
        await stage.press("pageup")
    raise AssertionError(shown_text(stage.app))


def _keep_picture(stage: Stage, folder: Path, name: str) -> None:
    width, _ = stage.app.size
    assert all(len(row) <= width for row in shown_rows(stage.app))
    (folder / f"{name}-{width}.svg").write_text(picture(stage.app), encoding="utf-8")


def _feed(deeds: tuple[str, ...]) -> str:
    jobs = ", ".join(f'("{deed}", Job("{deed}", "{deed}"))' for deed in deeds)
    return f"\n\ndef bench_feed():\n    yield from [{jobs}]\n"
