"""From what is asked for to a replay that can be run."""

from __future__ import annotations

from loom_bench.protocol.diagnosis import Diagnosis
from loom_bench.session.snapshots.ground import Ground
from loom_bench.session.snapshots.replay_run import ReplayFailedError, ReplayPlan
from loom_bench.session.snapshots.replay_value import WARNING, WARNING_REAL, ReplayRequest
from loom_runtime.recovery.history.forks import known_fork


def replay_of(ground: Ground, request: ReplayRequest) -> tuple[ReplayPlan, str]:
    """Return the replay that *request* asks for, and what is not isolated in it.

    Raises:
        ReplayFailedError: When it may not be run, or there is no such revision.
        StoreError: When the store cannot be read or has no such fork.
    """
    if not request.fork:
        raise _refused("the store itself is never replayed", "Fork it at an epoch first.")
    if request.real_topics and request.confirmation != request.fork:
        raise _refused(
            "writing to real topics was not confirmed",
            f"Type the name of the fork, {request.fork}: what is written cannot be taken back.",
        )
    files = ground.files(request.revision)
    stop = request.stop
    plan = ReplayPlan(
        folder=known_fork(ground.store, request.fork),
        target=files.target,
        config_path=files.config_path,
        bootstrap=ground.bootstrap,
        plaintext=ground.plaintext,
        ends=ground.ends(stop),
        max_records=stop.records,
        first_error=stop.first_error,
        breakpoint=stop.breakpoint,
        pace=request.pace,
        record_by_record=request.record_by_record,
        paused=request.paused,
        real_topics=request.real_topics,
        load_time_limit_ms=ground.load_time_limit_ms,
    )
    return plan, WARNING_REAL if request.real_topics else WARNING


def _refused(message: str, hint: str) -> ReplayFailedError:
    return ReplayFailedError(Diagnosis(code="replay_refused", message=message, hint=hint))
