"""Imports a flow's module and finds the flow in it; what goes wrong becomes a diagnosis."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from loom_bench.host.import_failures import import_failure
from loom_bench.host.source_finder import SourceLoader, import_from_source
from loom_bench.protocol.diagnosis import Diagnosis
from loom_bench.user_files import is_installed, is_user_file, source_line
from loom_runtime.compiler.node_hashes import definitions_hash
from loom_runtime.flow.boundary import FromMultiTypeTopic
from loom_runtime.flow.process import StreamFlow

FEED_NAME = "bench_feed"

Flow = StreamFlow[Any, Any]


class LoadError(Exception):
    """A module or its flow cannot be used.

    Attributes:
        diagnosis: What is wrong.
    """

    def __init__(self, diagnosis: Diagnosis) -> None:
        super().__init__(diagnosis.message)
        self.diagnosis = diagnosis


class Target(NamedTuple):
    """What the user named.

    Attributes:
        path: The module's file.
        attribute: The flow's name in it; ``None`` when it was not said.
    """

    path: Path
    attribute: str | None


def parse_target(text: str) -> Target:
    """Split ``path.py`` or ``path.py:attribute``.

    Raises:
        LoadError: When there is no such Python file.
    """
    path, attribute = Path(text), None
    if not path.exists() and ":" in path.name:
        head, _, attribute = text.rpartition(":")
        path = Path(head)
    if not path.exists():
        raise LoadError(_file_diagnosis("file_not_found", "no such file", path, "Check the path."))
    if path.suffix != ".py" or not path.is_file():
        raise LoadError(
            _file_diagnosis("not_a_module", "is no Python file", path, "Name a .py file.")
        )
    return Target(path.resolve(), attribute)


def import_module(path: Path) -> ModuleType:
    """Import the module at the absolute *path*, once per process.

    A module in a package keeps its dotted name; one that stands alone has its file's stem as
    name, and its folder is first on ``sys.path``. Recovery stores pickle these names, so they
    must not depend on where the bench was started.

    Raises:
        LoadError: When it cannot be imported.
    """
    root, name = _module_name(path)
    _refuse_taken_name(path, name)
    import_from_source(root)
    sys.argv = [str(path)]
    try:
        return importlib.import_module(name) if "." in name else _import_alone(path, name)
    except BaseException as error:
        raise LoadError(import_failure(error, path)) from error


def find_flow(module: ModuleType, path: Path, attribute: str | None) -> Flow:
    """Return the flow that a run is about: the named one, the only one, or the one named
    ``flow``.

    Raises:
        LoadError: When there is no such flow, or more than one and none named ``flow``.
    """
    if attribute is not None:
        return _named_flow(module, path, attribute)
    flows = find_flows(module, path)
    if len(flows) == 1:
        return next(iter(flows.values()))
    if "flow" in flows:
        return flows["flow"]
    if not flows:
        raise LoadError(_no_flow(module, path))
    lines = [
        place.line
        for flow in flows.values()
        if (place := flow.declared_at) is not None and place.file == str(path)
    ]
    names = ", ".join(flows)
    raise LoadError(
        _file_diagnosis(
            "several_flows",
            f"defines {len(flows)} flows: {names}",
            path,
            f"Say which: {path.name}:{next(iter(flows))}, or name one of them `flow`.",
            line=max(lines, default=None),
        )
    )


def find_flows(module: ModuleType, path: Path) -> dict[str, Flow]:
    """Return every flow of *module* by its first name: those declared in its file, or, when there
    are none, those it imports."""
    flows: dict[str, Flow] = {}
    for name, value in vars(module).items():
        if isinstance(value, StreamFlow) and not any(value is known for known in flows.values()):
            flows[name] = value
    own = {
        name: flow
        for name, flow in flows.items()
        if flow.declared_at is not None and Path(flow.declared_at.file) == path
    }
    return own or flows


def local_files(path: Path) -> tuple[str, ...]:
    """Return the user's source files that are imported by now, *path* first."""
    return (str(path), *sorted(set(imported_files()) - {str(path)}))


def feed_hash(module: ModuleType, flow: Flow) -> str:
    """Return a hash of the code of a module's feed and of what it feeds; empty without a feed."""
    feed, source = getattr(module, FEED_NAME, None), flow.source
    if not callable(feed):
        return ""
    types = source.payloads if isinstance(source, FromMultiTypeTopic) else (source.payload,)
    return definitions_hash((feed, *types))


def imported_files() -> tuple[str, ...]:
    """Return the user's source files that are imported by now."""
    files = {
        file
        for module in list(sys.modules.values())
        if isinstance(file := getattr(module, "__file__", None), str) and is_user_file(file)
    }
    return tuple(sorted(files))


def _import_alone(path: Path, name: str) -> ModuleType:
    spec = ModuleSpec(name, loader := SourceLoader(name, str(path)), origin=str(path))
    spec.has_location = True
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        loader.exec_module(module)
    except BaseException:
        sys.modules.pop(name, None)
        raise
    return module


def _module_name(path: Path) -> tuple[Path, str]:
    """Return the folder that goes on ``sys.path`` and the module's name."""
    parts: list[str] = [] if path.stem == "__init__" else [path.stem]
    folder = path.parent
    while (folder / "__init__.py").is_file() and not is_installed(folder.parent):
        parts.insert(0, folder.name)
        folder = folder.parent
    return folder, ".".join(parts)


def _refuse_taken_name(path: Path, name: str) -> None:
    top = name.partition(".")[0]
    known = sys.modules.get(name)
    same = known is not None and getattr(known, "__file__", None) == str(path)
    if same or (known is None and top not in sys.stdlib_module_names and "." not in path.stem):
        return
    if "." in path.stem:
        message = f"a module's name cannot have a dot, and {path.name!r} would give it one"
    else:
        owner = "Python's own" if top in sys.stdlib_module_names else "an installed"
        message = f"its name would hide {owner} module {name!r}"
    raise LoadError(_file_diagnosis("module_name_taken", message, path, "Rename the file."))


def _named_flow(module: ModuleType, path: Path, attribute: str) -> Flow:
    value = getattr(module, attribute, None)
    if isinstance(value, StreamFlow):
        return value
    flows = list(find_flows(module, path))
    if value is None:
        raise LoadError(
            _file_diagnosis(
                "no_flow",
                f"has no {attribute!r}",
                path,
                f"It defines: {', '.join(flows)}." if flows else _DEFINE_ONE,
            )
        )
    raise LoadError(_not_a_flow(path, attribute, value, flows))


_DEFINE_ONE = "Define one: flow = StreamFlow(…)."


def _no_flow(module: ModuleType, path: Path) -> Diagnosis:
    candidate = getattr(module, "flow", None)
    if candidate is not None:
        return _not_a_flow(path, "flow", candidate, [])
    for name, value in vars(module).items():
        if type(value).__name__ == "StreamFlow":
            return _not_a_flow(path, name, value, [])
    return _file_diagnosis("no_flow", "defines no StreamFlow", path, _DEFINE_ONE)


def _not_a_flow(path: Path, name: str, value: object, flows: Sequence[str]) -> Diagnosis:
    kind = type(value)
    if kind.__name__ == "StreamFlow":
        hint = f"Import StreamFlow from loom_runtime instead of {kind.__module__}."
    elif callable(value):
        hint = f"Call it where the module can be seen to: {name} = {name}(…)."
    else:
        hint = f"It defines: {', '.join(flows)}." if flows else _DEFINE_ONE
    return _file_diagnosis(
        "not_a_flow",
        f"{name!r} is a {kind.__module__}.{kind.__qualname__}, not a StreamFlow of loom_runtime",
        path,
        hint,
        line=_assignment_line(path, name),
    )


def _assignment_line(path: Path, name: str) -> int | None:
    """Return the line of the last statement of the module that gives *name* its value."""
    import ast  # noqa: PLC0415 - needed for one message

    found = None
    for statement in ast.parse(path.read_bytes()).body:
        targets: list[Any] = []
        if isinstance(statement, ast.Assign):
            targets = statement.targets
        elif isinstance(statement, ast.AnnAssign):
            targets = [statement.target]
        elif isinstance(statement, ast.FunctionDef | ast.ClassDef) and statement.name == name:
            found = statement.lineno
        if any(isinstance(each, ast.Name) and each.id == name for each in targets):
            found = statement.lineno
    return found


def _file_diagnosis(
    code: str, message: str, path: Path, hint: str, *, line: int | None = None
) -> Diagnosis:
    return Diagnosis(
        code=code,
        message=message,
        component=path.name,
        file=str(path),
        line=line,
        source=None if line is None else source_line(str(path), line),
        hint=hint,
    )
