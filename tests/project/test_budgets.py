"""No module, class or function grows past its budget, and each module tells its one reason."""

import ast
from collections.abc import Iterator

from tests.project.sources import Module, modules

MODULE_LINES = 400
CLASS_LINES = 250
CLASS_METHODS = 25
FUNCTION_LINES = 60
PARAMETERS = 10
APP_LINES = 300
"""Budget of a module named app.py, where everything would like to live."""

_Function = ast.FunctionDef | ast.AsyncFunctionDef


def test_modules_keep_their_budget() -> None:
    too_long = {
        module.path: length
        for module in modules()
        if (length := len(module.text.splitlines())) > _module_budget(module)
    }
    assert too_long == {}


def test_classes_keep_their_budget() -> None:
    over = []
    for module, node in _nodes():
        if isinstance(node, ast.ClassDef):
            methods = sum(isinstance(child, _Function) for child in node.body)
            if _length(node) > CLASS_LINES or methods > CLASS_METHODS:
                over.append(f"{_place(module, node)}: {_length(node)} lines, {methods} methods")
    assert over == []


def test_functions_keep_their_budget() -> None:
    over = [
        f"{_place(module, node)}: {_length(node)} lines"
        for module, node in _nodes()
        if isinstance(node, _Function) and _length(node) > FUNCTION_LINES
    ]
    assert over == []


def test_functions_take_at_most_ten_parameters() -> None:
    over = [
        f"{_place(module, node)}: {_parameters(node)} parameters"
        for module, node in _nodes()
        if isinstance(node, _Function) and _parameters(node) > PARAMETERS
    ]
    assert over == []


def test_every_module_starts_with_the_reason_it_exists() -> None:
    """A docstring whose first line is a sentence; an empty ``__init__.py`` has nothing to tell."""
    without = []
    for module in modules():
        docstring = ast.get_docstring(module.tree)
        if docstring is None and module.tree.body:
            without.append(f"{module.path}: no docstring")
        elif docstring is not None and not _is_told(docstring):
            without.append(f"{module.path}: {docstring.splitlines()[0]!r}")
    assert without == []


def test_the_budgets_have_something_to_measure() -> None:
    names = {module.path.partition("/")[0] for module in modules()}
    assert names == {"runtime", "workbench", "sample_flows", "benchmarks", "tests"}
    assert len(modules()) > 200


def _nodes() -> Iterator[tuple[Module, ast.AST]]:
    for module in modules():
        for node in ast.walk(module.tree):
            yield module, node


def _module_budget(module: Module) -> int:
    return APP_LINES if module.path.endswith("/app.py") else MODULE_LINES


def _length(node: ast.ClassDef | _Function) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def _parameters(node: _Function) -> int:
    """Parameters that a caller gives: not ``self`` or ``cls``."""
    arguments = node.args
    named = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    named += [each for each in (arguments.vararg, arguments.kwarg) if each is not None]
    return sum(each.arg not in {"self", "cls"} for each in named)


def _place(module: Module, node: ast.ClassDef | _Function) -> str:
    return f"{module.path}:{node.lineno} {node.name}"


def _is_told(docstring: str) -> bool:
    """Whether the first paragraph ends as a sentence does."""
    first = docstring.split("\n\n", maxsplit=1)[0].rstrip()
    return first.endswith((".", "?", ":"))
