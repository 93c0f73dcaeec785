"""The bench as ``loom-bench FLOW`` opens it; at its end the counts of its last value are kept."""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec

from loom_bench.cli.collecting import collect_seldom, spare_what_is_there
from loom_bench.session.live.session import LiveSession
from loom_bench.tui.app import WorkbenchApp


class Counts(msgspec.Struct):
    """What the session says that it saw."""

    errors_seen: int
    events_seen: int
    events_left_out: int
    events_kept: int
    logs_seen: int
    logs_left_out: int
    logs_kept: int
    outputs_seen: int


def main(flow: str, broker: str, counts: str) -> None:
    """Open *flow* on *broker*; write the counts to the file *counts*."""
    collect_seldom()
    with LiveSession.open(flow, broker=broker, feed_rate_per_s=0) as session:
        WorkbenchApp(session, on_shown=spare_what_is_there).run()
        value = session.value()
    seen = Counts(
        errors_seen=value.errors_seen,
        events_seen=value.events_seen,
        events_left_out=value.events_left_out,
        events_kept=len(value.events),
        logs_seen=value.logs_seen,
        logs_left_out=value.logs_left_out,
        logs_kept=len(value.logs),
        outputs_seen=value.outputs_seen,
    )
    Path(counts).write_bytes(msgspec.json.encode(seen))


if __name__ == "__main__":
    main(*sys.argv[1:4])
