"""A virtual environment of its own for the peer library, made when it is first needed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Final

from benchmarks.report import progress

PEER: Final = "loom-kernel[streaming,kafka]==9.0.0"
_FOLDER: Final = Path(__file__).resolve().parent / ".venvs" / "loom-kernel-9.0.0"


def peer_python() -> str:
    """The interpreter of the peer's environment; the first call installs it with pip.

    Raises:
        subprocess.CalledProcessError: The environment could not be made or filled.
    """
    python = _FOLDER / "bin" / "python"
    complete = _FOLDER / "complete"
    if not complete.exists():
        progress(f"installing {PEER} into {_FOLDER.name}")
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(_FOLDER)], check=True)
        command = [str(python), "-m", "pip", "install", "--quiet", PEER]
        subprocess.run(command, check=True, stdout=sys.stderr)
        complete.touch()
    return str(python)
