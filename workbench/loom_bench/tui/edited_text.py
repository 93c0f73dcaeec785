"""A text that the user changes in their editor."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from loom_bench.tui.app import WorkbenchApp


def edited_text(app: WorkbenchApp, text: str, name: str, suffix: str = ".json") -> str | None:
    """Let the user change *text* in their editor; ``None`` when the editor did not end well.

    The file is private to the user, and gone afterwards.

    Args:
        app: Lends its terminal to the editor.
        text: What to begin with.
        name: What it is; part of the file's name.
        suffix: End of the file's name, from which editors know what it is.

    Raises:
        OSError: When there is no place for the file, or it is gone.
        UnicodeError: When what was saved is no text.
    """
    handle, path = tempfile.mkstemp(prefix=f"loom-bench-{name}-", suffix=suffix)
    file = Path(path)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", errors="replace") as opened:
            opened.write(text)
        return file.read_text(encoding="utf-8") if app.edit((path, None)) else None
    finally:
        file.unlink(missing_ok=True)
