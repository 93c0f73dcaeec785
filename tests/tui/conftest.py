"""What every test of the application needs: one clock, colours, no keymap of whoever runs it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.tui.settling import settled


@pytest.fixture(autouse=True)
def _same_everywhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Tell times in UTC, draw in colour, and work in a folder of the test's own."""
    with monkeypatch.context() as patched:
        patched.setenv("TZ", "UTC")
        patched.delenv("NO_COLOR", raising=False)
        patched.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
        patched.chdir(tmp_path)
        patched.setattr("textual.app.wait_for_idle", settled)
        patched.setattr("textual.pilot.wait_for_idle", settled)
        time.tzset()
        yield
    time.tzset()
