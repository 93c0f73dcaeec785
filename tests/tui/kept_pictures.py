"""Pictures of screens that are kept beside the tests, and what differs from them."""

from __future__ import annotations

import difflib
import os
from pathlib import Path

import pytest

from tests.tui.running_app import Bench
from tests.tui.seen import picture, stop_blinking

_PICTURES = Path(__file__).parent / "pictures"
_SIZES = ((80, 24), (160, 45))

ACCEPT = "LOOM_UPDATE_PICTURES=1 accepts what it looks like now"

sizes = pytest.mark.parametrize("size", _SIZES, ids=lambda size: "x".join(map(str, size)))


async def differences(seen: Bench, name: str, tmp_path: Path) -> list[str]:
    """Compare the screen with its picture; return the first lines that differ."""
    stop_blinking(seen.app)
    await seen.app.workers.wait_for_complete()
    await seen.press()
    width, height = seen.app.size
    file = _PICTURES / f"{name}-{width}x{height}.svg"
    now = picture(seen.app)
    if os.environ.get("LOOM_UPDATE_PICTURES"):
        _PICTURES.mkdir(exist_ok=True)
        file.write_text(now, encoding="utf-8")
    before = file.read_text(encoding="utf-8") if file.exists() else ""
    if now == before:
        return []
    (tmp_path / file.name).write_text(now, encoding="utf-8")
    difference = difflib.unified_diff(
        before.splitlines(),
        now.splitlines(),
        file.name,
        str(tmp_path / file.name),
        n=0,
        lineterm="",
    )
    return list(difference)[:20]
