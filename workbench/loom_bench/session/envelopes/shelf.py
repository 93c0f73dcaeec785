"""The envelopes that are kept: grouped, bounded, searched."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Final, NamedTuple

from msgspec.structs import replace

from loom_bench.protocol.tracing import Verdict
from loom_bench.session.envelopes.envelope import Envelope
from loom_bench.session.envelopes.group import (
    WRITTEN,
    Group,
    Kept,
    fits,
    row_of,
    together,
)
from loom_bench.session.envelopes.terms import InboxFilter, TriageState
from loom_bench.session.envelopes.triage import Decided
from loom_bench.session.envelopes.value import (
    EnvelopeWindow,
    InboxGroup,
    KeptReport,
    ProofTally,
)


class Limits(NamedTuple):
    """What is kept at most.

    Attributes:
        kept: Envelopes that can be looked at one by one: so many are searched through in a blink.
        of_a_group: Those of one group among them: a record that fails like ten thousand others
            tells nothing new, and a bench under a flood must not grow for minutes.
        bytes: About what the kept ones may take in memory.
        groups: Groups that are told apart, as many as a host tells apart.
        first: Of a group that is too large so many of the first are kept, and the newest: how it
            began, how it goes on.
    """

    kept: int = 50_000
    of_a_group: int = 12_500
    bytes: int = 64 * 1024 * 1024
    groups: int = 1_000
    first: int = 100


LIMITS: Final = Limits()

_ENTRY_BYTES: Final = 900
"""An entry without its texts, as measured."""

_NUMBER_BITS: Final = 40
"""Room for the number of an envelope among those of one millisecond: it is never used up."""

_TRIMMED_AT_ONCE: Final = 500

_NO_FILTER: Final = InboxFilter()


class Shelf:
    """Keeps envelopes. Used by one thread.

    Args:
        decided: Tells what was decided about an envelope.
        limits: What is kept at most; ``None`` for :data:`LIMITS`.
    """

    def __init__(
        self, decided: Callable[[Envelope], Decided], limits: Limits | None = None
    ) -> None:
        self._limits = limits or LIMITS
        self._decided = decided
        self._groups: dict[str, Group] = {}
        self._by_number: dict[int, Kept] = {}
        self._by_id: dict[str, Kept] = {}
        self._filter = InboxFilter()
        self._needle = ""
        self._bytes = 0
        self._seen = 0
        self._ungrouped = 0
        self._reload = 0
        self._proof: ProofTally | None = None
        self._by_time: list[Kept] | None = None

    def add(self, envelopes: Iterable[Envelope]) -> None:
        """Take in envelopes."""
        self._by_time = None
        everything = self._filter == _NO_FILTER
        for envelope in envelopes:
            self._seen += 1
            group = self._group(envelope)
            if group is None:
                self._ungrouped += 1
                continue
            written = (envelope.at_ms << _NUMBER_BITS) + self._seen
            kept = Kept(envelope, self._seen, written, self._decided(envelope))
            kept.verdict = _verdict_without_proof(envelope, self._proof)
            kept.matches = everything or fits(kept, self._filter, self._needle)
            group.add(kept)
            self._by_number[kept.number] = kept
            self._by_id[envelope.id] = kept
            self._bytes += _size(envelope)
            if len(group.kept) > self._limits.of_a_group:
                self._trim(group)
        while len(self._by_number) > self._limits.kept or self._bytes > self._limits.bytes:
            group = max(self._groups.values(), key=lambda each: len(each.kept), default=None)
            if group is None or len(group.kept) <= 1:
                break
            self._trim(group)

    def tick(self) -> None:
        """Close an interval of the histories; once a second."""
        for group in self._groups.values():
            group.tick()

    def reloaded(self) -> None:
        """Take in that another revision runs: groups that come from now on are new."""
        self._reload += 1
        for group in self._groups.values():
            group.stale()

    def decide_again(self, about: Iterable[Kept] | None = None) -> None:
        """Ask anew what was decided, about *about* or about everything that is kept."""
        for kept in list(self._by_number.values() if about is None else about):
            decided = self._decided(kept.envelope)
            if decided != kept.decided:
                self._group_of(kept).decide(kept, decided, self._filter, self._needle)

    def decide_rest(self, fingerprint: str, state: TriageState) -> None:
        """Take in that the envelopes of a group that are counted only are in *state* too."""
        self._groups[fingerprint].decide_rest(state)

    def undo_rest(self, fingerprint: str) -> None:
        """Take the last :meth:`decide_rest` of a group back."""
        if fingerprint in self._groups:
            self._groups[fingerprint].undo_rest()

    def begin_proof(self, revision: int) -> None:
        """Forget verdicts: those of another revision are asked for."""
        self._proof = ProofTally(revision=revision, under_way=True)
        for kept in self._by_number.values():
            self._group_of(kept).judge(kept, None, "")

    def end_proof(self) -> None:
        """Take in that what has no verdict by now gets none."""
        if self._proof is not None:
            self._proof = replace(self._proof, under_way=False)
        for group in self._groups.values():
            group.stale()

    def judge(self, kept: Kept, verdict: Verdict, reason: str) -> None:
        """Take in how an envelope did in the revision of the proof."""
        if self._by_number.get(kept.number) is kept:
            self._group_of(kept).judge(kept, verdict, reason)

    def set_filter(self, wanted: InboxFilter) -> None:
        """Let only some through."""
        before, needle = self._filter, wanted.text.lower()
        # Whoever types on asks for fewer: those that were left out before stay out.
        narrower = self._needle in needle and replace(before, text="") == replace(wanted, text="")
        self._filter, self._needle = wanted, needle
        for group in self._groups.values():
            group.match(wanted, needle, narrower=narrower)

    def get(self, identity: str) -> Kept | None:
        """Return a kept envelope."""
        return self._by_id.get(identity)

    def kept(self, fingerprint: str | None = None) -> Iterator[Kept]:
        """Yield kept envelopes, of one group or of all, the oldest first."""
        if fingerprint is None:
            yield from self._by_number.values()
        elif fingerprint in self._groups:
            yield from self._groups[fingerprint].kept.values()

    def fitting(self, wanted: InboxFilter) -> Iterator[Kept]:
        """Yield the kept envelopes that a filter lets through, the oldest first."""
        needle = wanted.text.lower()
        return (each for each in self._by_number.values() if fits(each, wanted, needle))

    def counted_only(self, fingerprint: str | None = None) -> int:
        """Return how many envelopes, of one group or of all, are not kept."""
        groups = self._groups.values() if fingerprint is None else [self._groups[fingerprint]]
        return sum(group.count - len(group.kept) for group in groups)

    def fingerprints(self) -> tuple[str, ...]:
        """Return every group."""
        return tuple(self._groups)

    def window(self, fingerprint: str | None, first: int, count: int) -> EnvelopeWindow:
        """Return some rows, the one that was written last first."""
        if fingerprint is None:
            rows, total = self._all_by_time(), sum(each.matches for each in self._groups.values())
        else:
            group = self._groups.get(fingerprint)
            rows, total = ([], 0) if group is None else (group.by_time(), group.matches)
        matching = (each for each in rows if each.matches)
        return EnvelopeWindow(
            fingerprint=fingerprint,
            first=first,
            total=total,
            rows=tuple(row_of(each) for each in islice(matching, first, first + count)),
        )

    def groups(self) -> tuple[InboxGroup, ...]:
        """Return the groups that the filter lets through, the one that failed last first."""
        every = self._filter == _NO_FILTER
        found = [
            group.view(fingerprint, self._reload, self._proof)
            for fingerprint, group in self._groups.items()
            if every or group.matches
        ]
        return tuple(sorted(found, key=lambda group: group.last_ms, reverse=True))

    def states(self) -> dict[TriageState, int]:
        """Return how many envelopes are in each state."""
        total: Counter[TriageState] = Counter()
        for group in self._groups.values():
            total += group.states()
        return dict(total)

    def report(self) -> KeptReport:
        """Return what is held of all that came."""
        kept, counted = len(self._by_number), self.counted_only()
        text = ""
        if counted or self._ungrouped:
            text = (
                f"{kept:,} of {self._seen:,} envelopes are kept: of large groups the first "
                f"{self._limits.first} and the newest. The others are counted, and lie in their "
                "topics."
            )
        if self._ungrouped:
            text += f" {self._ungrouped:,} are of more groups than are told apart."
        return KeptReport(
            seen=self._seen,
            kept=kept,
            counted=counted,
            ungrouped=self._ungrouped,
            bytes=self._bytes,
            text=text,
        )

    def proofs(self) -> tuple[ProofTally | None, dict[str, ProofTally]]:
        """Return how open and fixed envelopes do in the revision of the proof: all, and by node."""
        about = self._proof
        if about is None:
            return None, {}
        nodes: dict[str, list[ProofTally]] = {}
        for group in self._groups.values():
            nodes.setdefault(group.newest.node, []).append(group.proof(about))
        by_node = {node: together(about, tallies) for node, tallies in nodes.items()}
        return together(about, by_node.values()), by_node

    def _group(self, envelope: Envelope) -> Group | None:
        group = self._groups.get(envelope.fingerprint)
        if group is None and len(self._groups) < self._limits.groups:
            group = self._groups[envelope.fingerprint] = Group(envelope, self._reload)
        return group

    def _all_by_time(self) -> list[Kept]:
        if self._by_time is None:
            self._by_time = sorted(self._by_number.values(), key=WRITTEN, reverse=True)
        return self._by_time

    def _group_of(self, kept: Kept) -> Group:
        return self._groups[kept.envelope.fingerprint]

    def _trim(self, group: Group) -> None:
        """Drop some of the middle of a group."""
        count = len(group.kept)
        first = min(self._limits.first, (count - 1) // 2)
        dropped = min(_TRIMMED_AT_ONCE, max(1, (count - first) // 2))
        for kept in list(islice(group.kept.values(), first, first + dropped)):
            group.drop(kept)
            del self._by_number[kept.number]
            self._by_id.pop(kept.envelope.id, None)
            self._bytes -= _size(kept.envelope)


def _verdict_without_proof(envelope: Envelope, proof: ProofTally | None) -> Verdict | None:
    """Return how an envelope does that the revision of a proof wrote itself: it failed in it."""
    if proof is None or envelope.place is None:
        return None
    return Verdict.SAME_ERROR if envelope.revision == f"r{proof.revision}" else None


def _size(envelope: Envelope) -> int:
    return _ENTRY_BYTES + len(envelope.searched) + len(envelope.reason) + 2 * len(envelope.key)
