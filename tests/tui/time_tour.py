"""A tour of the screens over the recovery store: epochs, and the state at the chosen one."""

from __future__ import annotations

from tests.tui.picture_stage import Stage, order_desk

_EPOCHS_BACK = 12


async def timetravel() -> dict[str, str]:
    """What the README shows of the history."""
    async with order_desk(feed_rate_per_s=200.0) as stage:
        await stage.press("T")
        await stage.until(lambda: _epochs(stage) > 60, "sixty epochs")
        await stage.press("0", *["k"] * _EPOCHS_BACK)
        await stage.until_seen("keys")
        await stage.take("timeline")
        return stage.taken


def _epochs(stage: Stage) -> int:
    timeline = stage.session.value().snapshots.timeline
    return 0 if timeline is None else len(timeline.epochs)
