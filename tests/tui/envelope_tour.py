"""A tour of the screens about failures: a record that waits, one that is walked and mended, the
groups after the fix, their redrive."""

from __future__ import annotations

from tests.tui.picture_stage import Stage, order_desk
from tests.tui.seen import shown_text

_BUG = "catalogue[order.product]"
_FIX = "catalogue.get(order.product, 0)"
_TEA = ("sed", "-i", "s/unicorn/tea/")


async def envelopes() -> dict[str, str]:
    """Everything that the README tells of envelopes."""
    async with order_desk(editor=_TEA) as stage:
        inbox = stage.session.envelopes
        await stage.until(lambda: inbox.value().kept.seen > 60, "failures")
        await _stopped(stage)
        await stage.press("0", "i")
        await stage.until(
            lambda: all(each.behind == 0 for each in inbox.value().topics), "every failure read"
        )
        await _stepped(stage)
        await _mended(stage)
        return stage.taken


async def _stopped(stage: Stage) -> None:
    """The flow waits at a record that fails at the bug."""
    await stage.press("x", "W")
    await stage.until_seen("STOPPED at")
    answered = 0
    while "STOPPED at PriceOrder" not in (text := shown_text(stage.app)):
        stop = stage.session.value().tracing.stop
        if stop is not None and stop.stop.id != answered and "STOPPED at" in text:
            answered = stop.stop.id
            await stage.press("c")
        await stage.pilot.pause(0.1)
    await stage.take("stop")
    await stage.press("escape", "x")  # the record goes on
    await stage.until(lambda: not stage.session.value().tracing.stop, "the flow to go on")


async def _stepped(stage: Stage) -> None:
    """A record is walked to where it failed, then goes on with another value."""
    inbox = stage.session.envelopes
    groups = inbox.value().groups
    bug = next(n for n, each in enumerate(groups) if each.exception_type.endswith("KeyError"))
    await stage.press("g", *["j"] * bug, "enter", "enter")
    await stage.until_seen("fails in r1", "locals")
    await stage.take("stepping")
    await stage.press("e")
    await stage.until_seen("passes", "with the edited value")
    await stage.take("stepping-edited")


async def _mended(stage: Stage) -> None:
    """The fix is saved: every open envelope is proved, and the group redriven."""
    inbox = stage.session.envelopes
    text = stage.file.read_text(encoding="utf-8")
    stage.file.write_text(text.replace(_BUG, _FIX), encoding="utf-8")
    await stage.press("escape")

    def is_proved() -> bool:
        proof = inbox.value().proof
        return proof is not None and not proof.waiting

    await stage.until(is_proved, "the proof")
    await stage.take("inbox")
    await stage.press("shift+tab", "R")
    await stage.until_seen("into orders")
    await stage.take("redrive")
