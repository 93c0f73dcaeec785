"""Compiles steps: what they are, whether they can run where they stand, and how they are built."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from loom_runtime.compiler.bindings import Construction
from loom_runtime.compiler.issues import IssueCode
from loom_runtime.compiler.locations import class_location
from loom_runtime.compiler.plan import CompiledNode, NodeKind
from loom_runtime.compiler.state_types import is_struct, state_type_of
from loom_runtime.compiler.step_signature import ExecuteSignature, execute_signature
from loom_runtime.compiler.walk import Position, Walk
from loom_runtime.configurable import ConfigBinding
from loom_runtime.flow.shapes import StreamShape
from loom_runtime.flow.steps import (
    BatchExpandStep,
    BatchStep,
    ExpandStep,
    RecordStep,
    StatefulStep,
    Step,
)

_RECORD, _BATCH = StreamShape.RECORD, StreamShape.BATCH

_KINDS: tuple[tuple[type, NodeKind, StreamShape, StreamShape], ...] = (
    (StatefulStep, NodeKind.STATEFUL_STEP, _RECORD, _RECORD),
    (BatchExpandStep, NodeKind.BATCH_EXPAND_STEP, _BATCH, _RECORD),
    (BatchStep, NodeKind.BATCH_STEP, _BATCH, _BATCH),
    (ExpandStep, NodeKind.EXPAND_STEP, _RECORD, _RECORD),
    (RecordStep, NodeKind.RECORD_STEP, _RECORD, _RECORD),
)

_ASYNC_KINDS = (NodeKind.RECORD_STEP, NodeKind.EXPAND_STEP)


def step_class(declared: object) -> type[Step[Any, Any]] | None:
    """Return the class behind a class, an instance or a binding; ``None`` when it is no step."""
    if isinstance(declared, ConfigBinding):
        cls: type[Any] = declared.target
    else:
        cls = declared if isinstance(declared, type) else type(declared)
    return cls if issubclass(cls, Step) else None


def compile_step(
    walk: Walk, declared: Any, cls: type[Step[Any, Any]], at: Position
) -> CompiledNode | None:
    """Compile one step of class *cls*."""
    facts = next((each[1:] for each in _KINDS if issubclass(cls, each[0])), None)
    name = walk.names.claim(cls.step_name())
    if facts is None:
        walk.issues.add(
            IssueCode.NOT_A_NODE,
            "Step itself says neither what it takes nor what it gives",
            component=name,
            location=class_location(cls) or at.location,
            hint="derive from RecordStep, BatchStep, ExpandStep, BatchExpandStep or StatefulStep",
        )
        return None
    kind, takes, gives = facts
    if at.place.in_router:
        takes, gives = _RECORD, _RECORD
    walk.expect(takes, name, at)
    _check_place(walk, kind, name, at)
    signature = _check_execute(walk, cls, name, at)
    instance, build = _built(walk, declared, cls, name, at)
    is_stateful = kind is NodeKind.STATEFUL_STEP
    return CompiledNode(
        node=instance,
        kind=kind,
        name=name,
        input_shape=takes,
        output_shape=gives,
        path=at.path,
        location=class_location(cls) or at.location,
        state_id=walk.claim_state_id(name) if is_stateful else None,
        state_type=_state_type(walk, cls, name) if is_stateful else None,
        build=build,
        dependencies=_taken_dependencies(signature, at),
        is_coroutine=signature is not None and signature.is_coroutine,
        settings=_settings(build),
    )


def _check_place(walk: Walk, kind: NodeKind, name: str, at: Position) -> None:
    place = at.place
    if place.in_async and kind not in _ASYNC_KINDS:
        walk.issues.add(
            IssueCode.UNSAFE_IN_SCOPE,
            f"a {kind.value} cannot stand inside WithAsync, which runs records one by one",
            component=name,
            location=at.location,
            hint="move it out of WithAsync",
        )
    elif kind is NodeKind.STATEFUL_STEP and (place.in_router or place.in_scope):
        walk.issues.add(
            IssueCode.UNSAFE_IN_ROUTER if place.in_router else IssueCode.UNSAFE_IN_SCOPE,
            "keyed state is not available inside a "
            + ("Router branch" if place.in_router else "With"),
            component=name,
            location=at.location,
            hint="move it before or after, or split with Fork",
        )


def _check_execute(walk: Walk, cls: type, name: str, at: Position) -> ExecuteSignature | None:
    location = class_location(cls) or at.location
    signature = execute_signature(cls)
    if signature is None:
        walk.issues.add(
            IssueCode.STEP_WITHOUT_EXECUTE,
            "the class has no execute method",
            component=name,
            location=location,
            hint="define execute(self, "
            + ("state, message" if issubclass(cls, StatefulStep) else "message")
            + ", **deps)",
        )
        return None
    if signature.problem is not None:
        walk.issues.add(
            IssueCode.STEP_SIGNATURE, signature.problem, component=name, location=location
        )
    if signature.is_async_generator and not issubclass(cls, ExpandStep):
        walk.issues.add(
            IssueCode.STEP_SIGNATURE,
            "execute is an async generator function, which only an ExpandStep's may be",
            component=name,
            location=location,
            hint="return the value instead of yielding it",
        )
    if (signature.is_coroutine or signature.is_async_generator) and not at.place.in_async:
        walk.issues.add(
            IssueCode.COROUTINE_OUTSIDE_WITH_ASYNC,
            "execute is asynchronous, and nothing awaits it here",
            component=name,
            location=location,
            hint="put the step into WithAsync(process=Process(…))",
        )
    missing = [each for each in signature.required if each not in at.place.provided]
    if missing:
        walk.issues.add(
            IssueCode.MISSING_DEPENDENCY,
            f"execute needs {', '.join(missing)}, and no With or WithAsync round it provides that",
            component=name,
            location=location,
            hint=f"wrap it: With(process=Process(…), {', '.join(f'{each}=…' for each in missing)})",
        )
    return signature


def _taken_dependencies(signature: ExecuteSignature | None, at: Position) -> tuple[str, ...]:
    if signature is None:
        return ()
    if signature.accepts_any:
        return tuple(sorted(at.place.provided))
    named = (*signature.required, *signature.optional)
    return tuple(sorted(at.place.provided.intersection(named)))


def _built(
    walk: Walk, declared: Any, cls: type, name: str, at: Position
) -> tuple[Any, Callable[[], Any] | None]:
    """Return the step built now and what builds it again for a worker."""
    if isinstance(declared, Step):
        return declared, lambda: declared
    code, location = IssueCode.STEP_CANNOT_BE_BUILT, class_location(cls) or at.location
    if inspect.isabstract(cls):
        missing = ", ".join(sorted(getattr(cls, "__abstractmethods__", ())))
        walk.issues.add(
            code,
            f"the class leaves {missing} undefined",
            component=name,
            location=location,
            hint=f"define {missing}",
        )
        return None, None
    construction = walk.binder.construction(declared, code, name, location)
    if construction is None:
        return None, None
    return walk.binder.build(construction, declared, code, name, location), construction


def _settings(build: object) -> dict[str, Any]:
    if not isinstance(build, Construction):
        return {}
    return {**build.configured, **build.given}


def _state_type(walk: Walk, cls: type, name: str) -> Any:
    found = state_type_of(cls)
    if found is None:
        walk.issues.add(
            IssueCode.STATE_TYPE_UNKNOWN,
            "the type of its state is not known",
            component=name,
            location=class_location(cls),
            hint="name it, as in StatefulStep[Order, Total, Totals], or set state_type",
        )
    elif not is_struct(found):
        walk.issues.add(
            IssueCode.STATE_TYPE_NOT_A_STRUCT,
            f"its state is {found!r}, which is no struct",
            component=name,
            location=class_location(cls),
            hint="derive the state from LoomStruct or LoomFrozenStruct",
        )
    return found
