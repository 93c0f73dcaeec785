"""Runs the records of open envelopes through a revision, in a host in the background."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import islice
from typing import Final, NamedTuple

from loom_bench.broker.contract import BrokerError
from loom_bench.broker.place import RecordPlace
from loom_bench.protocol.diagnosis import Diagnosis
from loom_bench.protocol.frames import Load, Loaded, LoadFailed
from loom_bench.protocol.tracing import (
    PROOF_TIME_LIMIT_MS,
    ProofCase,
    ProofResult,
    Proved,
    ProveRecords,
    Verdict,
)
from loom_bench.session.envelopes.flow_view import InboxFlow
from loom_bench.session.envelopes.group import Kept
from loom_bench.session.envelopes.intake import Post
from loom_bench.session.envelopes.records import Found, Records
from loom_bench.session.envelopes.source_record import as_source, carried
from loom_bench.session.host_process import HostEnded, HostNews, HostProcess, OutputLine

CHUNK_CASES: Final = 200
"""Records that are sent to the host at once: a proof can be given up between two chunks."""

SHARE: Final = 0.25
"""Of one processor, so that the flow that runs keeps nearly all of its pace."""

_GRACE_S: Final = 3.0
"""Beyond a record's time limit: the host ends it by itself where it can."""

Judged = Callable[[Sequence[tuple[Kept, Verdict, str]]], None]


class Proof(NamedTuple):
    """What a proof is about.

    Attributes:
        flow: The flow, with the number of its revision.
        load: How a host loads it.
        envelopes: What is proved.
    """

    flow: InboxFlow
    load: Load
    envelopes: tuple[Kept, ...]


class Proving:
    """One proof at a time. Used on the inbox's thread.

    Args:
        post: Has something done on that thread.
        records: Fetches records.
        judged: Called with verdicts, as they come.
        ended: Called when everything was tried, or why it could not be.
    """

    def __init__(
        self,
        post: Post,
        records: Records,
        judged: Judged,
        ended: Callable[[Diagnosis | None], None],
    ) -> None:
        self._post = post
        self._records = records
        self._judged = judged
        self._ended = ended
        self._proof: Proof | None = None
        self._waiting: list[Kept] = []
        self._by_id: dict[str, Kept] = {}
        self._cases: dict[str, ProofCase] = {}
        self._host: HostProcess | None = None
        self._host_number = 0
        self._loaded = False
        self._number = 0
        self._alone = False
        self._heard_s = 0.0

    @property
    def active(self) -> bool:
        """Whether a proof is under way."""
        return self._proof is not None

    def begin(self, proof: Proof) -> None:
        """Prove; a proof under way is given up."""
        self.cancel()
        self._proof = proof
        # By place: what lies together is fetched together.
        self._waiting = sorted(
            proof.envelopes, key=lambda each: each.envelope.source or ("", 0, 0), reverse=True
        )
        self._next_chunk()

    def cancel(self) -> None:
        """Give the proof under way up."""
        self._proof, self._waiting, self._cases = None, [], {}
        self._alone = False
        self._drop_host()

    def tick(self) -> None:
        """Cut off what hangs; once a second."""
        if not self._cases or self._proof is None:
            return
        limit_s = self._proof.load.time_limit_ms / 1000 if not self._loaded else 0.0
        limit_s += PROOF_TIME_LIMIT_MS / 1000 + _GRACE_S
        if time.monotonic() - self._heard_s > limit_s:
            self._cut_off(f"it took longer than {PROOF_TIME_LIMIT_MS / 1000:g} s and was cut off")

    def _next_chunk(self) -> None:
        proof = self._proof
        if proof is None:
            return
        chunk = [self._waiting.pop() for _ in range(min(CHUNK_CASES, len(self._waiting)))]
        if not chunk:
            self._finish(None)
            return
        places = {place for each in chunk if (place := _wanted_place(each)) is not None}
        self._records.fetch(
            places, lambda found: self._post(partial(self._fetched, proof, chunk, found))
        )

    def _fetched(self, proof: Proof, chunk: Sequence[Kept], found: Found | BrokerError) -> None:
        if proof is not self._proof:
            return
        if isinstance(found, BrokerError):
            self._finish(
                Diagnosis(
                    code="proof_failed",
                    message=f"the records to prove cannot be read: {found.what}",
                    component=found.where,
                    hint=found.what_next,
                )
            )
            return
        untried: list[tuple[Kept, Verdict, str]] = []
        for kept in chunk:
            case = _case(kept, found, proof.flow)
            if isinstance(case, str):
                untried.append((kept, Verdict.NOT_PROVED, case))
            else:
                self._by_id[case.id], self._cases[case.id] = kept, case
        if untried:
            self._judged(untried)
        if self._cases:
            self._send()
        else:
            self._next_chunk()

    def _send(self) -> None:
        """Have the host try what is not tried yet; one by one after one of them ended it."""
        proof = self._proof
        if proof is None:
            return
        if self._host is None:
            self._loaded, self._heard_s = False, time.monotonic()
            try:
                self._host_number += 1
                self._host = HostProcess(partial(self._take, self._host_number))
            except OSError as error:
                self._finish(
                    Diagnosis(
                        code="no_process",
                        message=f"no process can be started to prove in: {error}",
                        hint="Close other programs, then prove again.",
                    )
                )
                return
            self._host.send(proof.load)
        elif self._loaded:
            self._send_cases()

    def _send_cases(self) -> None:
        if self._host is None:
            return
        self._number += 1
        self._heard_s = time.monotonic()
        cases = tuple(islice(self._cases.values(), 1 if self._alone else None))
        self._host.send(ProveRecords(id=self._number, cases=cases, share=SHARE))

    def _take(self, host: int, news: HostNews) -> None:
        """Take news on a thread of the host's; what the code prints meanwhile is nobody's."""
        if not isinstance(news, OutputLine):
            self._post(partial(self._told, host, news))

    def _told(self, host: int, news: HostNews) -> None:
        if self._host is None or host != self._host_number:
            return
        match news:
            case Loaded():
                self._loaded = True
                self._send_cases()
            case LoadFailed():
                self._finish(news.diagnoses[0])
            case Proved(id=self._number):
                self._heard_s = time.monotonic()
                self._proved(news.results)
                if news.last:
                    self._go_on()
            case HostEnded():
                self._cut_off("it ended its process")

    def _proved(self, results: Iterable[ProofResult]) -> None:
        verdicts = [
            (self._by_id.pop(result.id), result.verdict, result.reason)
            for result in results
            if self._cases.pop(result.id, None) is not None
        ]
        if verdicts:
            self._judged(verdicts)

    def _go_on(self) -> None:
        if self._cases and self._alone:
            self._send_cases()
        else:
            self._cases, self._alone = {}, False
            self._next_chunk()

    def _cut_off(self, why: str) -> None:
        """Take in that the host hung or ended: at the one record that it had, or at one of many,
        which are tried one by one then."""
        self._drop_host()
        if not self._cases:
            return  # it had nothing to do; another is started for the next chunk
        if not self._loaded:
            self._finish(
                Diagnosis(
                    code="proof_failed",
                    message="the process that is to prove ended, or hung, while it loaded the flow",
                    hint="Prove again; run the flow to see why.",
                )
            )
            return
        if self._alone:
            first = next(iter(self._cases))
            del self._cases[first]
            self._judged([(self._by_id.pop(first), Verdict.CUT_OFF, why)])
        self._alone = True
        if self._cases:
            self._send()
        else:
            self._alone = False
            self._next_chunk()

    def _finish(self, problem: Diagnosis | None) -> None:
        self.cancel()
        self._ended(problem)

    def _drop_host(self) -> None:
        host, self._host = self._host, None
        if host is not None:
            host.kill()
            host.close()


def _wanted_place(kept: Kept) -> RecordPlace | None:
    envelope = kept.envelope
    return envelope.place if envelope.carries_record else envelope.source


def _case(kept: Kept, found: Found, flow: InboxFlow) -> ProofCase | str:
    """Return what the host is to try, or why it cannot."""
    envelope = kept.envelope
    place = _wanted_place(kept)
    if envelope.source is None or place is None:
        return "where its record lies is not told"
    if envelope.source.topic not in flow.plan.source.topics:
        return f"its record is of {envelope.source.topic}, which the flow does not read"
    record = found.get(place)
    if record is None:
        return f"its record, {place}, is there no more"
    source = carried(envelope, record) if envelope.carries_record else as_source(record)
    if source is None:
        return "its record cannot be made out of it"
    return ProofCase(id=envelope.id, record=source, fingerprint=envelope.fingerprint)
