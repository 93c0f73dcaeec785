"""Small flows and what the compiler says about them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from loom_runtime import (
    CompilationError,
    CompilationIssue,
    CompiledPlan,
    ConfigContext,
    FromTopic,
    IntoTopic,
    IssueCode,
    Process,
    ProcessNode,
    StreamFlow,
    compile_flow,
)
from tests.compiler.typed_flow import Priced

KAFKA: dict[str, Any] = {
    "consumer": {"brokers": ["localhost:9092"], "group_id": "tests"},
    "producer": {"brokers": ["localhost:9092"]},
}

OUT: IntoTopic[Priced] = IntoTopic("out", payload=Priced)


def flow_of(*nodes: ProcessNode, output: IntoTopic[Any] | None = OUT) -> StreamFlow[Any, Any]:
    """Return a flow of *nodes* from topic ``in`` to *output*."""
    return StreamFlow("sample", FromTopic("in", payload=Priced), Process(*nodes), output)


def config_of(kafka: Mapping[str, Any] = KAFKA, **sections: Any) -> dict[str, Any]:
    """Return a configuration with a ``kafka`` section that works."""
    return {"kafka": kafka, **sections}


def plan_of(*nodes: ProcessNode, output: IntoTopic[Any] | None = OUT) -> CompiledPlan:
    """Compile a flow of *nodes*."""
    return compile_flow(flow_of(*nodes, output=output), config=config_of())


def issues_of(
    flow: StreamFlow[Any, Any], config: ConfigContext | Mapping[str, Any] | None = None
) -> tuple[CompilationIssue, ...]:
    """Return what the compiler refuses in *flow*; nothing when it compiles."""
    try:
        compile_flow(flow, config=config_of() if config is None else config)
    except CompilationError as error:
        return error.issues
    return ()


def refused(*nodes: ProcessNode, output: IntoTopic[Any] | None = OUT) -> list[IssueCode]:
    """Return the codes that the compiler refuses a flow of *nodes* with."""
    return [issue.code for issue in issues_of(flow_of(*nodes, output=output))]
