"""``loom-bench snapshots``: a store is read, forked and replayed from the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from loom_bench.broker.embedded import EmbeddedBroker
from tests.cli.commands import run
from tests.cli.foreign_store import foreign_store
from tests.snapshots.grounds import ran, whole_epochs

pytestmark = pytest.mark.timeout(200)


def test_a_store_is_listed_forked_and_replayed(tmp_path: Path, broker: EmbeddedBroker) -> None:
    ground = ran(tmp_path, broker, "commanded", orders=120)
    first, last = whole_epochs(ground.store)[0], whole_epochs(ground.store)[-1]
    place = (ground.target, "--store", ground.store, "--json")
    listed = run("snapshots", "list", *place).lines
    assert [each["flow"] for each in listed if each["type"] == "timeline"] == ["commanded"]

    state = run("snapshots", "state", *place, "--epoch", str(last.number), "--search", "a3*").lines
    assert [row["key"] for row in state[0]["rows"]] == ["a3"]
    shown = run("snapshots", "show", *place, "Number", "a3").lines[0]
    assert shown["rows"][-1]["text"] == state[0]["rows"][0]["text"]

    [made] = run("snapshots", "fork", *place, "--epoch", str(first.number), "--name", "mine").lines
    assert (made["name"], made["epoch"], made["parent"]) == ("mine", first.number, "")
    checked = run("snapshots", "check", *place, "mine", "--broker", broker.bootstrap)
    assert (checked.code, checked.lines[0]["fit"]) == (0, "fits"), checked
    stop = ("--breakpoint", "Number", "--when", "payload.id > 100", "--record-by-record")
    replayed = run("snapshots", "replay", *place, "mine", *stop, "--broker", broker.bootstrap)
    assert replayed.lines[0]["stopped_by"].startswith("the breakpoint before Number"), replayed
    refused = run("snapshots", "replay", *place, "mine", "--until-offset", "commanded=x")
    assert (refused.code, "TOPIC:PARTITION=OFFSET" in refused.err) == (2, True)
    assert run("snapshots", "fork", *place, "--remove", "mine").code == 0
    assert not (ground.store / "forks" / "mine").exists()


def test_what_another_program_pickled_is_decoded_in_a_host_and_only_when_asked(
    tmp_path: Path,
) -> None:
    theirs, db_dir, marker = foreign_store(tmp_path)
    command = ("snapshots", "show", theirs, "--store", db_dir, "--json", "count", "basket")
    [told] = run(*command).lines
    assert [row["readable"] for row in told["rows"]] == [False, False]
    assert not marker.exists()
    [told] = run(*command, "--decode-in-host").lines
    assert told["rows"][0]["text"] == "Basket(3 apples)"
    assert "No module named 'nowhere'" in told["rows"][1]["text"]
    assert marker.exists()
