"""``loom-bench graph``: the plan as text, Mermaid, Graphviz and JSON."""

from pathlib import Path

import msgspec
import pytest

from loom_runtime.compiler.document_parts import PlanDocument
from tests.bench.modules import write_flow, write_module
from tests.cli.commands import run


def test_boxes_and_lines(tmp_path: Path) -> None:
    done = run("graph", write_flow(tmp_path))
    assert done.code == 0
    assert done.out == (
        "┌─────────────────┐\n"
        "│ orders          │\n"
        "│ source of Order │\n"
        "└────────┬────────┘\n"
        "         │\n"
        "     ┌───┴──┐\n"
        "     │ Copy │\n"
        "     └───┬──┘\n"
        "         │\n"
        "    ┌────┴───┐\n"
        "    │ copies │\n"
        "    └────────┘\n"
    )


@pytest.mark.parametrize(
    ("language", "start", "way"),
    [("mermaid", "flowchart TB\n", "v0 --> v1"), ("dot", 'digraph "orders" {\n', "v0 -> v1;")],
)
def test_graph_languages(tmp_path: Path, language: str, start: str, way: str) -> None:
    done = run("graph", write_flow(tmp_path), "--format", language)
    assert done.code == 0
    assert done.out.startswith(start)
    assert way in done.out


def test_json_is_the_plan_itself(tmp_path: Path) -> None:
    done = run("graph", write_flow(tmp_path), "--format", "json")
    plan = msgspec.json.decode(done.out, type=PlanDocument)
    assert (plan.flow, [node.name for node in plan.nodes]) == ("orders", ["Copy"])


def test_the_width_can_be_chosen() -> None:
    flow = Path(__file__).parent.parent / "bench" / "flows" / "everything.py"
    wide = run("graph", flow, "--width", "200")
    narrow = run("graph", flow, "--width", "70")
    assert max(map(len, wide.out.splitlines())) > 100
    assert max(map(len, narrow.out.splitlines())) <= 70


def test_a_flow_that_does_not_compile_has_no_picture(tmp_path: Path) -> None:
    done = run("graph", write_module(tmp_path, "orders.py", "1 / 0"))
    assert (done.code, done.out) == (1, "")
    assert "orders.py:1: import_failed" in done.err
