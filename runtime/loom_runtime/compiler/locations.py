"""Where classes and calls stand in the user's source files."""

from __future__ import annotations

import ast
import linecache
import sys
from functools import cached_property, lru_cache
from pathlib import Path
from types import CodeType, FunctionType

from loom_runtime.declaration import SourceLocation

_Definition = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


class _ParsedFile:
    """Syntax of one file, with its classes and functions by qualified name."""

    def __init__(self, tree: ast.Module) -> None:
        self.tree = tree
        self.definitions: dict[str, _Definition] = {}
        _collect_definitions(tree, "", self.definitions)

    @cached_property
    def calls(self) -> dict[int | None, list[ast.Call]]:
        """Its calls, by the line on which the name of what is called ends."""
        found: dict[int | None, list[ast.Call]] = {}
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Call):
                found.setdefault(node.func.end_lineno, []).append(node)
        return found


_sources_read: dict[str, bytes] = {}


def source_was_read(file: str, source: bytes) -> None:
    """Take *source* for what is in *file*, whatever is saved there later: it is what was imported,
    and a file may be saved, or be half written, while its plan is made."""
    _sources_read[file] = source


def class_syntax(cls: type) -> tuple[str, ast.ClassDef] | None:
    """Return the file and the syntax of *cls*, or ``None`` when its source is out of reach."""
    file = getattr(sys.modules.get(cls.__module__), "__file__", None) or _file_of_functions(cls)
    if file is None:
        return None
    parsed = _parsed(file)
    node = None if parsed is None else parsed.definitions.get(cls.__qualname__)
    return (file, node) if isinstance(node, ast.ClassDef) else None


def function_syntax(function: FunctionType) -> _Definition | None:
    """Return the syntax of a function that ``def`` made, or ``None`` when it is out of reach."""
    parsed = _parsed(function.__code__.co_filename)
    return None if parsed is None else parsed.definitions.get(function.__qualname__)


def file_syntax(file: str) -> ast.Module | None:
    """Return the syntax of *file*, or ``None`` when its source is out of reach."""
    parsed = _parsed(file)
    return None if parsed is None else parsed.tree


def class_location(cls: type) -> SourceLocation | None:
    """Return the place of the ``class`` statement of *cls*.

    Falls back to the place of one of its functions, as for classes made by ``exec``.
    """
    found = class_syntax(cls)
    if found is not None:
        return SourceLocation(found[0], found[1].lineno)
    for function in _functions_of(cls):
        return SourceLocation(function.co_filename, function.co_firstlineno)
    return None


def argument_location(
    call: SourceLocation | None, function: str, index: int, count: int
) -> SourceLocation | None:
    """Return the place of one positional argument of a call.

    Args:
        call: Place of the call.
        function: Name that is called, without the module.
        index: Which argument.
        count: How many positional arguments the call has.

    Returns:
        The argument's own line; *call* when the source is out of reach or not so simple.
    """
    if call is None or (parsed := _parsed(call.file)) is None:
        return call
    for node in parsed.calls.get(call.line, ()):
        if (
            _called_name(node.func) == function
            and len(node.args) == count
            and not any(isinstance(argument, ast.Starred) for argument in node.args)
        ):
            return SourceLocation(call.file, node.args[index].lineno)
    return call


def _called_name(node: ast.expr) -> str:
    if isinstance(node, ast.Subscript):
        return _called_name(node.value)
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _parsed(file: str) -> _ParsedFile | None:
    if file in _sources_read:
        return _parse_text(_sources_read[file])
    try:
        status = Path(file).stat()
    except OSError:
        lines = linecache.getlines(file)
        return _parse_text("".join(lines)) if lines else None
    return _parse_file(file, status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=256)
def _parse_file(file: str, _modified_ns: int, _size_bytes: int) -> _ParsedFile | None:
    try:
        return _parse_text(Path(file).read_bytes())
    except OSError:
        return None


@lru_cache(maxsize=64)
def _parse_text(text: str | bytes) -> _ParsedFile | None:
    try:
        return _ParsedFile(ast.parse(text))
    except (SyntaxError, ValueError):
        return None


def _collect_definitions(node: ast.AST, prefix: str, found: dict[str, _Definition]) -> None:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.ClassDef):
            found[prefix + child.name] = child
            _collect_definitions(child, f"{prefix}{child.name}.", found)
        elif isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            found[prefix + child.name] = child
            _collect_definitions(child, f"{prefix}{child.name}.<locals>.", found)
        elif isinstance(child, ast.stmt | ast.ExceptHandler | ast.match_case):
            _collect_definitions(child, prefix, found)


def _functions_of(cls: type) -> list[CodeType]:
    codes = [member.__code__ for member in vars(cls).values() if isinstance(member, FunctionType)]
    return sorted(codes, key=lambda code: code.co_firstlineno)


def _file_of_functions(cls: type) -> str | None:
    for code in _functions_of(cls):
        return code.co_filename
    return None
