"""Turns what goes wrong with stores and replays into one diagnosis."""

from __future__ import annotations

import traceback
from collections.abc import Callable

from loom_bench.protocol.diagnosis import Diagnosis
from loom_bench.session.snapshots.ground import CancelledError
from loom_bench.session.snapshots.reading import store_diagnosis
from loom_bench.session.snapshots.replay_run import ReplayFailedError
from loom_runtime.failures import RunError


def explained(task: Callable[[], None]) -> Diagnosis | None:
    """Do *task*; return what went wrong, ``None`` when nothing did or it was called off."""
    try:
        task()
    except CancelledError:
        return None
    except ReplayFailedError as error:
        return error.diagnoses[0] if error.diagnoses else None
    except (RunError, OSError) as error:
        return store_diagnosis(error)
    except Exception as error:  # noqa: BLE001 - a fault of ours must not end the desk unseen
        last = traceback.extract_tb(error.__traceback__)[-1]
        return Diagnosis(
            code="bench_failed",
            message=f"the bench failed: {type(error).__name__}: {error}",
            component="snapshots",
            file=last.filename,
            line=last.lineno,
            hint="Please report it.",
        )
    return None
