"""Plans for tests of drawings: small documents, and the one with every kind of node."""

from loom_runtime.compiler.compile import compile_flow
from loom_runtime.compiler.document import document_of
from loom_runtime.compiler.document_parts import (
    EdgeDocument,
    EdgeKind,
    NodeDocument,
    PlanDocument,
    SinkDocument,
    SourceDocument,
)
from loom_runtime.compiler.plan import NodeKind
from loom_runtime.errors import ErrorKind
from loom_runtime.flow.shapes import StreamShape
from tests.bench.flows import everything

KAFKA = {
    "kafka": {
        "consumer": {"brokers": ["localhost:9092"], "group_id": "drawn"},
        "producer": {"brokers": ["localhost:9092"]},
    }
}


def everything_plan() -> PlanDocument:
    """The plan of the flow with every kind of node."""
    return document_of(compile_flow(everything.flow, config=KAFKA))


def named_plan(name: str) -> PlanDocument:
    """A plan of a source, a router with one branch, a sink and an error topic, all so named."""
    record = StreamShape.RECORD
    step = NodeDocument(
        id=f"step {name}",
        name=name,
        kind=NodeKind.RECORD_STEP,
        input_shape=record,
        output_shape=record,
        path=(0, 0, 0),
        detail=name,
    )
    router = NodeDocument(
        id=f"router {name}",
        name=name,
        kind=NodeKind.ROUTER,
        input_shape=record,
        output_shape=record,
        path=(0,),
        detail=name,
    )
    sink = SinkDocument(
        id=f"sink:{name}", name=name, topic=f"{name}!", payload_type=name, format="json"
    )
    return PlanDocument(
        flow=name,
        source=SourceDocument(
            id=f"source:{name}",
            name=name,
            topics=(name, name),
            payload_types=(name,),
            format="json",
            delivery="at_least_once",
        ),
        nodes=(router, step),
        edges=(
            EdgeDocument(f"source:{name}", router.id),
            EdgeDocument(router.id, step.id, EdgeKind.BRANCH, name),
            EdgeDocument(step.id, sink.id, EdgeKind.WRITE),
            EdgeDocument(step.id, sink.id, EdgeKind.ERROR, "task"),
        ),
        sinks=(sink,),
        output=sink.id,
        error_routes={ErrorKind.TASK: sink.id},
    )
