"""The name of a version of a flow's code: a hash of its module, local imports and configuration."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path

_CHARACTERS = 12


def revision_name(module: Path, files: Iterable[Path]) -> str:
    """Return the name of what *files* hold now; one that cannot be read counts as absent.

    Where the files lie does not matter, only how they lie to *module*.
    """
    digest = hashlib.sha256()
    for place, file in sorted((os.path.relpath(file, module.parent), file) for file in set(files)):
        try:
            content = file.read_bytes()
        except OSError:
            continue
        digest.update(place.encode("utf-8", "surrogateescape") + b"\0")
        digest.update(len(content).to_bytes(8, "big") + content)
    return digest.hexdigest()[:_CHARACTERS]
