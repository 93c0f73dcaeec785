"""Runs the records of open envelopes through a revision, in a host in the background."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final, NamedTuple

from loom_bench.broker.contract import BrokerError
from loom_bench.broker.place import RecordPlace
from loom_bench.protocol.diagnosis import Diagnosis
from loom_bench.protocol.frames import Load
from loom_bench.protocol.tracing import (
    PROOF_TIME_LIMIT_MS,
    KnownState,
    ProofCase,
    Proved,
    ProveRecords,
    StateGiven,
    StateWanted,
    Verdict,
)
from loom_bench.session.envelopes.flow_view import InboxFlow
from loom_bench.session.envelopes.group import Kept
from loom_bench.session.envelopes.intake import Post
from loom_bench.session.envelopes.records import Found, Records
from loom_bench.session.envelopes.source_record import as_source, carried
from loom_bench.session.host_process import HostNews
from loom_bench.session.live.hosts import Hosts, NoLines
from loom_bench.session.tracing.code_host import CodeHost
from loom_bench.session.tracing.states import StepStates

CHUNK_CASES: Final = 200
"""Records that are sent to the host at once: a proof can be given up between two chunks."""

SHARE: Final = 0.5
"""Of one processor's time, so that the flow that runs keeps nearly all of its pace."""

NICE: Final = 19
"""A host that proves takes what nobody else wants: the flow that runs comes first."""

_JUDGED_EVERY_S: Final = 0.25
"""Verdicts are taken in together: each time their decisions are written, which takes the disk as
long as proving twenty records."""

_NOWHERE: Final = RecordPlace("", 0, 0)

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
        ended: Called when everything was tried, or with why it could not be.
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
        self._ahead: dict[str, ProofCase] = {}
        self._fetching = False
        self._number = 0
        self._trying = False
        self._verdicts: list[tuple[Kept, Verdict, str]] = []
        self._judged_s = 0.0
        self._states = StepStates(post)
        self._hosts = Hosts(post, NoLines())
        self._host = CodeHost(self._hosts, self._try_cases, self._told, self._lost, nice=NICE)

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
            proof.envelopes, key=lambda each: each.envelope.source or _NOWHERE, reverse=True
        )
        self._fetch()

    def cancel(self) -> None:
        """Give the proof under way up; what it found and did not tell yet is forgotten."""
        self._proof, self._waiting, self._trying, self._fetching = None, [], False, False
        self._cases, self._ahead, self._by_id, self._verdicts = {}, {}, {}, []
        self._host.drop()

    def stop(self) -> None:
        """End the proof under way; what it found by now counts."""
        self._judge()
        self.cancel()

    def tick(self) -> None:
        """Tell what was found, cut off what hangs; once a second."""
        self._judge()
        self._host.tick()

    def close(self) -> None:
        """Prove nothing more; returns when every process has ended."""
        self.cancel()
        self._hosts.close()

    def _fetch(self) -> None:
        """Fetch the records of the next chunk: while they come, the one before is tried."""
        proof = self._proof
        chunk = [self._waiting.pop() for _ in range(min(CHUNK_CASES, len(self._waiting)))]
        if proof is None or not chunk:
            return
        self._fetching = True
        places = {place for each in chunk if (place := _wanted_place(each)) is not None}
        self._records.fetch(
            places, lambda found: self._post(partial(self._fetched, proof, chunk, found))
        )

    def _fetched(self, proof: Proof, chunk: Sequence[Kept], found: Found | BrokerError) -> None:
        if proof is not self._proof:
            return
        self._fetching = False
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
        for kept in chunk:
            case = _case(kept, found, proof.flow)
            if isinstance(case, str):
                self._verdicts.append((kept, Verdict.NOT_PROVED, case))
            else:
                self._by_id[case.id], self._ahead[case.id] = kept, case
        if not self._cases:
            self._go_on(proof)

    def _go_on(self, proof: Proof) -> None:
        """Have a host try what is not tried yet."""
        if not self._cases and not self._fetching:
            self._cases, self._ahead = self._ahead, {}
            self._fetch()
        if not self._cases:
            if not self._fetching:
                self._finish(None)
        elif self._host.loaded is not None:
            self._try_cases()
        elif not self._host.there:
            try:
                self._host.begin(proof.load)
            except OSError as error:
                self._finish(
                    Diagnosis(
                        code="no_process",
                        message=f"no process can be started to prove in: {error}",
                        hint="Close other programs, then prove again.",
                    )
                )

    def _try_cases(self) -> None:
        self._number += 1
        self._trying = True
        cases = tuple(self._cases.values())
        self._states.begin(None if self._proof is None else self._proof.flow.store)
        self._host.send(
            ProveRecords(id=self._number, cases=cases, share=SHARE, ask_for_states=True),
            PROOF_TIME_LIMIT_MS,
        )

    def _find_state(self, wanted: StateWanted) -> None:
        """Tell the host the state of a key as the flow that runs has it."""

        def give(blob: bytes | None) -> None:
            if self._trying and wanted.id == self._number:
                known = KnownState(state_id=wanted.state_id, key=wanted.key, blob=blob)
                self._host.send(StateGiven(known), PROOF_TIME_LIMIT_MS)

        self._host.rest()  # it waits for us, which is not the record's fault
        self._states.find(wanted.state_id, wanted.key, give)

    def _told(self, news: HostNews) -> None:
        proof = self._proof
        if isinstance(news, StateWanted) and news.id == self._number:
            self._find_state(news)
        if proof is None or not isinstance(news, Proved) or news.id != self._number:
            return
        self._host.extend()
        self._verdicts += [
            (self._by_id.pop(result.id), result.verdict, result.reason)
            for result in news.results
            if self._cases.pop(result.id, None) is not None
        ]
        if time.monotonic() - self._judged_s >= _JUDGED_EVERY_S:
            self._judge()
        if news.last:
            self._host.rest()
            self._trying = False
            self._go_on(proof)

    def _judge(self) -> None:
        """Tell what was found since the last time."""
        verdicts, self._verdicts = self._verdicts, []
        if verdicts:
            self._judged(verdicts)
        self._judged_s = time.monotonic()

    def _lost(self, problem: Diagnosis) -> None:
        """Take in that the host hung or ended: at the first record that it has not told of."""
        proof, trying = self._proof, self._trying
        self._trying = False
        if proof is None or not (trying or self._cases):
            return  # it had nothing to do; another is started for the next chunk
        if not trying:
            self._finish(problem)
            return
        culprit = next(iter(self._cases), None)
        if culprit is not None:
            del self._cases[culprit]
            self._verdicts.append((self._by_id.pop(culprit), Verdict.CUT_OFF, problem.message))
        self._go_on(proof)

    def _finish(self, problem: Diagnosis | None) -> None:
        self.stop()
        self._ended(problem)


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
