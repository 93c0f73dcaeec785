"""Which code may be run on a fork: what is on disk, a revision that was kept, any file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from loom_bench.session.snapshots.replay_value import CURRENT
from loom_bench.session.snapshots.value import KeptRevision
from loom_bench.tui.dialogs.choosing import Choice
from loom_bench.tui.figures import moment_text

REVISION_HINT: Final = "or the path of a module"

_MOST_OFFERED: Final = 200


def revision_choices(revisions: Sequence[KeptRevision], now_ms: int) -> tuple[Choice, ...]:
    """Return the code as it is, and the kept revisions, the newest first."""
    kept = [
        Choice(
            each.name,
            each.name,
            f"first run {moment_text(each.kept_at_ms, now_ms)}, {', '.join(each.files)}",
        )
        for each in reversed(revisions[-_MOST_OFFERED:])
    ]
    return (Choice(CURRENT, "the code as it is", "on disk now"), *kept)


def revision_names(revisions: Sequence[KeptRevision]) -> tuple[str, ...]:
    """Return the names of what may be run: the code as it is, then the newest first."""
    return (CURRENT, *(each.name for each in reversed(revisions)))
