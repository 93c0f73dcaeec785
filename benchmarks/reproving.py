"""Re-proving envelopes on a reload, beside a flow that works at full speed."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.broker import prefill
from benchmarks.envelope_flow import PARTITIONS, write_flow
from benchmarks.report import progress
from loom_bench.session.live.session import LiveSession
from loom_bench.session.value import SessionValue

_NAME: Final = "proof"
BACKLOG: Final = 3_000_000
"""Records that wait for the flow, so that it never waits for them while it is measured."""

_BASE_S: Final = 8.0
_LIMIT_S: Final = 180.0


class ProofFailedError(RuntimeError):
    """The session did not do what the benchmark waits for."""


@dataclass(frozen=True)
class Proof:
    """What was measured.

    Attributes:
        envelopes: Envelopes that were proved.
        proof_s: How long that took, from the start of the new revision.
        passed: How many pass.
        base_per_s: Records per second of the flow before.
        meanwhile_per_s: Records per second of it while they were proved.
    """

    envelopes: int
    proof_s: float
    passed: int
    base_per_s: float
    meanwhile_per_s: float


def reprove(broker: str, folder: Path, envelopes: int, backlog: int = BACKLOG) -> Proof:
    """Fail *envelopes* records, mend the flow under load, and see them proved.

    Raises:
        ProofFailedError: When something does not come within three minutes.
    """
    path, _ = write_flow(folder, _NAME, broker)
    _fill(broker, 0, envelopes, "mug")
    with LiveSession.open(str(path), broker=broker) as session:
        inbox = session.envelopes
        until(lambda: inbox.value().kept.kept >= envelopes, "the envelopes did not come")
        progress(f"{envelopes:,} envelopes are open")
        session.pause()
        _fill(broker, envelopes, backlog, "tea")
        session.resume()
        until(lambda: _read(session.value()) > envelopes, "the flow did not go on")
        base_per_s = _rate_over(session, lambda since_s: since_s > _BASE_S)
        progress(f"the flow makes {base_per_s:,.0f} records/s; it is mended now")
        path.write_text(path.read_text().replace('{"tea": 450}', '{"tea": 450, "mug": 700}'))
        until(lambda: inbox.value().proving, "no proof began")
        began_s, before = time.monotonic(), _read(session.value())
        until(lambda: _read(session.value()) > before, "the new revision did not read")
        meanwhile_per_s = _rate_over(session, lambda _since_s: not inbox.value().proving)
        proof_s = time.monotonic() - began_s
        tally = inbox.value().proof
        if tally is None or not tally.done:
            raise ProofFailedError(f"the proof ended early: {inbox.value().notices[-1:]}")
        left = _left(session.value())
        if not left:
            raise ProofFailedError("the flow ran out of records while it was measured")
        return Proof(
            envelopes=tally.passes + tally.same_error + tally.different_error + tally.untried,
            proof_s=proof_s,
            passed=tally.passes,
            base_per_s=base_per_s,
            meanwhile_per_s=meanwhile_per_s,
        )


def until(holds: Callable[[], object], what: str) -> None:
    """Wait for something.

    Raises:
        ProofFailedError: When it does not come within three minutes.
    """
    deadline_s = time.monotonic() + _LIMIT_S
    while not holds():
        if time.monotonic() > deadline_s:
            raise ProofFailedError(what)
        time.sleep(0.02)


def _fill(broker: str, first: int, count: int, product: str) -> None:
    prefill(
        broker,
        f"{_NAME}.orders",
        (
            (
                number % PARTITIONS,
                b"k%d" % (number % 997),
                b'{"number": %d, "product": "%s"}' % (number, product.encode()),
            )
            for number in range(first, first + count)
        ),
    )


def _rate_over(session: LiveSession, ended: Callable[[float], bool]) -> float:
    """Return the records per second that are read until *ended*, told the seconds since."""
    began_s, before = time.monotonic(), _read(session.value())
    while True:
        time.sleep(0.1)
        since_s = time.monotonic() - began_s
        if ended(since_s):
            return (_read(session.value()) - before) / since_s
        if since_s > _LIMIT_S:
            raise ProofFailedError("it took more than three minutes")


def _read(value: SessionValue) -> int:
    return sum(each.row.position or 0 for each in value.offsets)


def _left(value: SessionValue) -> int:
    return sum(each.lag or 0 for each in value.offsets)
