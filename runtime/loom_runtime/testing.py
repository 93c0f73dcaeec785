"""StreamingTestRunner: a flow's unit tests, without a broker, through the engine that runs it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from loom_runtime.compiler.compile import compile_flow
from loom_runtime.compiler.plan import CompiledPlan
from loom_runtime.config.context import ConfigContext
from loom_runtime.config.runtime import BytewaxRuntimeConfig
from loom_runtime.engine_control import RunControl
from loom_runtime.errors import ErrorEnvelope, ErrorKind
from loom_runtime.execution.layout import Layout, lay_out
from loom_runtime.execution.terminal import EnvelopeWriterEncoder
from loom_runtime.execution.topic_encoders import topic_encoder
from loom_runtime.flow.process import StreamFlow
from loom_runtime.ledger import LedgerReport
from loom_runtime.memory import (
    CapturedEnvelopes,
    CapturedMessages,
    GivenRecord,
    InMemoryTransport,
)
from loom_runtime.message import Message, MessageMeta
from loom_runtime.model import StreamPayload, message_type_of
from loom_runtime.observability import ObservabilityRuntime
from loom_runtime.observability.poll_cycle import poll_cycle
from loom_runtime.wire.state import state_blob

RawHeaders = Mapping[str, bytes | None] | Sequence[tuple[str, bytes | None]]
RawInput = (
    bytes
    | tuple[bytes | None, bytes | None]
    | tuple[bytes | None, bytes | None, RawHeaders | None]
    | tuple[bytes | None, bytes | None, RawHeaders | None, int]
)
"""A record that is decoded as from a topic: its value; key and value; key, value and headers; and
these with its time, milliseconds since the Unix epoch."""


class StreamingTestRunner:
    """Runs a flow over given records and keeps what it writes.

    A run reads everything that was given; run again, it reads the same again, and :attr:`output`
    and :attr:`errors` grow. What is given after a run replaces what that run had read.

    Args:
        plan: The compiled plan.
        runtime: How the flow runs; recovery and clusters are left out.
        observability_runtime: Who observes the run.
    """

    def __init__(
        self,
        plan: CompiledPlan,
        *,
        runtime: BytewaxRuntimeConfig | None = None,
        observability_runtime: ObservabilityRuntime | None = None,
    ) -> None:
        self._plan = plan
        given = runtime or BytewaxRuntimeConfig()
        self._runtime = BytewaxRuntimeConfig(
            epoch_interval_ms=10,
            async_backend=given.async_backend,
            use_uvloop=given.use_uvloop,
            force_shutdown_timeout_ms=given.force_shutdown_timeout_ms,
        )
        self._observability = observability_runtime or ObservabilityRuntime.noop()
        self._records: list[GivenRecord] = []
        self._states: dict[str, dict[str, bytes]] = {}
        self._was_read = False
        self._output: list[Message[Any]] = []
        self._errors = _Envelopes()
        self._captured: set[ErrorKind] = set()
        self._ledger: LedgerReport | None = None
        self._reports: list[LedgerReport] = []

    @classmethod
    def from_flow(
        cls,
        flow: StreamFlow[Any, Any],
        *,
        config: Mapping[str, Any] | ConfigContext,
        observability_runtime: ObservabilityRuntime | None = None,
    ) -> StreamingTestRunner:
        """Compile *flow* for a test.

        Raises:
            CompilationError: When the flow cannot run.
        """
        context = config if isinstance(config, ConfigContext) else ConfigContext.from_dict(config)
        runtime = context.section_or_default(
            "streaming.runtime", BytewaxRuntimeConfig, BytewaxRuntimeConfig()
        )
        return cls(
            compile_flow(flow, config=context),
            runtime=runtime,
            observability_runtime=observability_runtime,
        )

    @classmethod
    def from_yaml(cls, flow: StreamFlow[Any, Any], path: str) -> StreamingTestRunner:
        """Compile *flow* with the configuration in the file *path*."""
        return cls.from_flow(flow, config=ConfigContext.from_yaml(path))

    @classmethod
    def from_dict(
        cls, flow: StreamFlow[Any, Any], mapping: Mapping[str, Any]
    ) -> StreamingTestRunner:
        """Compile *flow* with a configuration given as a mapping."""
        return cls.from_flow(flow, config=mapping)

    @property
    def output(self) -> list[Message[Any]]:
        """What the flow wrote to its output and to every terminal sink, in order."""
        return self._output

    @property
    def errors(self) -> dict[ErrorKind, list[ErrorEnvelope[Any]]]:
        """Envelopes by error kind, wire failures included; of a kind without any, an empty list."""
        return self._errors

    @property
    def ledger(self) -> LedgerReport | None:
        """The ledger at the end of the last run; ``None`` before one."""
        return self._ledger

    @property
    def reports(self) -> list[LedgerReport]:
        """The ledger at the end of every epoch of the last run."""
        return self._reports

    def with_payloads(self, payloads: Iterable[StreamPayload]) -> StreamingTestRunner:
        """Add payloads, each in a message of its own, at the next offsets of partition 0."""
        self._begin_input()
        topic = self._plan.source.topics[0]
        for payload in payloads:
            index = len(self._records)
            meta = MessageMeta(
                message_id=f"{topic}:0:{index}",
                message_type=message_type_of(type(payload)),
                topic=topic,
                partition=0,
                offset=index,
            )
            self._records.append(Message(payload=payload, meta=meta))
        return self

    def with_messages(self, messages: Iterable[Message[Any] | RawInput]) -> StreamingTestRunner:
        """Add messages as they are, and raw records that go through the source's decoder.

        Raises:
            TypeError: When something is neither.
        """
        self._begin_input()
        for given in messages:
            if isinstance(given, Message):
                self._records.append(given)
            elif isinstance(given, bytes):
                self._records.append((0, None, given, None, 0))
            elif isinstance(given, tuple) and len(given) in (2, 3, 4):
                headers = _header_list(given[2]) if len(given) > 2 else None
                at_ms = given[3] if len(given) > 3 else 0
                self._records.append((0, given[0], given[1], headers, at_ms))
            else:
                raise TypeError(
                    "with_messages takes Message, bytes, (key, value), (key, value, headers) or "
                    "(key, value, headers, timestamp_ms), "
                    f"not {given!r}; payloads go to with_payloads"
                )
        return self

    def with_state(self, step: str, key: str, state: Any) -> StreamingTestRunner:
        """Have a keyed step begin every run with *state* for *key*.

        Args:
            step: Name of the StatefulStep.
            key: The key.
            state: A value of the step's state type, plain data that makes one, or the bytes that
                a recovery store has of it.

        Raises:
            ValueError: When the flow has no such step, or *state* is none of its states.
        """
        node = next((each for each in self._plan.nodes if step in (each.name, each.state_id)), None)
        if node is None or node.state_id is None or node.state_type is None:
            raise ValueError(f"the flow has no stateful step {step!r}")
        self._states.setdefault(node.state_id, {})[key] = state_blob(state, node.state_type)
        return self

    def capture_errors(self, *kinds: ErrorKind) -> StreamingTestRunner:
        """Keep envelopes of *kinds*, of every kind when none is named.

        Kinds that the flow routes are kept anyway. A failure of any other kind fails the run, as
        it would in production.
        """
        self._captured |= set(kinds or ErrorKind)
        for kind in self._captured:
            self._errors.setdefault(kind, [])
        return self

    def reset(self) -> StreamingTestRunner:
        """Forget input, state, output and envelopes; what is captured stays captured."""
        self._records = []
        self._states = {}
        self._was_read = False
        self._output = []
        self._errors = _Envelopes({kind: [] for kind in self._captured})
        self._ledger = None
        self._reports = []
        return self

    def run(self) -> None:
        """Run the flow over what was given; batches and windows are handed on at the end.

        Raises:
            RunError: When a record fails with a kind that is neither captured nor routed.
        """
        from loom_runtime.engine.observation import Observation  # noqa: PLC0415 - Bytewax
        from loom_runtime.engine.prepared import assemble  # noqa: PLC0415

        self._was_read = True
        layout = lay_out(self._plan, self._captured)
        observation = Observation(self._plan, self._observability)
        transport = InMemoryTransport(
            self._plan.source.topics[0], list(self._records), observation.committed
        )
        prepared = assemble(
            layout,
            self._runtime,
            transport,
            control=RunControl(until_idle_ms=0),
            record_encoder=lambda port: CapturedMessages(topic_encoder(layout, port)),
            envelope_encoder=lambda kind: _captured(layout, kind),
            observation=observation,
        )
        self._reports = []
        prepared.context.given_states = {step: {**keys} for step, keys in self._states.items()}
        prepared.context.listeners.append(self._reports.append)
        try:
            count = len(self._plan.nodes)
            with poll_cycle(self._observability, self._plan.name, node_count=count):
                prepared.execute()
        finally:
            prepared.close()
            self._take(layout, transport)
            self._ledger = prepared.context.last_report()

    def _begin_input(self) -> None:
        if self._was_read:
            self._records, self._was_read = [], False

    def _take(self, layout: Layout, transport: InMemoryTransport) -> None:
        for port, output in transport.writer().written:
            kind = layout.ports[port].error_kind
            if kind is None:
                self._output.append(output)
            else:
                self._errors.setdefault(kind, []).append(output)


class _Envelopes(dict[ErrorKind, list[ErrorEnvelope[Any]]]):
    """Envelopes by kind; a kind that has none reads as an empty list."""

    def __missing__(self, kind: ErrorKind) -> list[ErrorEnvelope[Any]]:
        return []


def _header_list(headers: RawHeaders | None) -> list[tuple[str, bytes | None]] | None:
    if headers is None:
        return None
    return list(headers.items() if isinstance(headers, Mapping) else headers) or None


def _captured(layout: Layout, kind: ErrorKind) -> tuple[int, EnvelopeWriterEncoder] | None:
    port = layout.error_ports.get(kind)
    return None if port is None else (port, CapturedEnvelopes())


def payloads_of(messages: Iterable[Message[Any]]) -> list[Any]:
    """Return the payloads of *messages*: what most assertions compare."""
    return [message.payload for message in messages]


__all__ = ["RawInput", "StreamingTestRunner", "payloads_of"]
