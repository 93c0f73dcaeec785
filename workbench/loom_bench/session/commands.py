"""What can be asked of a live session, by a screen or by a script."""

from __future__ import annotations

from typing import Protocol

from loom_bench.session.envelopes.commands import EnvelopeCommands
from loom_bench.session.snapshots.commands import SnapshotCommands
from loom_bench.session.tracing.commands import TraceCommands
from loom_bench.session.value import SessionValue


class SessionCommands(Protocol):
    """A live session. Every method returns at once and may be called from any thread; what comes
    of it shows in the next value."""

    @property
    def snapshots(self) -> SnapshotCommands:
        """What can be asked about recovery stores."""
        ...

    @property
    def tracing(self) -> TraceCommands:
        """What can be asked about single records."""
        ...

    def value(self) -> SessionValue:
        """Return the newest value."""
        ...

    @property
    def envelopes(self) -> EnvelopeCommands:
        """The inbox of error envelopes, with a value of its own."""
        ...

    def pause(self) -> None:
        """Stop reading; what was read is written and committed."""
        ...

    def resume(self) -> None:
        """Go on reading; starts the flow again when it had stopped."""
        ...

    def drain(self) -> None:
        """End the run at the next epoch barrier, everything committed."""
        ...

    def finish(self) -> None:
        """As drain, but hand on open batches and windows first."""
        ...

    def restart(self) -> None:
        """Drain and start again with the newest good revision."""
        ...

    def kill(self) -> None:
        """End the flow's process now; the epoch under way is repeated at the next start."""
        ...

    def step_batch(self) -> None:
        """While paused: read one batch of every partition, then pause again."""
        ...

    def reload(self) -> None:
        """Load the module as it is on disk now."""
        ...

    def set_manual_reload(self, manual: bool) -> None:
        """Choose whether a save reloads by itself."""
        ...

    def set_feed_rate(self, rate_per_s: float | None) -> None:
        """Change the feed's rate; ``None`` for as fast as it goes; 0 pauses it."""
        ...

    def feed_record(self, key: str | None, value: str) -> None:
        """Write one record by hand into the source topic, on a broker of our own."""
        ...

    def watch_samples(self, node: str | None) -> None:
        """Choose the node whose inputs and outputs are sampled; ``None`` for none."""
        ...

    def decide(self, mapping: dict[str, str], empty: tuple[str, ...], *, keep_old: bool) -> None:
        """Answer a state conflict.

        Args:
            mapping: Old state id to new state id.
            empty: State ids that start empty.
            keep_old: Keep the old revision running instead.
        """
        ...

    def switch_broker(self, choice: str | None) -> None:
        """Drain and go on with another broker; ``None`` keeps the one that is used and calls off
        what is being opened."""
        ...

    def allow_writes(self, address: str) -> None:
        """Create missing topics and feed on a broker of the user's, whose address was typed."""
        ...

    def open_flow(self, target: str, broker: str | None = None, *, look_only: bool = False) -> None:
        """Drain and open another flow.

        Args:
            target: Path of the module, with ``:ATTRIBUTE`` when it has several flows.
            broker: The broker to open it on; ``None`` for the one that is used.
            look_only: Load and show it, and never run it.
        """
        ...

    def close(self) -> None:
        """End everything that was started; returns when it has ended."""
        ...
