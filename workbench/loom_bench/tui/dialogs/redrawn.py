"""What a dialog is that shows live figures."""

from __future__ import annotations

from typing import Protocol, runtime_checkable


@runtime_checkable
class Redrawn(Protocol):
    """Drawn again with every new value while it is on top."""

    def redraw(self) -> None:
        """Show what is so now."""
        ...
