"""The bench as ``loom-bench FLOW`` opens it; what its inbox holds is told in a file meanwhile."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

import msgspec

from loom_bench.cli.collecting import collect_seldom, spare_what_is_there
from loom_bench.session.live.session import LiveSession
from loom_bench.tui.app import WorkbenchApp

_TOLD_EVERY_S = 0.25


class Held(msgspec.Struct):
    """What the inbox says that it holds.

    Attributes:
        reading: Whether the topic of envelopes is read.
        seen: Envelopes that came.
        kept: Of them those that can be looked at.
        counted: Those that are counted only.
        groups: Groups.
        made_in_ms: How long making each value took that was looked at.
    """

    reading: bool
    seen: int
    kept: int
    counted: int
    groups: int
    made_in_ms: list[float]


def tell(session: LiveSession, path: Path, ended: threading.Event) -> None:
    """Write what the inbox holds to *path*, a few times a second."""
    made_in_ms: list[float] = []
    aside = path.with_suffix(".new")
    while True:
        last = ended.wait(_TOLD_EVERY_S)
        value = session.envelopes.value()
        made_in_ms.append(value.made_in_ms)
        held = Held(
            reading=any(topic.behind is not None for topic in value.topics),
            seen=value.kept.seen,
            kept=value.kept.kept,
            counted=value.kept.counted,
            groups=value.groups_total,
            made_in_ms=made_in_ms,
        )
        aside.write_bytes(msgspec.json.encode(held))
        aside.replace(path)
        if last:
            return


def main(flow: str, broker: str, path: str) -> None:
    """Open *flow* on *broker*, and tell in the file *path* what its inbox holds."""
    collect_seldom()
    ended = threading.Event()
    with LiveSession.open(flow, broker=broker, feed_rate_per_s=0) as session:
        teller = threading.Thread(target=tell, args=(session, Path(path), ended), daemon=True)
        teller.start()
        WorkbenchApp(session, on_shown=spare_what_is_there).run()
        ended.set()
        teller.join()


if __name__ == "__main__":
    main(*sys.argv[1:4])
