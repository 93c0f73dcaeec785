"""Reads what a store holds, as bytes, without running code of whoever wrote it.

Never in a process that runs Bytewax on the store (see :mod:`loom_runtime.recovery.parts`); another
process may read a store that is in use.
"""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from loom_runtime.recovery.part_access import Access
from loom_runtime.recovery.parts import PartFile, check_complete, part_files, resume_epoch
from loom_runtime.recovery.pickled import read_pickled


def read_values(db_dir: Path, step: str) -> dict[str, bytes]:
    """Return what a run would resume *step* from: the value of each key that has one.

    Args:
        db_dir: Folder of the store.
        step: Step id without the flow's.

    Raises:
        StoreError: When the store cannot be read.
        NotPlainError: When a value is something else than bytes.
    """
    newest: dict[str, tuple[int, bytes | None]] = {}
    with ExitStack() as stack:
        paths = part_files(db_dir)
        files = [stack.enter_context(PartFile(path, Access.READ)) for path in paths]
        parts = [file.read() for file in files]
        check_complete(db_dir, parts, None)
        epoch = resume_epoch(db_dir, parts)
        for file in files:
            for step_id in file.steps():
                if step_id.partition(".")[2] != step:
                    continue
                for key, snap_epoch, pickled in file.latest(step_id, epoch):
                    if key not in newest or newest[key][0] < snap_epoch:
                        newest[key] = snap_epoch, pickled
    values = {key: read_pickled(blob) for key, (_, blob) in newest.items() if blob is not None}
    return {key: value for key, value in values.items() if value is not None}
