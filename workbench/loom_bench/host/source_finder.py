"""Imports a project's own modules from their source, never from cached bytecode.

Python takes cached bytecode for current when the source's time, in whole seconds, and its size
are unchanged: two saves within a second that leave the size alone run the older code.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib.abc import PathEntryFinder
from importlib.machinery import (
    EXTENSION_SUFFIXES,
    SOURCE_SUFFIXES,
    ExtensionFileLoader,
    FileFinder,
    SourceFileLoader,
)
from pathlib import Path
from types import CodeType

from loom_bench.user_files import is_installed
from loom_runtime.compiler.locations import source_was_read


class SourceLoader(SourceFileLoader):
    """Compiles the source each time; what tells of the code's places and hashes is to read the
    same."""

    def get_code(self, fullname: str) -> CodeType:
        """Return the code of the module's source as it is now."""
        path = self.get_filename(fullname)
        source = self.get_data(path)
        source_was_read(path, source)
        code: CodeType = self.source_to_code(source, path)
        return code


def import_from_source(root: Path) -> None:
    """Make imports of modules below *root* read their source, and *root* first on ``sys.path``.

    Installed packages below it, such as those of a virtual environment, are left alone.
    """
    finder: Callable[[str], PathEntryFinder] = FileFinder.path_hook(
        (ExtensionFileLoader, EXTENSION_SUFFIXES), (SourceLoader, SOURCE_SUFFIXES)
    )

    def hook(entry: str) -> PathEntryFinder:
        folder = Path(entry)
        if not folder.is_relative_to(root) or is_installed(folder):
            raise ImportError(f"{entry} is not part of the project")
        return finder(entry)

    sys.path_hooks.insert(0, hook)
    for known in [entry for entry in sys.path_importer_cache if Path(entry).is_relative_to(root)]:
        del sys.path_importer_cache[known]
    sys.path.insert(0, str(root))
