"""Writes a pytest file from a failure: its record, the flow, and what has to come of it."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from loom_bench.session.envelopes.flow_view import InboxFlow
from loom_bench.session.envelopes.given_states import GivenState
from loom_bench.session.envelopes.unfinished import UnfinishedTraceError
from loom_bench.session.live.sources import module_path
from loom_runtime.compiler.document_parts import PlanDocument
from loom_runtime.compiler.plan import NodeKind
from loom_runtime.places import place_text
from loom_runtime.tracing.shown import ValueForm
from loom_runtime.tracing.trace import SourceRecord, Trace, TraceOutcome

_LITERAL_COLUMNS: Final = 80
_ESCAPES: Final = {"\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_NOT_A_NAME: Final = re.compile(r"[^0-9a-z]+")

_KAFKA: Final = """\
CLIENT = {"brokers": ["localhost:9092"]}  # nothing connects to it
KAFKA = {"consumer": {**CLIENT, "group_id": "tests"}, "producer": CLIENT}
"""


class Expected(NamedTuple):
    """What has to come of the record.

    Attributes:
        outputs: JSON texts of the payloads that are written; ``None`` when not all are known.
        size: How many are written.
        kind: Error kind of the failure; ``None`` when it does not fail.
        exception_type: Type of the exception.
        node: Node that fails.
    """

    outputs: tuple[str, ...] | None = None
    size: int = 0
    kind: str | None = None
    exception_type: str = ""
    node: str = ""


def expected_of(trace: Trace, plan: PlanDocument) -> Expected:
    """Return what a trace says that comes of its record.

    Raises:
        UnfinishedTraceError: When it did not begin at the source, was cut off, or would have ended
            the run.
    """
    if trace.start != plan.source.id:
        raise UnfinishedTraceError(
            f"the newest run began at {trace.start}, with an edited value; run the record again "
            "from its source, then write the test"
        )
    if trace.outcome in (TraceOutcome.CUT_OFF, TraceOutcome.RUN_FAILED):
        raise UnfinishedTraceError(
            f"the trace did not end ({trace.problem or trace.outcome.value}), so nobody knows what "
            "a test has to expect"
        )
    if trace.failures:
        failure = trace.failures[0]
        return Expected(
            kind=failure.kind.value,
            exception_type=failure.exception_type,
            node=failure.node,
        )
    wanted = {sink.id for sink in plan.sinks}
    wanted |= {node.id for node in plan.nodes if node.kind is NodeKind.INTO_TOPIC}
    taken = [each for stop in trace.stops if stop.node in wanted for each in stop.takes]
    left_out = sum(stop.takes_left_out for stop in trace.stops if stop.node in wanted)
    whole = not left_out and all(
        each.value.form is ValueForm.JSON and each.value.complete for each in taken
    )
    return Expected(
        outputs=tuple(each.value.text for each in taken) if whole else None,
        size=len(taken) + left_out,
    )


def test_path(flow: InboxFlow, record: SourceRecord, node: str) -> Path:
    """Return a name beside the flow that is not taken."""
    folder = module_path(flow.target).parent
    parts = [flow.plan.flow, node or "source", str(record.partition), str(record.offset)]
    stem = "test_" + "_".join(_name(each) for each in parts)
    names = (stem, *(f"{stem}_{number}" for number in range(2, 1_000)))
    free = (path for name in names if not (path := folder / f"{name}.py").exists())
    return next(free, folder / f"{stem}.py")


def test_text(
    flow: InboxFlow,
    config: Path | None,
    path: Path,
    record: SourceRecord,
    expected: Expected,
    states: Sequence[GivenState],
) -> str:
    """Return a pytest file.

    Args:
        flow: The flow.
        config: Its configuration file; ``None`` when it has none.
        path: Where the test will stand: the flow is found from there.
        record: The record.
        expected: What has to come of it.
        states: The keyed state that it finds.
    """
    module = module_path(flow.target)
    root = module.parents[flow.module.count(".") + (module.stem == "__init__")]
    place = place_text(record.topic, record.partition, record.offset)
    uses_json = expected.outputs is not None or any(each.text is not None for each in states)
    return "\n".join(
        (
            *_head(flow, config, path, root, place, uses_json=uses_json, expected=expected),
            f"TIMESTAMP_MS = {record.timestamp_ms if record.timestamp_ms > 0 else 0}",
            *_assigned("KEY", record.key),
            *_assigned("VALUE", record.value),
            *_headers(record),
            *_states(states),
            *(() if expected.outputs is None else _expectation(expected.outputs)),
            "",
            *_run(flow, config, states),
            "",
            *(_passes(expected) if expected.kind is None else _fails(expected)),
        )
    )


def _head(
    flow: InboxFlow,
    config: Path | None,
    path: Path,
    root: Path,
    place: str,
    *,
    uses_json: bool,
    expected: Expected,
) -> Iterator[str]:
    what = "passes" if expected.kind is None else "fails as it did"
    yield f'"""The record {_plain(place)} of the flow {_plain(flow.plan.flow)} {what}."""'
    yield ""
    yield "import importlib"
    if uses_json:
        yield "import json"
    yield "import sys"
    yield "from pathlib import Path"
    yield ""
    if expected.outputs is not None:
        yield "import msgspec"
        yield ""
    names = ["ErrorKind"] if expected.kind is not None else []
    yield f"from loom_runtime import {', '.join((*names, 'StreamFlow', 'StreamingTestRunner'))}"
    yield ""
    yield f"ROOT = {_path(root, path.parent)}"
    if config is not None:
        yield f"CONFIGURATION = {_path(config, path.parent)}"
    else:
        yield _KAFKA.rstrip()
    yield ""


def _path(target: Path, folder: Path) -> str:
    relative = os.path.relpath(target, folder)
    here = "Path(__file__).resolve().parent"
    return here if relative == "." else f"({here} / {_text(relative)}).resolve()"


def _headers(record: SourceRecord) -> Iterator[str]:
    if not record.headers:
        yield "HEADERS: list[tuple[str, bytes | None]] = []"
        return
    yield "HEADERS: list[tuple[str, bytes | None]] = ["
    for name, value in record.headers:
        literal = "None" if value is None else _bytes(value)
        yield f"    ({_text(name)}, {literal}),"
    yield "]"


def _run(flow: InboxFlow, config: Path | None, states: Sequence[GivenState]) -> Iterator[str]:
    yield ""
    yield "def run_record() -> StreamingTestRunner:"
    yield "    sys.path.insert(0, str(ROOT))"
    yield f"    module = importlib.import_module({_text(flow.module)})"
    yield "    flows = [each for each in vars(module).values() if isinstance(each, StreamFlow)]"
    yield f"    flow = next(each for each in flows if each.name == {_text(flow.plan.flow)})"
    if config is None:
        yield '    runner = StreamingTestRunner.from_flow(flow, config={"kafka": KAFKA})'
    else:
        yield "    runner = StreamingTestRunner.from_yaml(flow, str(CONFIGURATION))"
    for number, state in enumerate(states, start=1):
        step, key = _text(state.step), _text(state.key)
        yield f"    runner.with_state({step}, {key}, STATE_{number})"
    yield "    record = (KEY, VALUE, HEADERS, TIMESTAMP_MS)"
    yield "    runner.with_messages([record]).capture_errors().run()"
    yield "    return runner"
    yield ""


def _passes(expected: Expected) -> Iterator[str]:
    yield "def test_the_record_passes() -> None:"
    yield "    runner = run_record()"
    yield "    assert [each for kind in runner.errors.values() for each in kind] == []"
    if expected.outputs is None:
        yield f"    assert len(runner.output) == {expected.size}"
        yield ""
        return
    yield "    written = [msgspec.to_builtins(message.payload) for message in runner.output]"
    yield "    assert sorted(written, key=in_order) == sorted(EXPECTED, key=in_order)"
    yield ""
    yield ""
    yield "def in_order(payload: object) -> str:"
    yield "    return json.dumps(payload, sort_keys=True)"
    yield ""


def _expectation(outputs: tuple[str, ...]) -> Iterator[str]:
    payloads = [json.loads(text) for text in outputs]
    yield from _json("EXPECTED", payloads)


def _states(states: Sequence[GivenState]) -> Iterator[str]:
    for number, state in enumerate(states, start=1):
        if state.text is None:
            yield from _assigned(f"STATE_{number}", state.blob)
        else:
            yield from _json(f"STATE_{number}", json.loads(state.text))


def _json(name: str, value: object) -> Iterator[str]:
    # In ASCII, so that no character of it is taken for another; a raw string leaves escapes alone.
    yield f"{name} = json.loads("
    yield '    r"""'
    yield json.dumps(value, indent=4)
    yield '"""'
    yield ")"


def _fails(expected: Expected) -> Iterator[str]:
    yield "def test_the_record_fails_as_it_did() -> None:"
    yield '    """Once the flow is fixed this fails: write it anew, of what comes out then."""'
    yield "    runner = run_record()"
    yield f"    envelopes = runner.errors[ErrorKind.{(expected.kind or '').upper()}]"
    yield "    assert len(envelopes) > 0"
    yield f"    assert envelopes[0].exception_type == {_text(expected.exception_type)}"
    if expected.node:
        yield f"    assert envelopes[0].node == {_text(expected.node)}"
    yield ""


def _assigned(name: str, value: bytes | None) -> Iterator[str]:
    if value is None:
        yield f"{name} = None"
        return
    pieces = _pieces(value)
    if len(pieces) == 1:
        yield f"{name} = {_bytes(pieces[0])}"
        return
    yield f"{name} = ("
    yield from (f"    {_bytes(piece)}" for piece in pieces)
    yield ")"


def _pieces(value: bytes) -> list[bytes]:
    size = _LITERAL_COLUMNS if value.isascii() and value.decode().isprintable() else 20
    return [value[start : start + size] for start in range(0, len(value), size)] or [b""]


def _bytes(value: bytes) -> str:
    return "b" + _quoted(value.decode("latin-1"), lambda code: f"\\x{code:02x}")


def _text(value: str) -> str:
    return _quoted(value, _unicode_escape)


def _unicode_escape(code: int) -> str:
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _quoted(text: str, escape: Callable[[int], str]) -> str:
    """Return a literal as a formatter has it: in double quotes, unless they need more escapes."""
    quote = "'" if text.count('"') > text.count("'") else '"'
    shown = [
        _ESCAPES.get(each)
        or (f"\\{quote}" if each == quote else each if " " <= each <= "~" else escape(ord(each)))
        for each in text
    ]
    return quote + "".join(shown) + quote


def _plain(text: str) -> str:
    """Return a name fit for a docstring."""
    return re.sub(r"[^\w\[\]@.:-]", "?", text)


def _name(text: str) -> str:
    return _NOT_A_NAME.sub("_", text.lower()).strip("_") or "x"
