"""Tells the user's own source files from everybody else's."""

from __future__ import annotations

import linecache
import sysconfig
from pathlib import Path

import loom_bench
import loom_runtime

_INSTALLED = frozenset({"site-packages", "dist-packages"})

_PACKAGES = tuple(Path(package.__file__ or "").parent for package in (loom_runtime, loom_bench))
_STDLIB = tuple(Path(sysconfig.get_path(name)) for name in ("stdlib", "platstdlib"))

_FOREIGN_ROOTS = frozenset(
    root for path in (*_PACKAGES, *_STDLIB) for root in (path, path.resolve())
)


def is_installed(path: Path) -> bool:
    """Return whether *path* lies in a folder of installed packages."""
    return not _INSTALLED.isdisjoint(path.parts)


def is_user_file(file: str) -> bool:
    """Return whether *file* is code that the user wrote: neither ours, nor Python's, nor an
    installed package's."""
    if file.startswith("<"):
        return False
    path = Path(file)
    return not is_installed(path) and not any(path.is_relative_to(root) for root in _FOREIGN_ROOTS)


def source_line(file: str, line: int) -> str | None:
    """Return one line of a source file without its line end; ``None`` when it cannot be read."""
    linecache.checkcache(file)
    return linecache.getline(file, line).rstrip() or None
