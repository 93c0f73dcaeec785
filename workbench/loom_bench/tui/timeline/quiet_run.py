"""Epochs in a row in which nothing changed, as one."""

from __future__ import annotations

from loom_bench.session.snapshots.value import EpochView


class QuietRun(EpochView, frozen=True, kw_only=True):
    """Epochs in a row in which nothing changed, as the last of them: the state is the same at all.

    Attributes:
        first: Number of the first one.
        began_ms: When that was closed; ``None`` in a foreign store.
        count: How many they are.
    """

    first: int
    began_ms: int | None
    count: int


def is_quiet(epoch: EpochView) -> bool:
    """Return whether nothing changed in *epoch*, as far as it is known."""
    if epoch.records is None and epoch.keys_changed is None:
        return False
    return not (epoch.records or epoch.keys_changed or epoch.marks) and epoch.complete
