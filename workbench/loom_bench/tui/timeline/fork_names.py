"""Names of forks: of the one that is open, and one that is free for another."""

from __future__ import annotations

from collections.abc import Container
from itertools import count

from loom_bench.session.snapshots.value import SnapshotsValue


def parent_of(snapshots: SnapshotsValue) -> str:
    """Return the name of the fork that is open; empty when that is the store itself."""
    store = "" if snapshots.timeline is None else snapshots.timeline.store
    return next((fork.name for fork in snapshots.forks if fork.folder == store), "")


def free_name(taken: Container[str], epoch: int) -> str:
    """Return a name for a fork at *epoch* that no other has."""
    if (name := f"epoch-{epoch}") not in taken:
        return name
    numbered = (f"{name}-{number}" for number in count(2))
    return next(each for each in numbered if each not in taken)
