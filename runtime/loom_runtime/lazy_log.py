"""A logger whose library is loaded with the first line that is logged."""

from __future__ import annotations

from typing import Any, Self


class LazyLog:
    """Logs as structlog's logger of that name does.

    Importing structlog takes a fifth of the time in which a flow loads, and most runs log nothing
    of ours.

    Args:
        name: The logger's name.
        **bound: What every line has.
    """

    def __init__(self, name: str, **bound: object) -> None:
        self._name = name
        self._bound = bound

    def bind(self, **more: object) -> Self:
        """Return a logger whose every line has *more*."""
        return type(self)(self._name, **{**self._bound, **more})

    def __getattr__(self, method: str) -> Any:
        """Return a method of the logger."""
        import structlog  # noqa: PLC0415

        return getattr(structlog.get_logger(self._name, **self._bound), method)
