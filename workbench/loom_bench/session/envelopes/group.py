"""Envelopes that failed in the same way: those that are kept, and counts of all."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable
from operator import attrgetter
from typing import Final

import msgspec
from msgspec.structs import replace

from loom_bench.protocol.tracing import Verdict
from loom_bench.session.envelopes.envelope import Envelope
from loom_bench.session.envelopes.terms import InboxFilter, TriageState
from loom_bench.session.envelopes.triage import Decided
from loom_bench.session.envelopes.value import EnvelopeRow, InboxGroup, ProofTally

HISTORY: Final = 60
"""Intervals of a group's history, one a second."""

PROVABLE: Final = frozenset({TriageState.OPEN, TriageState.FIXED})
"""States whose envelopes are proved at every reload and redriven: a fix may be broken again."""


WRITTEN: Final = attrgetter("written")
"""What orders envelopes."""


class Kept(msgspec.Struct, eq=False, gc=False):
    """A kept envelope. The garbage collector leaves it alone, or it would look through tens of
    thousands of them again and again, and stop the screen for it.

    Attributes:
        envelope: It.
        number: Ascends in the order of arrival.
        written: Ascends in the order in which envelopes were written, as far as that is known.
        decided: What was decided about it.
        verdict: How it did in the revision that proofs are about.
        verdict_reason: Why.
        matches: Whether the filter lets it through.
    """

    envelope: Envelope
    number: int
    written: int
    decided: Decided
    verdict: Verdict | None = None
    verdict_reason: str = ""
    matches: bool = True

    @property
    def parked(self) -> bool:
        """Whether a redrive of it failed in the same way, and no proof says that it passes."""
        return self.envelope.again and self.decided.state is TriageState.OPEN


class Group:
    """One group.

    Attributes:
        kept: Kept envelopes by number, the oldest first.
        newest: The envelope that was written last.
        count: Envelopes that were read.
        matches: How many of the kept ones the filter lets through.

    Args:
        first: Its first envelope.
        reload: How many reloads there were before it.
    """

    def __init__(self, first: Envelope, reload: int) -> None:
        self.kept: dict[int, Kept] = {}
        self.newest = first
        self.count = 0
        self.matches = 0
        self._reload = reload
        self._first_ms = first.at_ms
        self._states: Counter[TriageState] = Counter()
        self._rest: Counter[TriageState] = Counter()
        self._rest_before: list[Counter[TriageState]] = []
        self._verdicts: Counter[Verdict] = Counter()
        self._parked = 0
        self._fixed_in: int | None = None
        self._history: deque[int] = deque(maxlen=HISTORY)
        self._counted = 0
        self._view: InboxGroup | None = None
        self._by_time: list[Kept] | None = None

    def add(self, kept: Kept) -> None:
        """Take in an envelope."""
        envelope = kept.envelope
        if envelope.at_ms >= self.newest.at_ms:
            self.newest = envelope
        self.count += 1
        self._first_ms = min(self._first_ms, envelope.at_ms)
        self.kept[kept.number] = kept
        self._weigh(kept, 1)
        self._by_time = None

    def by_time(self) -> list[Kept]:
        """Return the kept ones, the one that was written last first. Topics have partitions, and
        what lay in them before the session comes one partition after the other."""
        if self._by_time is None:
            self._by_time = sorted(self.kept.values(), key=WRITTEN, reverse=True)
        return self._by_time

    def drop(self, kept: Kept) -> None:
        """Keep an envelope no longer; it stays counted."""
        self._by_time = None
        del self.kept[kept.number]
        self._weigh(kept, -1)
        self._rest[kept.decided.state] += 1

    def decide(self, kept: Kept, decided: Decided, wanted: InboxFilter, needle: str) -> None:
        """Take in what was decided about an envelope."""
        self._weigh(kept, -1)
        kept.decided = decided
        kept.matches = fits(kept, wanted, needle)
        self._weigh(kept, 1)

    def decide_rest(self, state: TriageState) -> None:
        """Take in that all envelopes that are counted only are in *state*."""
        self._rest_before.append(self._rest)
        self._rest = Counter({state: self._rest.total()})
        self._view = None

    def undo_rest(self) -> None:
        """Take the last :meth:`decide_rest` back."""
        if self._rest_before:
            before = self._rest_before.pop()
            before[TriageState.OPEN] += self._rest.total() - before.total()
            self._rest, self._view = before, None

    def judge(self, kept: Kept, verdict: Verdict | None, reason: str) -> None:
        """Take in how an envelope did in a revision; ``None`` when that is to be found out."""
        self._weigh(kept, -1)
        kept.verdict, kept.verdict_reason = verdict, reason
        self._weigh(kept, 1)

    def match(self, wanted: InboxFilter, needle: str, *, narrower: bool = False) -> None:
        """Find out anew which envelopes a filter lets through: with *narrower* none but those that
        the one before let through."""
        if narrower and not self.matches:
            return
        self.matches = 0
        text_only = wanted == InboxFilter(text=wanted.text)
        for kept in self.kept.values():
            if narrower and not kept.matches:
                continue
            # Tens of thousands are searched through while somebody waits.
            matches = needle in kept.envelope.searched if text_only else fits(kept, wanted, needle)
            kept.matches = matches
            self.matches += matches
        self._view = None

    def tick(self) -> None:
        """Close an interval of the history."""
        if self.count != self._counted or any(self._history):
            self._view = None
        self._history.append(self.count - self._counted)
        self._counted = self.count

    def stale(self) -> None:
        """Make the view anew when it is asked for."""
        self._view = None

    def states(self) -> Counter[TriageState]:
        """Return how many envelopes are in each state."""
        return self._states + self._rest

    def proof(self, about: ProofTally) -> ProofTally:
        """Return how the kept ones do that are open or fixed.

        Args:
            about: A tally of the same proof, whose counts do not matter.
        """
        return tally(about, self._verdicts, sum(self._states[state] for state in PROVABLE))

    def view(self, fingerprint: str, reload: int, about: ProofTally | None) -> InboxGroup:
        """Return it as it is shown.

        Args:
            fingerprint: Its fingerprint.
            reload: How many reloads there were by now.
            about: As for :meth:`proof`; ``None`` before any proof.
        """
        if self._view is None:
            newest = self.newest
            self._view = InboxGroup(
                fingerprint=fingerprint,
                origin=newest.origin,
                kind=newest.kind,
                node=newest.node,
                exception_type=newest.exception_type,
                reason=newest.reason,
                traceback=newest.traceback,
                count=self.count,
                kept=len(self.kept),
                states=dict(self.states()),
                fixed_in=self._fixed_in,
                parked=self._parked,
                history=tuple(self._history),
                first_ms=self._first_ms,
                last_ms=newest.at_ms,
                revision=newest.revision,
                is_new=0 < reload == self._reload,
                matches=self.matches,
                proof=None if about is None else self.proof(about),
            )
        return self._view

    def _weigh(self, kept: Kept, change: int) -> None:
        """Count a kept envelope in or out."""
        decided = kept.decided
        self._states[decided.state] += change
        self._parked += change * kept.parked
        self.matches += change * kept.matches
        if kept.verdict is not None and decided.state in PROVABLE:
            self._verdicts[kept.verdict] += change
        if decided.revision is not None and change > 0:
            self._fixed_in = decided.revision
        self._view = None


def fits(kept: Kept, wanted: InboxFilter, needle: str) -> bool:
    """Return whether a filter lets an envelope through; *needle* is its text in lower case."""
    envelope = kept.envelope
    if wanted.states and kept.decided.state not in wanted.states:
        return False
    if (wanted.node and envelope.node != wanted.node) or wanted.key not in envelope.key:
        return False
    if wanted.from_offset is not None or wanted.to_offset is not None:
        offset = None if envelope.source is None else envelope.source.offset
        if offset is None or offset < (wanted.from_offset or 0):
            return False
        if wanted.to_offset is not None and offset > wanted.to_offset:
            return False
    return needle in envelope.searched


def row_of(kept: Kept) -> EnvelopeRow:
    """Return a kept envelope as a list shows it."""
    envelope = kept.envelope
    return EnvelopeRow(
        id=envelope.id,
        fingerprint=envelope.fingerprint,
        origin=envelope.origin,
        at_ms=envelope.at_ms,
        place=envelope.place,
        source=envelope.source,
        key=envelope.key,
        kind=envelope.kind,
        node=envelope.node,
        exception_type=envelope.exception_type,
        reason=envelope.reason,
        revision=envelope.revision,
        attempt=envelope.attempt,
        state=kept.decided.state,
        fixed_in=kept.decided.revision,
        parked=kept.parked,
        verdict=kept.verdict,
        verdict_reason=kept.verdict_reason,
    )


def tally(about: ProofTally, verdicts: Counter[Verdict], provable: int) -> ProofTally:
    """Return verdicts as they are shown, *provable* being how many are to have one."""
    return replace(
        about,
        passes=verdicts[Verdict.PASSES],
        same_error=verdicts[Verdict.SAME_ERROR],
        different_error=verdicts[Verdict.DIFFERENT_ERROR],
        untried=verdicts[Verdict.CUT_OFF] + verdicts[Verdict.NOT_PROVED],
        waiting=max(0, provable - verdicts.total()),
    )


def together(about: ProofTally, tallies: Iterable[ProofTally]) -> ProofTally:
    """Return several tallies of one proof as one."""
    every = list(tallies)
    return replace(
        about,
        passes=sum(each.passes for each in every),
        same_error=sum(each.same_error for each in every),
        different_error=sum(each.different_error for each in every),
        untried=sum(each.untried for each in every),
        waiting=sum(each.waiting for each in every),
    )
