"""A recovery store that holds values which another program pickled."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path

from tests.recovery.stores import Row, part, plant
from tests.recovery.test_hostile_history import STEP, store

_THEIRS = """
from pathlib import Path


class Basket:
    def __init__(self, apples):
        self.apples = apples

    def __setstate__(self, state):
        (Path(__file__).parent / "it ran").touch()
        self.__dict__.update(state)

    def __repr__(self):
        return f"Basket({self.apples} apples)"
"""
_DUMP = "import pickle, sys, theirs; sys.stdout.buffer.write(pickle.dumps(theirs.Basket(3)))"


def foreign_store(folder: Path) -> tuple[Path, Path, Path]:
    """Make one: the key ``basket`` of step ``count`` has a basket of three apples, then a value
    whose class nobody has.

    Returns:
        The program's module, the store's folder, and a file that is there once its code has run.
    """
    theirs, ran = folder / "theirs.py", folder / "it ran"
    theirs.write_text(_THEIRS)
    dumped = subprocess.run(
        [sys.executable, "-c", _DUMP], cwd=folder, capture_output=True, check=True
    )
    db_dir = store(folder)
    gone = pickle.dumps(3).replace(b"K\x03", b"cnowhere\nNothing\n")
    plant(part(db_dir, 1), [Row(STEP, "basket", 5, dumped.stdout), Row(STEP, "basket", 6, gone)])
    return theirs, db_dir, ran
