"""Screens that ask: about state, another broker, another flow, a record by hand; and the help."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from msgspec.structs import replace

from loom_bench.session.value import Phase, StateConflict
from loom_bench.tui.actions import ACTIONS
from loom_bench.tui.dialogs.help import help_lines
from loom_bench.tui.dialogs.state_conflict import Draft
from tests.cli.commands import environment
from tests.tui import values
from tests.tui.running_app import Bench, ScriptedEditor, bench

asynchronous = pytest.mark.asyncio


@asynchronous
async def test_a_renamed_step_takes_its_state_over_unless_told_otherwise() -> None:
    async with bench(values.failing()) as seen:
        await seen.press("c")
        assert "takes over the state of CountCustomer" in seen.text
        await seen.press("j", "j", "enter")
        expected = {"CountCustomer": "TotalCustomer"}, ("CollectBatch",), False
        assert seen.session.asked("decide") == [expected]


@asynchronous
async def test_a_new_step_may_start_empty() -> None:
    async with bench(values.failing()) as seen:
        await seen.press("c", "l")
        assert "CountCustomer  is gone" in seen.text
        await seen.press("j", "j", "j", "enter")
        assert seen.session.asked("decide") == [({}, ("TotalCustomer", "CollectBatch"), False)]


@asynchronous
async def test_the_old_revision_can_be_kept() -> None:
    async with bench(values.failing()) as seen:
        await seen.press("c", "G", "enter")
        assert seen.session.asked("decide") == [({}, (), True)]


@asynchronous
async def test_deciding_can_wait() -> None:
    async with bench(values.failing()) as seen:
        await seen.press("c", "escape")
        assert not seen.session.asked("decide")
        assert "r4 waiting" in seen.text


@asynchronous
async def test_a_revision_that_waits_is_told_of_among_the_problems() -> None:
    conflict = StateConflict(revision=2, gone=("a",), new=("x",))
    async with bench(replace(values.running(), conflict=conflict)) as seen:
        await seen.press("8")
        assert "r2 waits: decide about its state  c" in seen.text


def test_no_state_is_taken_over_twice() -> None:
    draft = Draft(StateConflict(revision=2, gone=("a", "b"), new=("x", "y")))
    draft.turn("x", 1)
    draft.turn("y", 1)
    assert draft.decision().mapping == {"a": "x", "b": "y"}
    draft.turn("y", 1)
    assert draft.decision().empty == ("y",)
    assert draft.left_over == ("b",)


@asynchronous
async def test_a_broker_of_our_own_is_switched_to_at_once() -> None:
    async with bench(values.running()) as seen:
        await seen.press("b", "j", "enter")
        assert seen.session.asked("switch_broker") == [("embedded",)]


@asynchronous
async def test_a_broker_of_somebody_elses_needs_its_address_twice() -> None:
    async with bench(values.running()) as seen:
        await seen.press("b", "tab", *"kafka:9092", "enter")
        assert "did not start this broker" in seen.text
        await seen.press(*"yes", "enter")
        assert "not the word" in seen.text
        assert not seen.session.asked("switch_broker")
        await seen.press(*["backspace"] * 3, *"kafka:9092", "enter")
        assert seen.session.asked("switch_broker") == [("kafka:9092",)]


@asynchronous
async def test_a_switch_to_it_can_be_taken_back() -> None:
    async with bench(values.running()) as seen:
        await seen.press("b", "tab", *"kafka:9092", "enter", "escape")
        assert not seen.session.asked("switch_broker")


@asynchronous
async def test_modules_beside_the_flow_are_offered(tmp_path: Path) -> None:
    for name in ("orders.py", "refunds.py", "_private.py", "notes.txt"):
        (tmp_path / name).touch()
    value = replace(values.running(), target=str(tmp_path / "orders.py"))
    async with bench(value) as seen:
        await seen.press("o")
        assert "refunds.py" in seen.text
        assert "_private.py" not in seen.text
        await seen.press("enter")
        assert seen.session.asked("open_flow") == [(str(tmp_path / "refunds.py"),)]


CLAIM = """
import sys
from loom_bench.session.claim import Claim
claim = Claim(sys.argv[1], "kafka:9092")
print("claimed", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def another_bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A flow that another process has open."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with subprocess.Popen(
        [sys.executable, "-c", CLAIM, "orders.py"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment(TMPDIR=str(tmp_path)),
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"claimed\n"
        yield "orders.py"
        other.kill()


@pytest.mark.parametrize(
    ("keys", "asked"),
    [
        (("enter",), ["embedded"]),
        (("down", "enter"), ["look only"]),
        (("down", "down", "enter"), []),
        (("escape",), None),
    ],
    ids=["beside it", "to look at", "all the same", "not at all"],
)
@asynchronous
async def test_a_flow_that_another_bench_has_open_shares_no_broker_unasked(
    keys: tuple[str, ...], asked: list[str] | None, another_bench: str
) -> None:
    external = replace(values.running().broker, kind="external", owned=False)
    async with bench(replace(values.running(), broker=external)) as seen:
        await seen.press("o", *another_bench, "enter")
        assert "is open in another bench" in seen.text
        assert not seen.session.asked("open_flow")
        await seen.press(*keys)
        wanted = [] if asked is None else [(another_bench, *asked)]
        assert seen.session.asked("open_flow") == wanted


@asynchronous
async def test_on_a_broker_of_its_own_a_flow_is_opened_whoever_has_it(another_bench: str) -> None:
    async with bench(values.running()) as seen:
        await seen.press("o", *another_bench, "enter")
        assert seen.session.asked("open_flow") == [(another_bench,)]


@asynchronous
async def test_a_switch_to_a_broker_tells_who_else_has_the_flow_open(another_bench: str) -> None:
    async with bench(replace(values.running(), target=another_bench)) as seen:
        await seen.press("b", "tab", *"kafka:9092", "enter")
        assert "is open in another bench" in seen.text
        assert "commit the same offsets" in seen.text


@asynchronous
async def test_a_bench_that_only_looks_runs_nothing() -> None:
    async with bench(replace(values.in_phase(Phase.STOPPED), look_only=True)) as seen:
        assert "looks only" in seen.text
        await seen.press("R", "p", "r", "+")
        assert "This bench only looks" in seen.text
        assert not any(
            seen.session.asked(each) for each in ("restart", "resume", "reload", "set_feed_rate")
        )


@asynchronous
async def test_any_other_flow_can_be_typed() -> None:
    async with bench(values.running()) as seen:
        await seen.press("o", *"a/b.py:flow", "enter")
        assert seen.session.asked("open_flow") == [("a/b.py:flow",)]


@contextmanager
def lent_terminal(seen: Bench, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let a test's terminal be lent to an editor: the headless driver has none to lend."""

    @contextmanager
    def suspend() -> Iterator[None]:
        yield

    with monkeypatch.context() as patched:
        patched.setattr(seen.app, "suspend", suspend)
        yield


@asynchronous
async def test_a_record_written_by_hand_is_fed(monkeypatch: pytest.MonkeyPatch) -> None:
    editor = ScriptedEditor(writes='# note\nkey: c-1\n{"order_id":\n "o-1"}\n')
    async with bench(values.running(), editor=editor) as seen:
        with lent_terminal(seen, monkeypatch):
            await seen.press("a")
        assert seen.session.asked("feed_record") == [("c-1", '{"order_id":\n "o-1"}')]
        assert "One record for orders." in editor.found[0]
        assert '"order_id": "o-4714"' in editor.found[0]
        assert not Path(editor.commands[0][-1]).exists()


@asynchronous
@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("key: x\n", "there was no value"),
        ("key: x\n{nonsense", "the value is no JSON"),
        ("key:\n" + "[" * 10_000, "the value is no JSON"),
    ],
)
async def test_what_is_no_record_is_not_fed(
    written: str, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with bench(values.running(), editor=ScriptedEditor(writes=written)) as seen:
        with lent_terminal(seen, monkeypatch):
            await seen.press("a")
        assert told in seen.text
        assert not seen.session.asked("feed_record")


@asynchronous
async def test_an_editor_that_fails_feeds_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    async with bench(values.running(), editor=ScriptedEditor(code=1)) as seen:
        with lent_terminal(seen, monkeypatch):
            await seen.press("a")
        assert "ended with 1" in seen.text
        assert not seen.session.asked("feed_record")


@asynchronous
@pytest.mark.parametrize("keys", [("8", "e"), ("8", "enter", "e")], ids=["row", "details"])
async def test_a_problem_opens_at_its_line(
    keys: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    editor = ScriptedEditor()
    async with bench(values.failing(), editor=editor, environ={"EDITOR": "vim -X"}) as seen:
        with lent_terminal(seen, monkeypatch):
            await seen.press(*keys)
        assert editor.commands == [["vim", "-X", "+210", "sample_flows/orders.py"]]


@asynchronous
async def test_the_innermost_line_of_an_error_opens(monkeypatch: pytest.MonkeyPatch) -> None:
    editor = ScriptedEditor()
    async with bench(values.failing(), editor=editor, environ={"EDITOR": "hx"}) as seen:
        with lent_terminal(seen, monkeypatch):
            await seen.press("2", "e")
        assert editor.commands == [["hx", "sample_flows/orders.py:148"]]


def test_the_help_names_every_action() -> None:
    text = "\n".join("".join(run for run, _ in line) for line in help_lines({}, "keys.toml"))
    for action in ACTIONS:
        assert action.title in text
        assert action.id in text


@asynchronous
async def test_the_screen_is_written_to_a_file() -> None:
    async with bench(values.running()) as seen:
        await seen.press("ctrl+s")
        (picture,) = Path.cwd().glob("loom-bench-*.svg")
        assert "CheckOrder" in picture.read_text(encoding="utf-8")
        assert picture.name in seen.text


@asynchronous
async def test_keys_of_the_main_screen_do_nothing_behind_a_dialog() -> None:
    async with bench(values.running()) as seen:
        await seen.press("question_mark", "p", "K", "escape")
        assert not seen.session.asked("pause")
        assert not seen.session.asked("kill")
