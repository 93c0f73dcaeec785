"""Tells the user's own source files from everybody else's."""

from __future__ import annotations

import linecache
import os
import sysconfig
from pathlib import Path

import loom_bench
import loom_runtime

_INSTALLED = frozenset({"site-packages", "dist-packages"})

_PACKAGES = tuple(Path(package.__file__ or "").parent for package in (loom_runtime, loom_bench))
_STDLIB = tuple(Path(sysconfig.get_path(name)) for name in ("stdlib", "platstdlib"))

# As text: a host looks at every module that it has while a save waits to be run.
_FOREIGN_ROOTS = tuple(
    {f"{root}{os.sep}" for path in (*_PACKAGES, *_STDLIB) for root in (path, path.resolve())}
)
_INSTALLED_PARTS = tuple(f"{os.sep}{name}{os.sep}" for name in _INSTALLED)


def is_installed(path: Path) -> bool:
    """Return whether *path* lies in a folder of installed packages."""
    return not _INSTALLED.isdisjoint(path.parts)


def is_user_file(file: str) -> bool:
    """Return whether *file* is code that the user wrote: neither ours, nor Python's, nor an
    installed package's."""
    if file.startswith(("<", *_FOREIGN_ROOTS)):
        return False
    return not any(part in file for part in _INSTALLED_PARTS)


def source_line(file: str, line: int) -> str | None:
    """Return one line of a source file without its line end; ``None`` when it cannot be read."""
    linecache.checkcache(file)
    return linecache.getline(file, line).rstrip() or None
