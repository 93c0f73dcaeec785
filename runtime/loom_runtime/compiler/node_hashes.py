"""Hashes that tell whether a node's code or arguments changed."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterable, Iterator
from types import CodeType, FunctionType
from typing import Any

import msgspec

from loom_runtime.compiler.locations import class_syntax, file_syntax, function_syntax
from loom_runtime.compiler.plan import CompiledNode, NodeKind
from loom_runtime.expressions import ExpressionNode

_OWN_PACKAGE = "loom_runtime"
_HASH_CHARACTERS = 16


def source_hash(node: CompiledNode) -> str:
    """Return a hash of the user-written classes that run in *node*; empty when there are none.

    Base classes count, except this package's own.
    """
    parts = [_class_text(cls) for each in _classes(node) for cls in _user_bases(each)]
    return _digest("\n".join(parts).encode()) if parts else ""


def code_hash(files: Iterable[str]) -> str:
    """Return a hash of everything in *files*; comments and layout don't count."""
    trees = [(file, file_syntax(file)) for file in sorted(set(files))]
    return _digest("\n".join(ast.dump(tree) for _, tree in trees if tree is not None).encode())


def definitions_hash(definitions: Iterable[object]) -> str:
    """Return a hash of the code of classes and functions; comments and layout don't count.

    What was made without ``class`` or ``def`` counts by its name.
    """
    return _digest("\n".join(map(_definition_text, definitions)).encode())


def settings_hash(node: CompiledNode) -> str:
    """Return a hash of the constructor arguments that *node* is bound to; empty when none.

    An argument that is no plain data counts by its type.
    """
    if not node.settings:
        return ""
    return _digest(
        msgspec.json.encode(
            dict(node.settings), enc_hook=lambda value: type(value).__qualname__, order="sorted"
        )
    )


def _classes(node: CompiledNode) -> Iterator[type]:
    """Yield the classes whose code decides what *node* does."""
    declared: Any = node.node
    if node.kind in (NodeKind.ROUTER, NodeKind.FORK):
        conditions = [branch.when for branch in node.branches if branch.when is not None]
        for each in (declared.selector, *conditions):
            if each is not None and not isinstance(each, ExpressionNode):
                yield type(each)
    elif node.kind in (NodeKind.EXPLODE, NodeKind.EXPAND_ROUTES):
        yield declared.expander
    elif node.kind is NodeKind.INTO_TOPIC:
        if node.sink is not None and node.sink.partition_policy is not None:
            yield type(node.sink.partition_policy.strategy)
    elif node.build is not None:
        yield type(declared)


def _user_bases(cls: type) -> Iterator[type]:
    for base in cls.__mro__:
        root = base.__module__.partition(".")[0]
        if root not in (_OWN_PACKAGE, "builtins", "typing", "abc"):
            yield base


def _definition_text(definition: object) -> str:
    if isinstance(definition, type):
        return _class_text(definition)
    found = function_syntax(definition) if isinstance(definition, FunctionType) else None
    if found is not None:
        return ast.dump(found)
    return str(getattr(definition, "__qualname__", type(definition).__qualname__))


def _class_text(cls: type) -> str:
    found = class_syntax(cls)
    if found is not None:
        return ast.dump(found[1])
    return f"{cls.__qualname__}:" + ";".join(
        f"{name}={_code_text(member.__code__)}"
        for name, member in sorted(vars(cls).items())
        if isinstance(member, FunctionType)
    )


def _code_text(code: CodeType) -> str:
    """Return what a function does, without where it stands."""
    constants = [
        _code_text(each) if isinstance(each, CodeType) else repr(each) for each in code.co_consts
    ]
    return f"{code.co_code.hex()} {constants} {code.co_names} {code.co_varnames}"


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:_HASH_CHARACTERS]
