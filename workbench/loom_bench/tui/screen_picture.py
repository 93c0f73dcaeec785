"""Writes what is on the screen to an SVG file."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from loom_bench.tui.app import WorkbenchApp


def save_picture(app: WorkbenchApp) -> None:
    """Write the screen to a file in the working directory, and tell its name."""
    name = f"loom-bench-{time.strftime('%Y%m%d-%H%M%S')}.svg"
    try:
        Path(name).write_text(app.export_screenshot(title="loom-bench"), encoding="utf-8")
    except OSError as failure:
        app.tell(f"The picture could not be written: {failure}", "error")
    else:
        app.tell(f"The screen is in {name}")
