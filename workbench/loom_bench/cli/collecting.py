"""Python's garbage collector in a process with a screen: it stands in nobody's way.

A full collection looks at every object there is: a tenth of a second with all that is imported.
"""

from __future__ import annotations

import gc
from typing import Final

_OBJECTS_BETWEEN: Final = 10_000
"""New objects after which the youngest are looked at."""


def collect_seldom() -> None:
    """Look at new objects seldom."""
    gc.set_threshold(_OBJECTS_BETWEEN, 10, 10)


def spare_what_is_there() -> None:
    """Never look again at what there is now: most of it, code above all, stays to the end."""
    gc.freeze()
