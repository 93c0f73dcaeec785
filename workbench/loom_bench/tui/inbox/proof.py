"""How envelopes fare in the newest revision, in a few words."""

from __future__ import annotations

from typing import Final

from loom_bench.protocol.tracing import Verdict
from loom_bench.session.envelopes.terms import TriageState
from loom_bench.session.envelopes.value import (
    EnvelopeRow,
    InboxGroup,
    InboxValue,
    ProofTally,
)
from loom_bench.tui.figures import bar_text, count_text
from loom_bench.tui.ink import Ink, Line, Run

_VERDICTS: Final = {
    Verdict.PASSES: ("passes", Ink.GOOD),
    Verdict.SAME_ERROR: ("same error", Ink.BAD),
    Verdict.DIFFERENT_ERROR: ("other error", Ink.WARN),
    Verdict.CUT_OFF: ("cut off", Ink.BAD),
    Verdict.NOT_PROVED: ("not tried", Ink.DIM),
}

STATE_INKS: Final = {
    TriageState.OPEN: Ink.BAD,
    TriageState.FIXED: Ink.GOOD,
    TriageState.REDRIVEN: Ink.ACCENT,
    TriageState.IGNORED: Ink.DIM,
    TriageState.DISCARDED: Ink.DIM,
}


def group_proof(group: InboxGroup) -> Run:
    """Return what the newest revision makes of the open envelopes of *group*, or what became of
    them when none is open."""
    proof = group.proof
    if proof is not None and proof.waiting:
        return tally_run(proof)
    if group.open and proof is not None:
        return tally_run(proof)
    if group.open:
        return ("open", Ink.BAD)
    if group.states.get(TriageState.FIXED):
        return (f"passes in r{group.fixed_in}" if group.fixed_in else "passes", Ink.GOOD)
    decided = max(group.states, key=lambda state: group.states[state], default=None)
    return ("", Ink.DIM) if decided is None else (decided.value, STATE_INKS[decided])


def tally_run(proof: ProofTally) -> Run:
    """Return in two or three words how records do in the revision of a proof."""
    if proof.waiting:
        verb = "proves" if proof.under_way else "proved"
        return (f"r{proof.revision} {verb} {proof.tried}/{proof.tried + proof.waiting}", Ink.WARN)
    told = [
        (count, word)
        for count, word in (
            (proof.passes, "pass"),
            (proof.same_error, "same error"),
            (proof.different_error, "other error"),
            (proof.untried, "not tried"),
        )
        if count
    ]
    revision = f"r{proof.revision}"
    if not told:
        return (f"none in {revision}", Ink.DIM)
    if len(told) == 1:
        word = "passes" if proof.passes else told[0][1]
        ink = Ink.GOOD if proof.passes else Ink.WARN if proof.different_error else Ink.BAD
        return (f"{word} in {revision}", Ink.DIM if word == "not tried" else ink)
    failing = sum(count for count, word in told if word != "pass")
    return (f"{count_text(proof.passes)} pass {count_text(failing)} not {revision}", Ink.WARN)


def short_tally(proof: ProofTally) -> Run:
    """Return the same in ten cells, for a box of the graph."""
    tried = proof.tried
    _, ink = tally_run(proof)
    if not proof.waiting and tried in (proof.passes, proof.same_error):
        word = "pass" if proof.passes else "same error" if tried else ""
    else:
        word = f"{count_text(proof.passes)}/{count_text(tried + proof.waiting)} pass"
    return (f"r{proof.revision} {word}".rstrip(), ink)


def inbox_badge(inbox: InboxValue) -> Run | None:
    """Return how many envelopes are open, and how they do; ``None`` while there is none."""
    if not inbox.kept.seen:
        return None
    passing, proof = "", inbox.proof
    if proof is not None and proof.under_way:
        done = f"{count_text(proof.tried)}/{count_text(proof.tried + proof.waiting)}"
        passing = f", r{proof.revision} proves {done}"
    elif inbox.proof is not None and inbox.open and inbox.proof.passes:
        passing = f", {count_text(inbox.proof.passes)} fixed in r{inbox.proof.revision}"
    return (f"{count_text(inbox.open)} open{passing}", Ink.BAD if inbox.open else Ink.GOOD)


def row_state(row: EnvelopeRow) -> Run:
    """Return what was decided about an envelope, or how it fares while it is open."""
    if row.parked and row.state is TriageState.OPEN:
        return ("parked", Ink.WARN)
    if row.state is TriageState.FIXED:
        return (f"passes in r{row.fixed_in}" if row.fixed_in else "passes", Ink.GOOD)
    if row.state is TriageState.OPEN and row.verdict is not None:
        return _VERDICTS[row.verdict]
    return (row.state.value, STATE_INKS[row.state])


def tally_line(proof: ProofTally | None) -> Line:
    """Return how all open envelopes do in the newest revision; empty before any was tried."""
    if proof is None:
        return ()
    revision = (f"r{proof.revision}", Ink.ACCENT)
    runs: list[Run] = [revision]
    if proof.under_way:
        whole = proof.tried + proof.waiting
        done = f" {count_text(proof.tried)}/{count_text(whole)}"
        runs = [
            ("proving ", Ink.WARN),
            revision,
            (f" {bar_text(proof.tried / max(1, whole))}", Ink.WARN),
            (done, Ink.PLAIN),
            ("  X", Ink.KEY),
            (" cancels", Ink.DIM),
        ]
    for count, word, ink in (
        (proof.passes, "pass", Ink.GOOD),
        (proof.same_error, "same error", Ink.BAD),
        (proof.different_error, "other error", Ink.WARN),
        (proof.untried, "not tried", Ink.DIM),
    ):
        if count:
            runs += [(f"  {count_text(count)}", ink), (f" {word}", Ink.DIM)]
    if proof.waiting and not proof.under_way:
        runs += [
            (f"  {count_text(proof.waiting)}", Ink.WARN),
            (" not proved, ", Ink.DIM),
            ("P", Ink.KEY),
            (" proves", Ink.DIM),
        ]
    return runs
