"""Typed Kafka flows on Bytewax: declare, compile, run.

Declarations are imported at once. What compiles and runs a flow is imported when it is first
named, so that a module of declarations costs neither Bytewax nor a Kafka client.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from loom_runtime.configurable import ConfigBinding, Configurable
from loom_runtime.declaration import SourceLocation
from loom_runtime.errors import (
    DomainError,
    ErrorEnvelope,
    ErrorKind,
    ErrorMessage,
    ErrorMessageMeta,
)
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
from loom_runtime.flow.process import ErrorRoute, Process, ProcessNode, StreamFlow
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
from loom_runtime.model import LoomFrozenStruct, LoomStruct, StreamPayload

if TYPE_CHECKING:
    from loom_runtime.async_bridge import AsyncBridge, build_backend_options
    from loom_runtime.compiler.compile import compile_flow
    from loom_runtime.compiler.issues import CompilationError, CompilationIssue, IssueCode
    from loom_runtime.compiler.plan import (
        CompiledNode,
        CompiledPlan,
        CompiledSink,
        CompiledSource,
        NodeKind,
    )
    from loom_runtime.config.context import ConfigContext
    from loom_runtime.config.errors import ConfigError
    from loom_runtime.config.kafka import (
        ConsumerSettings,
        KafkaSecuritySettings,
        KafkaSettings,
        ProducerSettings,
        WireFormat,
    )
    from loom_runtime.config.runtime import BytewaxRecoverySettings, BytewaxRuntimeConfig
    from loom_runtime.observability import (
        EventKind,
        LifecycleEvent,
        LifecycleStatus,
        ObservabilityConfig,
        ObservabilityRuntime,
        Scope,
    )
    from loom_runtime.runner import StreamingRunner, shutdown_runner
    from loom_runtime.sinks import ErrorSink, RegisteredSink, RuntimeSinkBinding, SinkRegistry
    from loom_runtime.testing import StreamingTestRunner
    from loom_runtime.trace_ids import generate_trace_id

_LAZY: Final = {
    "AsyncBridge": "loom_runtime.async_bridge",
    "BytewaxRecoverySettings": "loom_runtime.config.runtime",
    "BytewaxRuntimeConfig": "loom_runtime.config.runtime",
    "CompilationError": "loom_runtime.compiler.issues",
    "CompilationIssue": "loom_runtime.compiler.issues",
    "CompiledNode": "loom_runtime.compiler.plan",
    "CompiledPlan": "loom_runtime.compiler.plan",
    "CompiledSink": "loom_runtime.compiler.plan",
    "CompiledSource": "loom_runtime.compiler.plan",
    "ConfigContext": "loom_runtime.config.context",
    "ConfigError": "loom_runtime.config.errors",
    "ConsumerSettings": "loom_runtime.config.kafka",
    "ErrorSink": "loom_runtime.sinks",
    "EventKind": "loom_runtime.observability",
    "IssueCode": "loom_runtime.compiler.issues",
    "KafkaSecuritySettings": "loom_runtime.config.kafka",
    "KafkaSettings": "loom_runtime.config.kafka",
    "LifecycleEvent": "loom_runtime.observability",
    "LifecycleStatus": "loom_runtime.observability",
    "NodeKind": "loom_runtime.compiler.plan",
    "ObservabilityConfig": "loom_runtime.observability",
    "ObservabilityRuntime": "loom_runtime.observability",
    "ProducerSettings": "loom_runtime.config.kafka",
    "RegisteredSink": "loom_runtime.sinks",
    "RuntimeSinkBinding": "loom_runtime.sinks",
    "Scope": "loom_runtime.observability",
    "SinkRegistry": "loom_runtime.sinks",
    "StreamingRunner": "loom_runtime.runner",
    "StreamingTestRunner": "loom_runtime.testing",
    "WireFormat": "loom_runtime.config.kafka",
    "build_backend_options": "loom_runtime.async_bridge",
    "compile_flow": "loom_runtime.compiler.compile",
    "generate_trace_id": "loom_runtime.trace_ids",
    "shutdown_runner": "loom_runtime.runner",
}

__all__ = [
    "AsyncBridge",
    "BatchExpandStep",
    "BatchStep",
    "Broadcast",
    "BroadcastRoute",
    "BytewaxRecoverySettings",
    "BytewaxRuntimeConfig",
    "CollectBatch",
    "CompilationError",
    "CompilationIssue",
    "CompiledNode",
    "CompiledPlan",
    "CompiledSink",
    "CompiledSource",
    "ConfigBinding",
    "ConfigContext",
    "ConfigError",
    "Configurable",
    "ConsumerSettings",
    "ContextFactory",
    "DomainError",
    "Drain",
    "ErrorEnvelope",
    "ErrorKind",
    "ErrorMessage",
    "ErrorMessageMeta",
    "ErrorRoute",
    "ErrorSink",
    "EventKind",
    "ExpandRoutes",
    "ExpandStep",
    "Explode",
    "ForEach",
    "Fork",
    "ForkRoute",
    "FromMultiTypeTopic",
    "FromTopic",
    "IntoTopic",
    "IssueCode",
    "KafkaSecuritySettings",
    "KafkaSettings",
    "LifecycleEvent",
    "LifecycleStatus",
    "LoomFrozenStruct",
    "LoomStruct",
    "Message",
    "MessageMeta",
    "NodeKind",
    "ObservabilityConfig",
    "ObservabilityRuntime",
    "PartitionGuarantee",
    "PartitionPolicy",
    "PartitionStrategy",
    "PayloadExpander",
    "Predicate",
    "Process",
    "ProcessNode",
    "ProducerSettings",
    "RecordStep",
    "RegisteredSink",
    "ResourceScope",
    "Route",
    "Router",
    "RuntimeSinkBinding",
    "Scope",
    "Selector",
    "SinkRegistry",
    "SourceLocation",
    "StatefulStep",
    "Step",
    "StreamFlow",
    "StreamPayload",
    "StreamShape",
    "StreamingRunner",
    "StreamingTestRunner",
    "WindowStrategy",
    "WireFormat",
    "With",
    "WithAsync",
    "build_backend_options",
    "compile_flow",
    "generate_trace_id",
    "msg",
    "payload",
    "shutdown_runner",
]


def __getattr__(name: str) -> Any:
    module = _LAZY.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(module), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY})
