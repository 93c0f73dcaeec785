"""Why a recovery store cannot be used."""

from __future__ import annotations

from loom_runtime.failures import RunError


class StoreError(RunError):
    """A recovery store cannot be used."""


class StoreMismatchError(StoreError):
    """The store belongs to another flow, or to a revision whose state this one cannot read."""


class StoreDamagedError(StoreError):
    """The store's files are incomplete, unreadable or not Bytewax's."""


class StoreBusyError(StoreError):
    """Another run uses the store."""


class StoreUnreachableError(StoreError):
    """The machine refuses: no permission, no space, no such folder."""


class NotPlainError(ValueError):
    """A stored value is something else than bytes or ``None``."""
