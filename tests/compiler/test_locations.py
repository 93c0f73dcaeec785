"""Where issues and nodes point to: the file and line that the author has to look at."""

from __future__ import annotations

import linecache
import runpy
from pathlib import Path
from typing import Any

import pytest

from loom_runtime import CompilationError, CompilationIssue, StreamFlow, compile_flow
from loom_runtime.compiler.document import document_of
from loom_runtime.compiler.locations import class_location
from tests.compiler.samples import config_of, issues_of

FLOW = '''\
from loom_runtime import Drain, ForEach, FromTopic, IntoTopic, LoomFrozenStruct, Process
from loom_runtime import RecordStep, Router, StreamFlow, payload

class Order(LoomFrozenStruct, frozen=True):
    id: str

class Outer:
    class Keep(RecordStep[Order, Order]):
        """A step inside a class."""

        def execute(self, message): return message.payload

def make():
    class Local(RecordStep[Order, Order]):
        def execute(self, message): return message.payload
    return Local

flow = StreamFlow(
    "located",
    FromTopic("in", payload=Order),
    Process(
        Outer.Keep,
        make(),
        ForEach(),
        Router.by(
            payload.id,
            {"a": Process(Drain(), Outer.Keep)},
        ),
        Outer.Keep,
    ),
    IntoTopic("out"),
)
'''


def line_of(text: str, nth: int = 1) -> int:
    """Return the line of FLOW that holds *text* for the *nth* time."""
    lines = [number for number, line in enumerate(FLOW.splitlines(), 1) if text in line]
    return lines[nth - 1]


def load(file: Path, text: str = FLOW) -> StreamFlow[Any, Any]:
    file.write_text(text)
    flow: StreamFlow[Any, Any] = runpy.run_path(str(file))["flow"]
    return flow


def place(issue: CompilationIssue) -> tuple[str | None, int | None]:
    return issue.file, issue.line


def test_issues_point_to_the_line_of_the_node_in_its_process(tmp_path: Path) -> None:
    file = tmp_path / "flow.py"
    mismatch, after = issues_of(load(file))
    assert place(mismatch) == (str(file), line_of("ForEach()"))
    assert place(after) == (str(file), line_of('{"a"'))


def test_steps_point_to_their_class_and_other_nodes_to_their_call(tmp_path: Path) -> None:
    file = tmp_path / "flow.py"
    flow = load(file, FLOW.replace("        ForEach(),\n", "").replace("Drain(), ", ""))
    plan = compile_flow(flow, config=config_of())
    places = {node.name: node.location for node in plan.nodes}
    assert [(place.file, place.line) for place in places.values() if place] == [
        (str(file), line_of("class Keep")),
        (str(file), line_of("class Local")),
        (str(file), line_of("Router.by") - 1),
        (str(file), line_of("class Keep")),
        (str(file), line_of("class Keep")),
    ]


def test_the_error_lists_every_issue_with_its_place_and_what_to_do(tmp_path: Path) -> None:
    file = tmp_path / "flow.py"
    with pytest.raises(CompilationError) as raised:
        compile_flow(load(file), config=config_of())
    text = str(raised.value)
    assert text.startswith("flow 'located' cannot run: 2 issues\n")
    assert f"{file}:{line_of('ForEach()')}: ForEach: it takes batches, and records come in" in text
    assert "[shape_mismatch]\n    → put CollectBatch(…) before it" in text
    assert f"{file}:{line_of('class Keep')}" not in text


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    file = tmp_path / "flow.py"
    (first, _) = issues_of(load(file))
    (second, _) = issues_of(load(file, "\n\n" + FLOW))
    assert (second.line or 0) - (first.line or 0) == 2


def test_code_without_a_file_still_compiles() -> None:
    names: dict[str, Any] = {"__name__": "nowhere"}
    exec(compile(FLOW, "<typed in>", "exec"), names)
    issues = issues_of(names["flow"])
    assert {issue.file for issue in issues} == {"<typed in>"}
    location = class_location(names["Outer"].Keep)
    assert location is not None
    assert (location.file, location.line) == ("<typed in>", line_of("def execute"))


def test_code_that_only_linecache_knows_has_its_lines() -> None:
    name = "<cell 1>"
    linecache.cache[name] = (len(FLOW), None, FLOW.splitlines(keepends=True), name)
    try:
        names: dict[str, Any] = {"__name__": "cells"}
        exec(compile(FLOW, name, "exec"), names)
        mismatch, _ = issues_of(names["flow"])
        assert place(mismatch) == (name, line_of("ForEach()"))
        location = class_location(names["Outer"].Keep)
        assert location is not None
        assert location.line == line_of("class Keep")
    finally:
        del linecache.cache[name]


def test_a_file_that_is_gone_or_broken_costs_precision_only(tmp_path: Path) -> None:
    file = tmp_path / "flow.py"
    flow = load(file)
    for spoil in (lambda: file.write_text("def"), file.unlink):
        spoil()
        issues = issues_of(flow)
        assert [issue.file for issue in issues] == [str(file)] * 2


def test_a_body_changes_the_source_hash_and_comments_do_not(tmp_path: Path) -> None:
    good = FLOW.replace("        ForEach(),\n", "").replace("Drain(), ", "")

    def hashes(text: str) -> dict[str, str]:
        plan = compile_flow(load(tmp_path / "flow.py", text), config=config_of())
        return {node.name: node.source_hash for node in document_of(plan).nodes}

    before = hashes(good)
    commented = hashes(good.replace("def execute", "# why\n        def execute"))
    changed = hashes(good.replace("return message.payload\n\n", "return None\n\n"))
    assert commented == before
    assert {name for name in before if changed[name] != before[name]} == {
        "Outer.Keep",
        "Outer.Keep#2",
        "Outer.Keep#3",
    }
