"""Two epochs as they are typed: ``120-180``."""

from __future__ import annotations

import re
from typing import Final

_SPAN: Final = re.compile(r"(\d{1,18})\s*-\s*(\d{1,18})")


def parse_span(text: str) -> tuple[int, int] | None:
    """Return the two epochs that *text* names, the earlier first; ``None`` when it names none."""
    match = _SPAN.fullmatch(text.strip())
    if match is None:
        return None
    low, high = sorted(map(int, match.groups()))
    return low, high
