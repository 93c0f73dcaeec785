"""Typed Kafka flows on Bytewax: declare, compile, run.

Declarations are imported at once; what runs a flow is imported when it is first named, so that a
module of declarations costs no Kafka client and no Bytewax.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from loom_runtime.configurable import ConfigBinding, Configurable
from loom_runtime.declaration import SourceLocation
from loom_runtime.errors import DomainError, ErrorEnvelope, ErrorKind
from loom_runtime.expressions import msg, payload
from loom_runtime.flow.boundary import (
    FromMultiTypeTopic,
    FromTopic,
    IntoTopic,
    PartitionGuarantee,
    PartitionPolicy,
    PartitionStrategy,
)
from loom_runtime.flow.expansion import ExpandRoutes, Explode, PayloadExpander
from loom_runtime.flow.process import ErrorRoute, Process, StreamFlow
from loom_runtime.flow.routing import (
    Broadcast,
    BroadcastRoute,
    Fork,
    ForkRoute,
    Predicate,
    Route,
    Router,
    Selector,
)
from loom_runtime.flow.scopes import ContextFactory, ResourceScope, With, WithAsync
from loom_runtime.flow.shapes import CollectBatch, Drain, ForEach, StreamShape, WindowStrategy
from loom_runtime.flow.steps import (
    BatchExpandStep,
    BatchStep,
    ExpandStep,
    RecordStep,
    StatefulStep,
    Step,
)
from loom_runtime.message import Message, MessageMeta
from loom_runtime.model import LoomFrozenStruct, LoomStruct

if TYPE_CHECKING:
    from loom_runtime.compiler.compile import compile_flow
    from loom_runtime.compiler.issues import CompilationError, CompilationIssue, IssueCode
    from loom_runtime.compiler.plan import CompiledNode, CompiledPlan
    from loom_runtime.config.context import ConfigContext

_LAZY: Final = {
    "CompilationError": "loom_runtime.compiler.issues",
    "CompilationIssue": "loom_runtime.compiler.issues",
    "CompiledNode": "loom_runtime.compiler.plan",
    "CompiledPlan": "loom_runtime.compiler.plan",
    "ConfigContext": "loom_runtime.config.context",
    "IssueCode": "loom_runtime.compiler.issues",
    "compile_flow": "loom_runtime.compiler.compile",
}


def __getattr__(name: str) -> Any:
    module = _LAZY.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(module), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY})
