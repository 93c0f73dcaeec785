"""``loom-bench errors``: envelopes from the command line, for people and for programs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.broker_fixtures import Topics
from tests.cli.commands import Done, environment, run
from tests.envelopes.inboxes import Place
from tests.envelopes.test_pytest_file import passes

FLOW = """
from loom_runtime import (
    ErrorEnvelope, FromTopic, IntoTopic, LoomFrozenStruct, Message, Process, RecordStep, StreamFlow,
)


class Order(LoomFrozenStruct, frozen=True):
    number: int
    product: str


class Price(RecordStep[Order, Order]):
    def execute(self, message: Message[Order]) -> Order:
        return message.payload


flow = StreamFlow(
    "orders",
    source=FromTopic("SOURCE", Order),
    process=Process(Price),
    output=IntoTopic("OUTPUT", Order),
    errors=IntoTopic("ERRORS", payload=ErrorEnvelope[Order]),
)
"""


class Shop:
    """A flow's file, and its topics on a broker."""

    def __init__(self, folder: Path, topics: Topics) -> None:
        self.place = place = Place(topics)
        text = FLOW.replace("SOURCE", place.source).replace("OUTPUT", place.output)
        self.path = folder / "orders.py"
        self.path.write_text(text.replace("ERRORS", place.errors))
        self.state = folder / "state"
        place.write_orders([(0, "tea", "a"), (1, "unicorn", "b"), (2, "unicorn", "c")])
        place.write_envelopes(place.envelope(1, "b"), place.envelope(2, "c"))

    def errors(self, command: str, *arguments: str | Path) -> Done:
        """Run ``loom-bench errors COMMAND`` on the broker."""
        done = subprocess.run(
            [
                *(sys.executable, "-c", "from loom_bench.cli import main; main()", "errors"),
                *(command, str(self.path), *map(str, arguments)),
                *("--broker", self.place.topics.bootstrap),
            ],
            env=environment(XDG_STATE_HOME=str(self.state)),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return Done(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def shop(tmp_path: Path, topics: Topics) -> Shop:
    return Shop(tmp_path, topics)


def test_groups_are_listed_for_people_and_for_programs(shop: Shop) -> None:
    people, programs = shop.errors("list"), shop.errors("list", "--json", "--envelopes", "5")

    assert (people.code, people.err) == (0, "")
    assert "2 envelopes: 2 open" in people.out
    assert "task Price: builtins.KeyError" in people.out
    assert people.out.splitlines()[-1] == "2 envelopes in 1 group, 2 open"
    group, first, second, inbox = programs.lines
    assert (group["type"], group["count"], group["node"]) == ("group", 2, "Price")
    assert {first["key"], second["key"]} == {"b", "c"}
    assert inbox["states"] == {"open": 2}


def test_a_filter_chooses_among_them(shop: Shop) -> None:
    done = shop.errors("list", "--json", "--envelopes", "5", "--key", "b")

    rows = [line for line in done.lines if line["type"] == "envelope"]
    assert [row["key"] for row in rows] == ["b"]


def test_one_is_shown_exported_and_read_again(shop: Shop, tmp_path: Path) -> None:
    group = shop.errors("list", "--json").lines[0]["fingerprint"]
    shown = shop.errors("show", group)
    file = tmp_path / "one.json"
    exported = shop.errors("export", group, file)
    again = shop.errors("import", file, "--json")

    assert shown.code == 0
    assert "the record that failed:" in shown.out
    assert '"product": "unicorn"' in shown.out
    assert (exported.code, exported.err) == (0, "")
    assert json.loads(file.read_text())["flow"] == "orders"
    assert again.lines[0]["row"]["reason"] == "'unicorn'"


def test_a_redrive_is_a_dry_run_until_it_is_confirmed(shop: Shop) -> None:
    dry = shop.errors("redrive", "--all")
    wrong = shop.errors("redrive", "--all", "--confirm", "localhost:1")
    assert (dry.code, wrong.code) == (0, 1)
    assert "dry run: 2 envelopes, 2 records" in dry.out
    assert "type its address" in wrong.err
    assert len(shop.place.read(shop.place.source)) == 3

    done = shop.errors("redrive", "--all", "--json", "--confirm", shop.place.topics.bootstrap)

    assert (done.code, done.err) == (0, "")
    assert [line["type"] for line in done.lines] == ["plan", "redrive"]
    assert done.lines[1]["written"] == 2
    assert len(shop.place.read(shop.place.source)) == 5
    # The state is kept for the next command.
    assert shop.errors("list", "--json").lines[-1]["states"] == {"redriven": 2}


def test_what_is_wrong_is_told(shop: Shop, tmp_path: Path) -> None:
    nothing = shop.errors("show", "no-such")
    assert (nothing.code, nothing.out) == (1, "")
    assert "no-such is not among the envelopes that are kept" in nothing.err
    assert "say which" in shop.errors("redrive").err
    embedded = run("errors", "list", shop.path)
    assert embedded.code == 1
    assert "its topics die with it" in embedded.err
    missing = run("errors", "list", tmp_path / "none.py", "--broker", "localhost:1", "--json")
    assert missing.code == 1
    assert missing.lines[0]["code"] == "file_not_found"


def test_help_names_the_commands_and_loads_no_client() -> None:
    done = run("errors", "--help")
    assert done.code == 0
    for name in ("list", "show", "export", "import", "redrive"):
        assert f"  {name} " in done.out


BROKEN = """        if message.payload.product == "unicorn":
            raise KeyError("no price")
        return message.payload
"""


def test_one_is_traced_retried_and_made_a_test(shop: Shop, tmp_path: Path) -> None:
    text = shop.path.read_text()
    shop.path.write_text(text.replace("        return message.payload\n", BROKEN))
    row = next(
        line
        for line in shop.errors("list", "--json", "--envelopes", "5").lines
        if line["type"] == "envelope" and line["key"] == "b"
    )
    traced = shop.errors("trace", row["id"])
    retried = shop.errors("retry", row["id"], "--json")
    edited = tmp_path / "edited.json"
    edited.write_text('{"number": 1, "product": "tea"}')
    passing = shop.errors("retry", row["id"], "--value", edited)
    written = shop.errors("test", row["id"], "--path", tmp_path / "test_unicorn.py")

    assert (traced.code, traced.err) == (0, "")
    assert "Price: failed" in traced.out
    assert 'takes {"number":1,"product":"unicorn"}' in traced.out
    assert "outcome: errored" in traced.out
    assert retried.code == 1
    assert (retried.lines[0]["passes"], retried.lines[0]["node"]) == (False, "Price")
    assert (passing.code, passing.out) == (0, "written\n")
    assert written.code == 0, written.err
    assert "builtins.KeyError" in (tmp_path / "test_unicorn.py").read_text()


def test_records_go_straight_through_the_flow(shop: Shop) -> None:
    confirm = ("--confirm", shop.place.topics.bootstrap, "--json")
    text = shop.path.read_text()
    once = 'if message.meta.key == b"b":\n            raise KeyError("still")\n        return'
    shop.path.write_text(text.replace("return", once))

    some = shop.errors("redrive", "--all", "--through-flow", *confirm)

    assert some.code == 1
    progress = some.lines[-1]
    assert (progress["written"], progress["failed"]) == (1, 1)
    assert "it fails again: 'still'" in progress["problem"]["message"]
    assert [record.key for record in shop.place.read(shop.place.output)] == [b"c"]
    assert shop.errors("list", "--json").lines[-1]["states"] == {"open": 1, "redriven": 1}

    shop.path.write_text(text)
    rest = shop.errors("redrive", "--all", "--through-flow", *confirm)

    assert (rest.code, rest.lines[-1]["written"]) == (0, 1)
    assert [record.value for record in shop.place.read(shop.place.output)] == [
        b'{"number":2,"product":"unicorn"}',
        b'{"number":1,"product":"unicorn"}',
    ]
    assert len(shop.place.read(shop.place.source)) == 3


COUNTING = """
from loom_runtime import (
    ErrorEnvelope, FromTopic, IntoTopic, LoomFrozenStruct, Message, Process, StatefulStep,
    StreamFlow,
)


class Order(LoomFrozenStruct, frozen=True):
    number: int
    product: str


class Count(LoomFrozenStruct, frozen=True):
    seen: int = 0


class Limit(StatefulStep[Order, Order, Count]):
    def key(self, message: Message[Order]) -> str:
        return message.payload.product

    def initial(self) -> Count:
        return Count()

    def execute(self, state: Count, message: Message[Order]) -> tuple[Count, list[Order]]:
        if state.seen == 2:
            raise ValueError("two are enough")
        return Count(state.seen + 1), [message.payload]


flow = StreamFlow(
    "orders",
    source=FromTopic("SOURCE", Order),
    process=Process(Limit),
    output=IntoTopic("OUTPUT", Order),
    errors=IntoTopic("ERRORS", payload=ErrorEnvelope[Order]),
)
"""


def test_keyed_state_comes_from_the_recovery_store_or_is_said_to_be_missing(
    shop: Shop, tmp_path: Path
) -> None:
    text = COUNTING.replace("SOURCE", shop.place.source).replace("OUTPUT", shop.place.output)
    shop.path.write_text(text.replace("ERRORS", shop.place.errors))
    shop.place.write_orders([(3, "unicorn", "d")])
    store = tmp_path / "store"
    bootstrap = shop.place.topics.bootstrap
    ran = run("run", shop.path, "--broker", bootstrap, "--store", store, "--until-idle", "2")
    assert ran.code == 0, ran.err
    rows = shop.errors("list", "--json", "--envelopes", "9", "--text", "enough").lines
    (envelope,) = (line["id"] for line in rows if line["type"] == "envelope")

    without = shop.errors("test", envelope, "--path", tmp_path / "test_without.py")
    assert without.code == 0
    assert "the record passes" in without.out
    assert "keyed state was not available" in without.err
    assert "--store DIR" in without.err

    found = shop.errors("test", envelope, "--store", store, "--path", tmp_path / "test_with.py")
    assert (found.code, found.err) == (0, "")
    assert "the record fails as it did" in found.out
    assert f"of 1 key, 1 had one at the last epoch of {store}" in found.out
    assert passes(tmp_path / "test_with.py")

    told = shop.errors("retry", envelope, "--store", store, "--json")
    assert told.code == 1
    assert told.lines[1] == {
        "type": "keyed_state",
        "store": str(store),
        "keys": 1,
        "found": 1,
        "problem": None,
    }
    wrong = shop.errors("trace", envelope, "--store", tmp_path)
    assert wrong.code == 1
    assert "it holds no recovery store" in wrong.err


def test_a_step_that_never_returns_is_cut_off(shop: Shop) -> None:
    text = shop.path.read_text()
    shop.path.write_text(
        text.replace("        return", "        while True:\n            pass\n        return")
    )
    group = shop.errors("list", "--json").lines[0]["fingerprint"]

    retried = shop.errors("retry", group, "--json")

    assert retried.code == 1
    assert (retried.lines[0]["passes"], retried.lines[0]["outcome"]) == (False, "cut_off")
    assert "10 s" in retried.lines[0]["problem"]
