"""Plans as Mermaid and Graphviz text: complete, and no name can become syntax."""

import re
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loom_bench.graph.dot import dot
from loom_bench.graph.mermaid import mermaid
from loom_runtime.compiler.document_parts import PlanDocument
from tests.bench.plans import everything_plan, named_plan

MERMAID_LINE = re.compile(
    r"flowchart TB"
    r'|    v\d+(?:\[|\{\{|\[\[|\(\[)"(?:<br/>|[\w .,:#;-])*"(?:\]|\}\}|\]\]|\]\))'
    r'|    v\d+ (?:-->|-\.->)(?:\|"[\w .,:#;-]*"\|)? v\d+'
)
QUOTED = r'"(?:[^"\\]|\\.)*"'
DOT_LINE = re.compile(
    rf"digraph {QUOTED} \{{|\}}|    rankdir=TB;|    node \[fontname=\"sans-serif\"\];"
    rf"|    v\d+ \[shape=\w+, label={QUOTED}\];"
    rf"|    v\d+ -> v\d+(?: \[(?:label={QUOTED})?(?:, )?(?:style=dashed)?\])?;"
)


@pytest.mark.parametrize(("language", "arrow"), [(mermaid, "--> v"), (dot, "-> v")])
def test_every_node_and_way_is_there(language: Callable[[PlanDocument], str], arrow: str) -> None:
    document = everything_plan()
    text = language(document)
    for name in ("orders", "Enrich", "CountryTotal", "late-orders", "refused-dead", "undecodable"):
        assert name in text
    plain = [edge for edge in document.edges if edge.kind not in ("error", "late", "dead_letter")]
    labelled = text.count("|") // 2
    assert text.count(arrow) + labelled >= len(plain)


def test_failures_are_one_way_for_each_topic() -> None:
    text = mermaid(everything_plan())
    assert text.count("wire") == 1
    assert text.count("task, business, routing") == 1


@given(st.text(st.characters(exclude_categories=())))
def test_no_name_becomes_mermaid_syntax(name: str) -> None:
    lines = mermaid(named_plan(name)).removesuffix("\n").split("\n")
    assert [line for line in lines if not MERMAID_LINE.fullmatch(line)] == []


@given(st.text(st.characters(exclude_categories=())))
def test_no_name_becomes_graphviz_syntax(name: str) -> None:
    lines = dot(named_plan(name)).removesuffix("\n").split("\n")
    assert [line for line in lines if not DOT_LINE.fullmatch(line)] == []


@pytest.mark.parametrize("name", ['"] --> x', '\\" ]; a -> b', "<script>", "`**bold**`", "&quot;"])
def test_hostile_names_stay_text(name: str) -> None:
    for line in mermaid(named_plan(name)).removesuffix("\n").split("\n"):
        assert MERMAID_LINE.fullmatch(line)
    for line in dot(named_plan(name)).removesuffix("\n").split("\n"):
        assert DOT_LINE.fullmatch(line)
