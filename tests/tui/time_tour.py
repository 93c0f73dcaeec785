"""A tour of the screens over the recovery store: epochs, a key's history, a fork, its replay, two
revisions compared, and where something first went wrong."""

from __future__ import annotations

from tests.tui.picture_stage import Stage, order_desk

_EPOCHS_BACK = 8
_KEYS_DOWN = 8
"""A customer who has ordered several times by then."""
_BUG = "catalogue[order.product]"
_FIX = "catalogue.get(order.product, 0)"
_CROWDED = "len(state['CountCustomer']) < 150"


async def timetravel() -> dict[str, str]:
    """What the README shows of the history."""
    async with order_desk(feed_rate_per_s=200.0) as stage:
        await stage.press("T")
        await stage.until(lambda: _epochs(stage) > 60, "sixty epochs")
        await stage.press("0", *["k"] * _EPOCHS_BACK)
        await stage.until_seen("keys")
        await stage.take("timeline")
        await _made(stage)
        await _forked(stage)
        await _compared(stage)
        await _bisected(stage)
        return stage.taken


async def _made(stage: Stage) -> None:
    """Every value of a key, and the records that made one."""
    await stage.press("enter", *["j"] * _KEYS_DOWN, "enter")
    await stage.until_seen(f"customer-{_KEYS_DOWN:03}")
    await stage.press("w")
    await stage.until_seen("what it changed")
    await stage.take("key")


async def _forked(stage: Stage) -> None:
    """The fork and its replay."""
    await stage.press("f3", "f", "ctrl+u", *"before", "enter", "f5")
    await stage.until_seen("1 fork", "before")
    await stage.press("c")
    await stage.until_seen("before with the code as it is")
    await stage.take("forks")
    await stage.press("p", "enter")
    await stage.until_seen("ENDED")
    await stage.take("replay")


async def _compared(stage: Stage) -> None:
    """A fix is saved, and compared with the code before."""
    text = stage.file.read_text(encoding="utf-8")
    stage.file.write_text(text.replace(_BUG, _FIX), encoding="utf-8")
    await stage.until_seen("r2")
    await stage.press("f3", "d", "enter")
    await stage.until_seen("THEY DIFFER")
    await stage.take("compare")


async def _bisected(stage: Stage) -> None:
    """When the first 150 customers were there."""
    await stage.press("f8", "j", "enter", *_CROWDED, "enter", "g", "enter")
    await stage.until_seen("FOUND")
    await stage.take("bisect")


def _epochs(stage: Stage) -> int:
    timeline = stage.session.value().snapshots.timeline
    return 0 if timeline is None else len(timeline.epochs)
