"""What of a flow's configuration another client needs to reach the same broker."""

from __future__ import annotations

from loom_bench.protocol.security import ClientSecurity, ClientSettings
from loom_runtime.compiler.plan import CompiledPlan
from loom_runtime.config.kafka import ConsumerSettings, ProducerSettings

_PREFIXES = ("security.", "sasl.", "ssl.", "enable.ssl.", "enable.sasl.", "https.")
"""In librdkafka's CONFIGURATION.md, everything about transport and login begins so."""


def client_security(plan: CompiledPlan) -> ClientSecurity:
    """Return the security settings of the plan's source and sinks."""
    reading = _of(plan.source.settings)
    outputs = () if plan.output is None else (plan.output,)
    sinks = (*outputs, *plan.terminal_sinks.values(), *plan.error_routes.values())
    return ClientSecurity(reading=reading, writing=_of(sinks[0].settings) if sinks else reading)


def _of(settings: ConsumerSettings | ProducerSettings) -> ClientSettings:
    return {
        name: value for name, value in settings.librdkafka().items() if name.startswith(_PREFIXES)
    }
