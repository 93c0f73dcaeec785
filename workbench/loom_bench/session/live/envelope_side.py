"""What a live session tells its inbox."""

from __future__ import annotations

from pathlib import Path

from loom_bench.broker.contract import Broker
from loom_bench.session.envelopes.flow_view import InboxFlow
from loom_bench.session.live.hosts import LiveHost


def flow_of(
    target: str,
    config_path: str | None,
    host: LiveHost,
    broker: Broker | None,
    store: Path | None,
) -> InboxFlow | None:
    """Return the flow that *host* has loaded and runs on *store*, as the inbox is told of it."""
    loaded = host.loaded
    if loaded is None or broker is None:
        return None
    return InboxFlow(
        target=target,
        config_path=config_path,
        module=loaded.module,
        plan=loaded.plan,
        bootstrap=broker.bootstrap,
        owned=broker.owned,
        lasting=broker.lasting,
        revision=host.revision,
        revision_name=loaded.revision,
        security=loaded.security,
        store=store,
    )
