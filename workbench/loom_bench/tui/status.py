"""The two lines at the top: what runs, where, how fast, and whether all is well."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import PurePath

from loom_bench.session.value import BrokerView, Phase, Revision, SessionValue
from loom_bench.tui.figures import (
    bar_text,
    bytes_text,
    count_text,
    rate_text,
    seconds_text,
    trend_text,
)
from loom_bench.tui.ink import Ink, Line, joined

_PHASE_INKS = {
    Phase.OPENING: Ink.BADGE,
    Phase.LOADING: Ink.BADGE,
    Phase.RUNNING: Ink.BADGE_GOOD,
    Phase.PAUSED: Ink.BADGE_WARN,
    Phase.DRAINING: Ink.BADGE_WARN,
    Phase.STOPPED: Ink.BADGE,
    Phase.FAILED: Ink.BADGE_BAD,
}

_BETWEEN = (" │ ", Ink.DIM)


def status_lines(value: SessionValue, badges: Line = ()) -> Sequence[Line]:
    """Return the two lines; *badges* is what other screens have to tell."""
    return joined(_first(value), _BETWEEN), joined((*_second(value), badges), _BETWEEN)


def flow_name(value: SessionValue) -> str:
    """Return the flow's name, or its file's while it is not known."""
    if value.plan is not None:
        return value.plan.flow
    return PurePath(value.target).name or value.target


def _first(value: SessionValue) -> Iterator[Line]:
    yield (
        (f" {value.phase.value.upper()} ", _PHASE_INKS[value.phase]),
        (f" {flow_name(value)}", Ink.STRONG),
    )
    yield _stop(value)
    yield _revision(value)
    yield _broker(value.broker)


def _stop(value: SessionValue) -> Line:
    """Return where the flow waits with a record, or that it would stop at an error."""
    stop = value.tracing.stop
    if stop is not None:
        word = "at" if stop.stop.breakpoint is None else "before"
        return ((f" STOPPED {word} {stop.stop.node} ", Ink.BADGE_BAD), (" W", Ink.KEY))
    if value.tracing.pause_on_error:
        return (("pauses on error", Ink.WARN),)
    count = len(value.tracing.breakpoints)
    return ((f"{count} breakpoint{'' if count == 1 else 's'}", Ink.WARN),) if count else ()


def _revision(value: SessionValue) -> Line:
    running = next((each for each in reversed(value.revisions) if each.state == "running"), None)
    newest = value.revisions[-1] if value.revisions else None
    if newest is not None and newest.state == "refused" and not value.diagnoses:
        newest = running  # it was taken back: what runs is what is on disk
    line = [] if running is None else [(f"r{running.number}", Ink.ACCENT)]
    if newest is not None and newest is not running:
        bad = newest.state == "refused"
        ink = Ink.BAD if bad else Ink.WARN
        mark = "x " if bad else ""
        line.append((f"{' ' if line else ''}{mark}r{newest.number} {newest.state}", ink))
    if value.conflict is not None and (newest is None or newest.state != "waiting"):
        line.append((f" r{value.conflict.revision} waiting", Ink.WARN))
    if key := _key_of(value, newest):
        line.extend(((" ", Ink.PLAIN), (key, Ink.KEY)))
    if value.manual_reload:
        line.append((" manual", Ink.WARN))
    if value.look_only:
        line.append((f"{' ' if line else ''}looks only", Ink.WARN))
    return line


def _key_of(value: SessionValue, newest: Revision | None) -> str:
    """Return the key that goes to what has to be looked at."""
    if value.conflict is not None:
        return "c"
    return "8" if newest is not None and newest.state == "refused" else ""


def _broker(broker: BrokerView) -> Line:
    if not broker.kind:
        return (("no broker yet", Ink.DIM),)
    line = [(broker.kind, Ink.STRONG if broker.owned else Ink.WARN)]
    if broker.bootstrap:
        line.append((f" {broker.bootstrap}", Ink.PLAIN))
    if broker.writable and not broker.owned:
        line.append((" writes allowed", Ink.WARN))
    if broker.state in ("failed", "dead"):
        line.append((f" x {broker.state}", Ink.BAD))
    elif broker.state != "ready":
        line.append((f" {broker.state}{_progress(broker.progress)}", Ink.WARN))
    elif broker.opening:
        line.append((f" going over{_progress(broker.progress)}", Ink.WARN))
    if broker.opening:
        line.append((f"  {broker.opening}", Ink.DIM))
        return line
    if broker.memory_bytes is not None:
        line.append((f" {bytes_text(broker.memory_bytes)}", Ink.DIM))
    if broker.reason:
        line.append((f"  {broker.reason}", Ink.DIM))
    return line


def _progress(share: float | None) -> str:
    if share is None:
        return ""
    return f" {bar_text(share)}"


def _second(value: SessionValue) -> Iterator[Line]:
    read = sum(view.rate_per_s for view in value.offsets)
    yield ((f" {rate_text(read)}", Ink.STRONG), (" records/s", Ink.DIM))
    yield _feed(value)
    yield _lag(value)
    yield (
        (
            f"{'x ' if value.errors_seen else ''}{count_text(value.errors_seen)}",
            Ink.BAD if value.errors_seen else Ink.PLAIN,
        ),
        (" errors", Ink.BAD if value.errors_seen else Ink.DIM),
    )
    if value.offsets:
        balanced = all(view.row.balanced for view in value.offsets)
        yield ((("balanced", Ink.GOOD) if balanced else ("x LEDGER OFF", Ink.BAD)),)
    yield ((seconds_text(value.elapsed_s), Ink.DIM),)


def _feed(value: SessionValue) -> Line:
    feed = value.feed
    if feed.problem is not None:
        return (("feed ", Ink.DIM), ("x ended", Ink.BAD))
    if not feed.available:
        return (("no feed", Ink.DIM),)
    if not feed.running:
        return (("feed ", Ink.DIM), (f"off, {count_text(feed.delivered)} fed", Ink.PLAIN))
    pace = "full speed" if feed.rate_per_s is None else f"{rate_text(feed.rate_per_s)}/s"
    return (("feed ", Ink.DIM), (pace, Ink.PLAIN))


def _lag(value: SessionValue) -> Line:
    lags = [view.lag for view in value.offsets if view.lag is not None]
    if not lags:
        return ()
    trends = {trend_text(view.lag_history) for view in value.offsets}
    grows = "grows" in trends
    text = f"{count_text(sum(lags))}{' grows' if grows else ''}"
    return (("lag ", Ink.DIM), (text, Ink.WARN if grows else Ink.PLAIN))
