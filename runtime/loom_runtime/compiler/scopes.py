"""Compiles With and WithAsync: builds their dependencies and what runs inside."""

from __future__ import annotations

from typing import Any

from loom_runtime.compiler.issues import IssueCode
from loom_runtime.compiler.plan import CompiledBranch, CompiledNode, NodeKind
from loom_runtime.compiler.walk import Position, Walk
from loom_runtime.configurable import ConfigBinding
from loom_runtime.flow.scopes import ResourceScope, With, WithAsync
from loom_runtime.flow.shapes import StreamShape

Scope = With[Any, Any] | WithAsync[Any, Any]


def compile_scope(walk: Walk, declared: Scope, at: Position) -> CompiledNode:
    """Compile a scope: the inner process takes what comes in."""
    is_async = isinstance(declared, WithAsync)
    name = walk.names.claim("WithAsync" if is_async else "With")
    if at.place.in_async:
        walk.issues.add(
            IssueCode.UNSAFE_IN_SCOPE,
            "a scope cannot stand inside WithAsync",
            component=name,
            location=at.location,
            hint="give its dependencies to the WithAsync round it",
        )
    if is_async:
        walk.needs_async_bridge = True
        walk.expect(StreamShape.RECORD, name, at)
    resolved = _resolved(walk, declared, name, at)
    if resolved.scope is ResourceScope.BATCH and resolved.contexts:
        walk.issues.add(
            IssueCode.BATCH_SCOPE_NEEDS_FACTORY,
            "a context manager that exists once cannot be opened for every batch: "
            + ", ".join(sorted(resolved.contexts)),
            component=name,
            location=at.location,
            hint="pass ContextFactory(lambda: …) for each",
        )
    provided = {*resolved.contexts, *resolved.factories, *resolved.values}
    place = at.branch(
        0,
        provided=at.place.provided | provided,
        in_scope=True,
        continues=at.continues,
        in_async=at.place.in_async or is_async,
    )
    taken = StreamShape.RECORD if is_async else at.shape
    nodes, gives = walk.process(declared.process, place, taken)
    first = nodes[0].input_shape if nodes else StreamShape.RECORD
    return CompiledNode(
        node=resolved,
        kind=NodeKind.WITH_ASYNC if is_async else NodeKind.WITH,
        name=name,
        input_shape=taken or first,
        output_shape=gives or StreamShape.RECORD,
        path=at.path,
        location=at.location,
        branches=(CompiledBranch(index=0, label="", nodes=nodes),),
    )


def _resolved(walk: Walk, declared: Scope, name: str, at: Position) -> Scope:
    """Return *declared* with every bound dependency built."""
    bound = {
        key: value for key, value in declared.values.items() if isinstance(value, ConfigBinding)
    }
    if not bound:
        return declared
    built = {
        key: value
        for key, binding in bound.items()
        if (value := _dependency(walk, binding, f"{name}, dependency {key}", at)) is not None
    }
    plain = {key: value for key, value in declared.values.items() if key not in bound}
    placeholders = dict.fromkeys(bound.keys() - built.keys())
    dependencies = {**declared.contexts, **declared.factories, **plain, **built, **placeholders}
    try:
        resolved = _with_dependencies(declared, dependencies)
    except TypeError as error:
        walk.issues.add(
            IssueCode.DEPENDENCY_CANNOT_BE_BUILT,
            str(error),
            component=name,
            location=at.location,
        )
        return declared
    resolved.declared_at = declared.declared_at
    return resolved


def _with_dependencies(declared: Scope, dependencies: dict[str, Any]) -> Scope:
    if isinstance(declared, With):
        return With(declared.scope, process=declared.process, **dependencies)
    return WithAsync(
        declared.scope,
        declared.max_concurrency,
        declared.task_timeout_ms,
        process=declared.process,
        **dependencies,
    )


def _dependency(walk: Walk, binding: ConfigBinding, component: str, at: Position) -> Any | None:
    code = IssueCode.DEPENDENCY_CANNOT_BE_BUILT
    construction = walk.binder.construction(binding, code, component, at.location)
    if construction is None:
        return None
    return walk.binder.build(construction, binding, code, component, at.location)
