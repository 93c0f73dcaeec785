"""How often the history of a store was thinned, kept beside it: counts made before are too high."""

from __future__ import annotations

from pathlib import Path

import msgspec

THINNED_FILE = "loom-thinned.json"


class _Thinned(msgspec.Struct):
    times: int


def times_thinned(db_dir: Path) -> int:
    """Return how often."""
    try:
        return msgspec.json.decode((db_dir / THINNED_FILE).read_bytes(), type=_Thinned).times
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        return 0


def note_thinning(db_dir: Path) -> None:
    """Count one more time.

    Raises:
        OSError: When the file system refuses.
    """
    path = db_dir / THINNED_FILE
    temporary = path.with_suffix(".tmp")
    temporary.write_bytes(msgspec.json.encode(_Thinned(times_thinned(db_dir) + 1)))
    temporary.chmod(0o600)
    temporary.replace(path)
