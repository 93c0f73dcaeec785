"""Why no test can be written of a trace."""

from __future__ import annotations


class UnfinishedTraceError(Exception):
    """A trace does not say what comes of its record. The text says why."""
