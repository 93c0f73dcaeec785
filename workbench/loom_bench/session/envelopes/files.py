"""Files of the open envelope: a test of it, an export, and an import into the inbox."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from loom_bench.broker.reading import TopicRecord
from loom_bench.session.envelopes.envelope import Envelope, read_envelope
from loom_bench.session.envelopes.exchange import (
    ExchangeError,
    as_topic_record,
    identity_of,
    read_file,
    write_file,
    write_new,
)
from loom_bench.session.envelopes.flow_view import InboxFlow
from loom_bench.session.envelopes.given_states import states_of
from loom_bench.session.envelopes.opening import Opening, configuration_of
from loom_bench.session.envelopes.pytest_file import expected_of, test_path, test_text
from loom_bench.session.envelopes.source_record import as_source
from loom_bench.session.envelopes.unfinished import UnfinishedTraceError
from loom_bench.session.live.sources import module_path
from loom_bench.session.tracing.value import TraceState, TracingView
from loom_runtime.tracing.trace import SourceRecord, Trace

Tell = Callable[[str, str, str | None], None]
"""Tells the user: text, severity, and the file that was written."""


class EnvelopeFiles:
    """Writes and reads files. Used on the inbox's thread.

    Args:
        opening: The open envelope.
        traces: Returns the session's traces.
        tell: Tells the user.
    """

    def __init__(self, opening: Opening, traces: Callable[[], TracingView], tell: Tell) -> None:
        self._opening = opening
        self._traces = traces
        self._tell = tell

    def write_test(self, flow: InboxFlow, path: str | None) -> None:
        """Write a pytest file of the open envelope, as its newest trace says what comes of it."""
        source, trace = self._opening.source, self._whole_trace()
        if source is None or self._opening.kept is None:
            self._tell("open an envelope whose record is known, then write a test", "warning", None)
            return
        if trace is None:
            self._tell(
                "the record is still traced; write the test when that is done", "warning", None
            )
            return
        try:
            expected = expected_of(trace, flow.plan)
            node = self._opening.kept.envelope.node
            target = Path(path).absolute() if path else test_path(flow, source, node)
            config = configuration_of(flow, module_path(flow.target))
            states = states_of(trace, flow.plan)
            text = test_text(flow, config, target, trace.record, expected, states)
            write_new(target, text.encode())
        except (UnfinishedTraceError, ExchangeError) as error:
            self._tell(f"no test was written: {error}", "error", None)
            return
        what = "fails as it did" if expected.kind is not None else "passes"
        self._tell(f"a test that the record {what} is in {target}", "information", str(target))

    def export(self, flow: InboxFlow, path: str) -> None:
        """Write the open envelope to a file."""
        record = self._opening.record
        if record is None:
            self._tell("open an envelope, then export it", "warning", None)
            return
        target = Path(path).absolute()
        try:
            write_file(target, flow.plan.flow, record, self._opening.source)
        except ExchangeError as error:
            self._tell(f"nothing was exported: {error}", "error", None)
            return
        self._tell(f"the envelope is in {target}", "information", str(target))

    def read(self, path: str) -> tuple[Envelope, TopicRecord, SourceRecord | None] | None:
        """Return the envelope in a file, its record and the one that failed; ``None`` when it
        cannot be read, which is told."""
        try:
            exported = read_file(Path(path).absolute())
        except ExchangeError as error:
            self._tell(f"nothing was imported: {error}", "error", None)
            return None
        record = as_topic_record(exported.envelope)
        envelope = read_envelope(record, identity_of(exported))
        if envelope is None:
            self._tell(f"nothing was imported: {path} holds no envelope", "error", None)
            return None
        source = exported.source
        return envelope, record, None if source is None else as_source(as_topic_record(source))

    def _whole_trace(self) -> Trace | None:
        """Return the newest trace of the open envelope, when it is complete."""
        number = self._opening.trace
        views = self._traces().traces
        found = next((each for each in views if each.number == number), None)
        return found.trace if found is not None and found.state is TraceState.DONE else None
