"""A fake session: it shows the values it is given and writes down what it is asked for."""

from __future__ import annotations

from typing import Any

from loom_bench.session.snapshots.commands import SnapshotCommands
from loom_bench.session.value import SessionValue
from tests.tui.scripted_inbox import ScriptedInbox
from tests.tui.scripted_snapshots import ScriptedSnapshots
from tests.tui.scripted_tracing import ScriptedTracing


class ScriptedSession:
    """Fakes a live session for screens. No flow runs; nothing changes but by :meth:`now_shows`.

    Attributes:
        calls: What was asked for, in order: the name of the method, then its arguments.
        envelopes: The inbox; what is asked of it stands in its own ``calls``.
    """

    def __init__(self, value: SessionValue) -> None:
        self._value = value
        self.calls: list[tuple[Any, ...]] = []
        self.values_taken = 0
        self.envelopes = ScriptedInbox()
        self._snapshots = ScriptedSnapshots(self.calls)
        self.tracing = ScriptedTracing(self.calls)

    def now_shows(self, value: SessionValue) -> None:
        """Publish *value* from now on."""
        self._value = value

    def asked(self, name: str) -> list[tuple[Any, ...]]:
        """Return the arguments of every call of the method *name*."""
        return [call[1:] for call in self.calls if call[0] == name]

    @property
    def snapshots(self) -> SnapshotCommands:
        return self._snapshots

    def value(self) -> SessionValue:
        self.values_taken += 1
        return self._value

    def pause(self) -> None:
        self.calls.append(("pause",))

    def resume(self) -> None:
        self.calls.append(("resume",))

    def drain(self) -> None:
        self.calls.append(("drain",))

    def finish(self) -> None:
        self.calls.append(("finish",))

    def restart(self) -> None:
        self.calls.append(("restart",))

    def kill(self) -> None:
        self.calls.append(("kill",))

    def step_batch(self) -> None:
        self.calls.append(("step_batch",))

    def reload(self) -> None:
        self.calls.append(("reload",))

    def set_manual_reload(self, manual: bool) -> None:
        self.calls.append(("set_manual_reload", manual))

    def set_feed_rate(self, rate_per_s: float | None) -> None:
        self.calls.append(("set_feed_rate", rate_per_s))

    def feed_record(self, key: str | None, value: str) -> None:
        self.calls.append(("feed_record", key, value))

    def watch_samples(self, node: str | None) -> None:
        self.calls.append(("watch_samples", node))

    def decide(self, mapping: dict[str, str], empty: tuple[str, ...], *, keep_old: bool) -> None:
        self.calls.append(("decide", mapping, empty, keep_old))

    def switch_broker(self, choice: str | None) -> None:
        self.calls.append(("switch_broker", choice))

    def allow_writes(self, address: str) -> None:
        self.calls.append(("allow_writes", address))

    def open_flow(self, target: str, broker: str | None = None, *, look_only: bool = False) -> None:
        how = [broker] * (broker is not None) + ["look only"] * look_only
        self.calls.append(("open_flow", target, *how))

    def close(self) -> None:
        self.calls.append(("close",))
