"""A host proves records one by one, and each result is told before the next one is tried."""

from __future__ import annotations

from collections.abc import Iterator
from queue import SimpleQueue

from loom_bench.protocol.frames import Load, Loaded
from loom_bench.protocol.tracing import ProofCase, ProofResult, Proved, ProveRecords, Verdict
from loom_bench.session.host_process import HostEnded, HostNews, HostProcess
from loom_runtime.errors import ErrorEnvelope, ErrorKind
from loom_runtime.tracing.fingerprint import envelope_fingerprint
from tests.bench.tracing.sides import FLOW, LIMIT_S, job

OTHER = envelope_fingerprint(ErrorEnvelope(ErrorKind.TASK, "another failure"))


def test_every_record_has_its_verdict_until_one_ends_the_process() -> None:
    kinds = ["", "fail", "fail", "silent", "exit", ""]
    cases = [
        ProofCase(id=str(n), record=job(kind, offset=n), fingerprint=OTHER)
        for n, kind in enumerate(kinds)
    ]
    results = list(proved(cases))
    assert [each.id for each in results] == ["0", "1", "2", "3"]
    assert [each.verdict for each in results] == [Verdict.PASSES] + [Verdict.DIFFERENT_ERROR] * 3
    assert results[1].node == "Act"
    assert results[1].fingerprint == results[2].fingerprint != results[3].fingerprint
    again = ProofCase(id="again", record=job("fail"), fingerprint=results[1].fingerprint)
    assert [each.verdict for each in proved([again])] == [Verdict.SAME_ERROR]


def proved(cases: list[ProofCase]) -> Iterator[ProofResult]:
    """Yield what a host of its own tells of *cases* until it is done or ends."""
    news: SimpleQueue[HostNews] = SimpleQueue()
    host = HostProcess(news.put)
    try:
        host.send(Load(target=str(FLOW), bootstrap="127.0.0.1:1", to_run=True))
        while not isinstance(news.get(timeout=LIMIT_S), Loaded):
            pass
        host.send(ProveRecords(id=1, cases=tuple(cases)))
        while not isinstance(told := news.get(timeout=LIMIT_S), HostEnded):
            if isinstance(told, Proved):
                yield from told.results
                if told.last:
                    return
    finally:
        host.close()
