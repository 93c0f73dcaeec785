"""Why an action cannot be done now, told before it is tried."""

from __future__ import annotations

from loom_bench.session.value import Phase, SessionValue

_RUNNING = frozenset(
    {f"run.{what}" for what in ("pause", "step", "reload", "restart", "decide")} | {"open.writes"}
)
"""What would have a flow run, or write for it."""

_RUNS = (Phase.RUNNING, Phase.PAUSED, Phase.DRAINING)


def refusal(action_id: str, value: SessionValue) -> str | None:
    """Return why the action makes no sense now and what to do instead; ``None`` when it does."""
    group = action_id.partition(".")[0]
    if value.look_only and (group == "feed" or action_id in _RUNNING):
        return "This bench only looks: to run the flow here open it again (o)."
    return _feed_refusal(action_id, value) if group == "feed" else _other_refusal(action_id, value)


def _other_refusal(action_id: str, value: SessionValue) -> str | None:
    if action_id == "run.step" and value.phase is not Phase.PAUSED:
        return "A step needs a paused flow: pause it first."
    if action_id == "run.decide" and value.conflict is None:
        return "There is nothing to decide: the state of the newest revision fits the store."
    if action_id in ("run.drain", "run.finish", "run.kill") and value.phase not in _RUNS:
        return f"Nothing runs: the session is {value.phase.value}."
    if action_id == "open.writes" and (value.broker.kind != "external" or value.broker.writable):
        return "Writes to this broker are allowed."
    return None


def _feed_refusal(action_id: str, value: SessionValue) -> str | None:
    if value.broker.kind and not value.broker.writable:
        return "Nothing is fed into a broker that the bench did not start: allow it first (w)."
    if action_id != "feed.record" and not value.feed.available:
        return "The module has no feed: define bench_feed() in it."
    if action_id == "feed.faster" and value.feed.rate_per_s is None and value.feed.running:
        return "The feed already goes as fast as the broker takes it."
    return None
