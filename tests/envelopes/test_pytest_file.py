"""A test that is written from a failure: ready to run, clean, red and green when it should be."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import tempfile
import uuid
from pathlib import Path
from textwrap import dedent
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from loom_bench.session.envelopes.flow_view import InboxFlow
from loom_bench.session.envelopes.given_states import states_of
from loom_bench.session.envelopes.pytest_file import (
    Expected,
    expected_of,
    test_path,
    test_text,
)
from loom_bench.session.envelopes.unfinished import UnfinishedTraceError
from loom_runtime import ConfigContext, StreamFlow, compile_flow
from loom_runtime.compiler.document import document_of
from loom_runtime.compiler.plan import CompiledPlan
from loom_runtime.tracing.trace import SourceRecord, Trace, TraceOutcome
from loom_runtime.tracing.tracer import Tracer
from loom_runtime.wire.state import encode_state
from tests.cli.commands import environment
from tests.project.sources import REPOSITORY

test_path.__test__ = test_text.__test__ = False  # type: ignore[attr-defined]

FLOW = '''
"""A shop."""

from loom_runtime import (
    ErrorEnvelope, FromTopic, IntoTopic, LoomStruct, Message, Process, RecordStep, StreamFlow,
)

PRICES = {"tea": 450}


class Order(LoomStruct):
    product: str
    note: str = ""


class Priced(LoomStruct):
    product: str
    cents: int
    at_ms: int | None
    shop: str


class Price(RecordStep[Order, Priced]):
    def execute(self, message: Message[Order]) -> Priced:
        order = message.payload
        shop = message.meta.headers.get("shop", b"").decode()
        return Priced(order.product, PRICES[order.product], message.meta.produced_at_ms, shop)


flow = StreamFlow(
    "shop",
    source=FromTopic("orders", payload=Order),
    process=Process(Price),
    output=IntoTopic("priced", payload=Priced),
    errors=IntoTopic("broken", payload=ErrorEnvelope[Order]),
)
'''

CLIENT = {"brokers": ["localhost:9092"]}
CONFIG = {"kafka": {"consumer": {**CLIENT, "group_id": "shop"}, "producer": CLIENT}}
RECORD = SourceRecord(
    topic="orders",
    partition=1,
    offset=41,
    key=b'k"\x00',
    value=b'{"product": "mug", "note": "it\'s \\u00e9\\n ' + b"long " * 60 + b'"}',
    headers=(("shop", b"north"), ("empty", None)),
    timestamp_ms=1_700_000_000_123,
)


class Shop:
    """The module of a flow in a folder, traced as it is on disk.

    Attributes:
        states: What its keyed steps know, by state id and key.
    """

    def __init__(self, folder: Path, text: str = FLOW) -> None:
        self.path = folder / f"shop_{uuid.uuid4().hex[:8]}.py"
        self.path.write_text(dedent(text))
        self.states: dict[tuple[str, str], bytes] = {}

    def fix(self) -> None:
        text = self.path.read_text()
        self.path.write_text(text.replace('{"tea": 450}', '{"tea": 450, "mug": 9}'))

    def break_again(self) -> None:
        self.path.write_text(self.path.read_text().replace(', "mug": 9', ""))

    def plan(self) -> CompiledPlan:
        name = f"{self.path.stem}_{uuid.uuid4().hex[:8]}"
        spec = importlib.util.spec_from_file_location(name, self.path)
        assert spec is not None
        assert spec.loader is not None
        module = sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        flow: StreamFlow[Any, Any] = module.flow
        return compile_flow(flow, config=ConfigContext.from_dict(CONFIG))

    def trace(self) -> Trace:
        def known(state_id: str, key: str) -> bytes | None:
            return self.states.get((state_id, key))

        return Tracer(self.plan()).trace(RECORD, state_of=known)

    def flow(self) -> InboxFlow:
        return InboxFlow(
            target=str(self.path),
            config_path=None,
            module=self.path.stem,
            plan=document_of(self.plan()),
            bootstrap="localhost:9092",
            owned=True,
        )

    def write_test(self, path: Path | None = None, config: Path | None = None) -> Path:
        """Write a test as the flow is on disk."""
        flow = self.flow()
        trace = self.trace()
        expected, states = expected_of(trace, flow.plan), states_of(trace, flow.plan)
        target = path or test_path(flow, RECORD, "Price")
        target.write_text(test_text(flow, config, target, RECORD, expected, states))
        return target


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


def passes(test: Path, *options: str) -> bool:
    """Run a test file as its user would, in its folder."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options, test.name],
        cwd=test.parent,
        env=environment(PYTHONDONTWRITEBYTECODE="1"),
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert done.returncode in (0, 1), done.stdout + done.stderr
    return done.returncode == 0


def is_clean(test: Path) -> None:
    """Have the file checked as this repository checks its own tests."""
    for command in (["check", "--ignore", "S101"], ["format", "--check"]):
        done = subprocess.run(
            ["ruff", *command, "--no-cache", "--config", REPOSITORY / "pyproject.toml", test],
            capture_output=True,
            env=environment(PATH=f"{Path(sys.executable).parent}:/usr/bin:/bin"),
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr + test.read_text()


def test_after_the_fix_it_is_green_and_before_it_red(shop: Shop) -> None:
    shop.fix()
    test = shop.write_test()

    assert test.parent == shop.path.parent
    assert test.name.startswith("test_shop_price_1_41")
    assert passes(test)
    assert passes(test, "--import-mode=importlib")
    shop.break_again()
    assert not passes(test)


def test_before_the_fix_it_says_how_the_record_fails(shop: Shop) -> None:
    test = shop.write_test()

    assert "builtins.KeyError" in test.read_text()
    assert passes(test)
    shop.fix()
    assert not passes(test)


def test_it_is_clean(shop: Shop) -> None:
    is_clean(shop.write_test())
    shop.fix()
    is_clean(shop.write_test())


def test_it_may_stand_elsewhere_and_use_the_configuration(shop: Shop, tmp_path: Path) -> None:
    config = tmp_path / "shop.yaml"
    config.write_text(
        'kafka:\n  consumer: {brokers: ["h:1"], group_id: g}\n  producer: {brokers: ["h:1"]}\n'
    )
    (tmp_path / "tests" / "unit").mkdir(parents=True)
    shop.fix()

    test = shop.write_test(tmp_path / "tests" / "unit" / "test_mug.py", config)

    assert "from_yaml" in test.read_text()
    assert passes(test)
    is_clean(test)


def test_a_second_test_has_another_name(shop: Shop) -> None:
    first = shop.write_test()
    assert shop.write_test() != first


def test_a_trace_that_was_cut_off_makes_no_test(shop: Shop) -> None:
    cut_off, start = TraceOutcome.CUT_OFF, _SHOP.plan.source.id
    trace = Trace(flow="shop", record=RECORD, start=start, outcome=cut_off, problem="hung")
    with pytest.raises(UnfinishedTraceError, match="hung"):
        expected_of(trace, _SHOP.plan)


def test_a_run_from_an_edited_value_within_makes_no_test(shop: Shop) -> None:
    trace = msgspec.structs.replace(shop.trace(), start="Price")
    with pytest.raises(UnfinishedTraceError, match="began at Price"):
        expected_of(trace, shop.flow().plan)


KEYED = """
from typing import Any

from loom_runtime import (
    ErrorEnvelope, FromTopic, IntoTopic, LoomStruct, Message, Process, StatefulStep, StreamFlow,
)

PRICES = {"tea": 450}


class Order(LoomStruct):
    product: str
    note: str = ""


class Sum(LoomStruct):
    cents: int = 0
    seen: dict[str, float] = {}
    raw: bytes = b""


class Add(StatefulStep[Order, Sum, Sum]):
    def key(self, message: Message[Order]) -> str:
        return "all \\x00 \u00e9"

    def initial(self) -> Sum:
        return Sum()

    def execute(self, state: Sum, message: Message[Order]) -> tuple[Sum, list[Sum]]:
        if not state.cents:
            raise RuntimeError("it fails in a state only")
        after = Sum(state.cents + PRICES[message.payload.product], state.seen)
        return after, [after]


flow = StreamFlow(
    "shop",
    source=FromTopic("orders", payload=Order),
    process=Process(Add),
    output=IntoTopic("sums", payload=Sum),
    errors=IntoTopic("broken", payload=ErrorEnvelope[Order]),
)
"""


def keyed_shop(folder: Path, **known: object) -> Shop:
    """A flow that has a state of its key."""
    shop = Shop(folder, KEYED)
    shop.states["Add", "all \x00 é"] = encode_state({"cents": 41, **known}, "shop.Sum")
    return shop


def test_the_state_of_its_key_is_in_it(tmp_path: Path) -> None:
    shop = keyed_shop(tmp_path, seen={'"""': 0.1})
    before = shop.write_test()
    shop.fix()
    after = shop.write_test()

    assert passes(after)
    assert not passes(before)
    is_clean(after)
    is_clean(before)
    shop.break_again()
    assert not passes(after)


def test_a_state_that_json_cannot_say_is_in_it(tmp_path: Path) -> None:
    shop = keyed_shop(tmp_path, raw=b"\xff\x00")
    shop.fix()
    assert passes(shop.write_test())


def test_a_state_that_is_too_large_to_be_told_makes_no_test(tmp_path: Path) -> None:
    shop = keyed_shop(tmp_path, seen={str(number): 0.1 for number in range(10_000)})
    shop.fix()
    with pytest.raises(UnfinishedTraceError, match="too large"):
        shop.write_test()


_text = st.text(max_size=30)


@given(
    key=st.none() | st.binary(max_size=30),
    value=st.none() | st.binary(max_size=200),
    headers=st.lists(st.tuples(_text, st.none() | st.binary(max_size=20)), max_size=3),
    flow=_text,
    outputs=st.none() | st.just(('{"a": "\\u2028\\"\\"\\""}',)),
)
@example(key=b"\"'\\", value=b"'" * 90, headers=[("'\"\n", b"\xff")], flow='"""', outputs=None)
def test_whatever_is_in_the_record_the_file_is_python_and_says_it(
    key: bytes | None,
    value: bytes | None,
    headers: list[tuple[str, bytes | None]],
    flow: str,
    outputs: tuple[str, ...] | None,
) -> None:
    view = _SHOP._replace(plan=msgspec.structs.replace(_SHOP.plan, flow=flow))
    record = SourceRecord(
        topic="t", partition=0, offset=0, key=key, value=value, headers=tuple(headers)
    )

    text = test_text(view, None, Path("/x/test_it.py"), record, Expected(outputs=outputs), ())

    scope: dict[str, object] = {"__file__": "/x/test_it.py"}
    exec(compile(text, "test_it.py", "exec"), scope)
    assert (scope["KEY"], scope["VALUE"], scope["HEADERS"]) == (key, value, headers)
    if outputs is not None:
        assert scope["EXPECTED"] == [{"a": '\u2028"""'}]


def _shop_view() -> InboxFlow:
    with tempfile.TemporaryDirectory() as folder:
        return Shop(Path(folder)).flow()


_SHOP = _shop_view()
