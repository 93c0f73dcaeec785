"""A redrive as lines: what the dry run found, how far the real one is."""

from __future__ import annotations

from collections.abc import Iterator

from loom_bench.session.envelopes.redrive_value import RedrivePlan, RedriveProgress
from loom_bench.session.envelopes.terms import RedriveGoal
from loom_bench.tui.figures import count_text, of_many, rate_text, seconds_text
from loom_bench.tui.inbox.summary import redrive_line
from loom_bench.tui.ink import Ink, Line, Run

_MAX_KEYS = 4


def plan_lines(plan: RedrivePlan | None) -> Iterator[Line]:
    """Yield what the dry run found; nothing is written by it."""
    if plan is None:
        yield (("dry run under way", Ink.WARN),)
        return
    counting = "  still counting" if plan.counting else ""
    yield (
        (of_many(plan.records, "record"), Ink.STRONG),
        (f" of {of_many(plan.envelopes, 'envelope')}", Ink.PLAIN),
        (counting, Ink.WARN),
    )
    for topic in plan.topics:
        yield (
            ("  into ", Ink.DIM),
            (topic.topic, Ink.ACCENT),
            (
                f"  {count_text(topic.records)} on {of_many(topic.partitions, 'partition')}",
                Ink.PLAIN,
            ),
        )
    if plan.target.goal is RedriveGoal.FLOW:
        yield (("  through the flow; what comes out is written to its topics", Ink.DIM),)
    yield from _left_out(plan)
    if plan.repeating:
        yield (
            (f"! {count_text(plan.repeating)} failed behind a fan-out", Ink.WARN),
            ("  what their other branches wrote comes twice", Ink.DIM),
        )
    yield from _overtaken(plan)
    if plan.problem is not None:
        yield ((f"x {plan.problem.message}", Ink.BAD),)
        if plan.problem.hint:
            yield (("do  ", Ink.DIM), (plan.problem.hint, Ink.STRONG))
    owner: Run = ("  not the bench's own broker", Ink.WARN) if plan.typed else ("", Ink.DIM)
    yield (("broker ", Ink.DIM), (plan.address or "-", Ink.PLAIN), owner)


def _left_out(plan: RedrivePlan) -> Iterator[Line]:
    for count, why in (
        (plan.parked, "parked: they failed in the same way after a redrive"),
        (plan.decided, "decided: redriven, ignored or discarded"),
        (plan.without_source, "without their record: it is known no more"),
    ):
        if count:
            yield (("  left out ", Ink.DIM), (count_text(count), Ink.WARN), (f" {why}", Ink.DIM))


def _overtaken(plan: RedrivePlan) -> Iterator[Line]:
    if plan.unchecked:
        many = of_many(plan.unchecked, "partition")
        yield ((f"! {many} too long to look for later records of the same keys", Ink.WARN),)
    if not plan.overtaken:
        return
    keys = ", ".join(plan.overtaken_keys[:_MAX_KEYS])
    more = ", …" if len(plan.overtaken_keys) > _MAX_KEYS else ""
    yield (
        (f"! {count_text(plan.overtaken)} come after later records of their key", Ink.WARN),
        (f"  {keys}{more}", Ink.ACCENT),
    )
    yield (("  that the flow has processed since: state may go back in time", Ink.DIM),)


def progress_lines(redrive: RedriveProgress) -> Iterator[Line]:
    """Yield how far it is."""
    yield redrive_line(redrive)
    rate = "as fast as it goes"
    if redrive.rate_per_s is not None:
        rate = f"{rate_text(redrive.rate_per_s)} records a second asked for"
    yield ((f"{rate}, {seconds_text(redrive.elapsed_s)}", Ink.DIM),)
    if redrive.problem is not None and redrive.problem.hint:
        yield (("do  ", Ink.DIM), (redrive.problem.hint, Ink.STRONG))
