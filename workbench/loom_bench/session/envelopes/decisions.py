"""Decides about envelopes: by hand, by a proof, by a redrive; and takes that back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from loom_bench.protocol.tracing import Verdict
from loom_bench.session.envelopes.group import Kept
from loom_bench.session.envelopes.redrive_planning import Planned
from loom_bench.session.envelopes.shelf import Shelf
from loom_bench.session.envelopes.terms import Selection, TriageState
from loom_bench.session.envelopes.triage import OPEN, Decided, TriageStore, Upto

_REDRIVEN: Final = Decided(TriageState.REDRIVEN)


class Decisions:
    """Used on the inbox's thread.

    Args:
        store: Where decisions are kept.
        shelf: What they are about.
    """

    def __init__(self, store: TriageStore, shelf: Shelf) -> None:
        self._store = store
        self._shelf = shelf

    def selected(self, selection: Selection) -> list[Kept]:
        """Return the kept envelopes of a selection."""
        if selection.envelopes:
            found = (self._shelf.get(each) for each in selection.envelopes)
            return [each for each in found if each is not None]
        if selection.group is not None:
            return list(self._shelf.kept(selection.group))
        if selection.filter is not None:
            return list(self._shelf.fitting(selection.filter))
        return list(self._shelf.kept()) if selection.everything else []

    def set_state(self, selection: Selection, state: TriageState, upto: Upto) -> str:
        """Decide by hand; return the change in words, empty when nothing is selected."""
        kept = self.selected(selection)
        groups = self._whole_groups(selection)
        count = len(kept) + sum(self._shelf.counted_only(each) for each in groups)
        if not count:
            return ""
        told = f"{state.value}: {count:,} envelope{'' if count == 1 else 's'}"
        # What lies on a topic is covered by its group; an imported envelope is not.
        single = kept if not groups else [each for each in kept if each.envelope.place is None]
        self._store.decide(
            (each.envelope.id for each in single),
            Decided(state),
            told=told,
            groups=dict.fromkeys(groups, upto),
        )
        self._apply(kept, groups, state)
        return told

    def undo(self) -> str:
        """Take the last change by hand back, and return it in words; empty for none."""
        told, groups = self._store.undo()
        self._shelf.decide_again()
        for fingerprint in groups:
            self._shelf.undo_rest(fingerprint)
        return told

    def judged(self, verdicts: Sequence[tuple[Kept, Verdict, str]], revision: int) -> None:
        """Take in how envelopes do in a revision: what passes is fixed, what fails is open."""
        for kept, verdict, reason in verdicts:
            self._shelf.judge(kept, verdict, reason)
        passed = [
            each
            for each, verdict, _ in verdicts
            if verdict is Verdict.PASSES and each.decided.state is TriageState.OPEN
        ]
        broken = [
            each
            for each, verdict, _ in verdicts
            if verdict in (Verdict.SAME_ERROR, Verdict.DIFFERENT_ERROR)
            and each.decided.state is TriageState.FIXED
        ]
        self._by_proof(passed, Decided(TriageState.FIXED, revision), f"fixed in r{revision}")
        self._by_proof(broken, OPEN, f"open again in r{revision}")

    def redriven(self, envelopes: Sequence[str]) -> None:
        """Take in that the records of envelopes were redriven."""
        self._store.decide(envelopes, _REDRIVEN, told=f"redriven: {len(envelopes):,} envelopes")
        found = (self._shelf.get(each) for each in envelopes)
        self._shelf.decide_again([each for each in found if each is not None])

    def redriven_all(self, planned: Planned, upto: Upto) -> None:
        """Take in that everything of a large dry run was redriven: its groups are, but for what
        was left out of it."""
        selection = planned.plan.selection
        groups = self._whole_groups(selection)
        by_state: dict[Decided, list[str]] = {}
        for identity, decided in planned.left_out:
            by_state.setdefault(decided, []).append(identity)
        kept = self.selected(selection)
        self._store.decide(
            (),
            _REDRIVEN,
            told=f"redriven: {planned.plan.envelopes:,} envelopes",
            groups=dict.fromkeys(groups, upto),
        )
        for decided, identities in by_state.items():
            self._store.decide(identities, decided, told="left out of a redrive", by_hand=False)
        self._apply(kept, groups, TriageState.REDRIVEN)

    def _by_proof(self, about: list[Kept], decided: Decided, what: str) -> None:
        if about:
            self._store.decide(
                (each.envelope.id for each in about),
                decided,
                told=f"{what}: {len(about):,} envelopes",
                by_hand=False,
            )
            self._shelf.decide_again(about)

    def _whole_groups(self, selection: Selection) -> tuple[str, ...]:
        """Return the groups that are meant with all that is counted only."""
        if selection.envelopes:
            return ()
        if selection.group is not None:
            known = selection.group in self._shelf.fingerprints()
            return (selection.group,) if known else ()
        if selection.filter is not None or not selection.everything:
            return ()
        return self._shelf.fingerprints()

    def _apply(self, kept: Iterable[Kept], groups: Iterable[str], state: TriageState) -> None:
        self._shelf.decide_again(kept)
        for fingerprint in groups:
            self._shelf.decide_rest(fingerprint, state)


def upto_of(read: Mapping[tuple[str, int], int]) -> Upto:
    """Return what has arrived by now, as a decision about a group keeps it."""
    return dict(read)
