"""The files that belong to the project, as they lie in the checkout."""

import ast
import functools
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
PYTHON_FOLDERS = ("runtime", "workbench", "sample_flows", "benchmarks", "tests")
"""Folders whose modules are ours."""

_NOT_OURS = frozenset({"__pycache__", "build", "dist", "node_modules"})


@dataclass(frozen=True)
class Module:
    """A Python file: its path from the repository's folder, its text, its syntax tree."""

    path: str
    text: str
    tree: ast.Module


def files(folder: Path = REPOSITORY) -> Iterator[Path]:
    """Every file below *folder* but hidden folders' and what builds leave behind.

    Not what Git tracks: a new file counts before it is added, and an unpacked archive has no Git.
    """
    for parent, folders, names in os.walk(folder):
        hidden = {name for name in folders if name.startswith(".") and name != ".ci"}
        folders[:] = sorted(set(folders) - hidden - _NOT_OURS)
        kept = (each for each in names if each != ".git" and not each.endswith(".pyc"))
        yield from (Path(parent, name) for name in sorted(kept))


@functools.cache
def modules() -> tuple[Module, ...]:
    """Every module of ours."""
    found = []
    for folder in PYTHON_FOLDERS:
        for path in files(REPOSITORY / folder):
            if path.suffix == ".py":
                text = path.read_text(encoding="utf-8")
                name = path.relative_to(REPOSITORY).as_posix()
                found.append(Module(name, text, ast.parse(text, filename=name)))
    return tuple(found)
