"""Builds what a flow only names: classes, and classes bound to configuration."""

from __future__ import annotations

import copy
import inspect
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec
import msgspec.inspect

from loom_runtime.compiler.issues import IssueCode, IssueCollector
from loom_runtime.config.context import ConfigContext
from loom_runtime.config.decoding import DecodeError, decode
from loom_runtime.config.errors import ConfigError
from loom_runtime.configurable import ConfigBinding
from loom_runtime.declaration import SourceLocation


@dataclass(frozen=True)
class Construction:
    """How an object is built; call it for a fresh one.

    Attributes:
        target: Its class.
        configured: Constructor arguments from configuration.
        given: Constructor arguments from the flow; they win.
    """

    target: Callable[..., Any]
    configured: Mapping[str, Any] = field(default_factory=dict)
    given: Mapping[str, Any] = field(default_factory=dict)

    def __call__(self) -> Any:
        """Return a fresh object, with its own copy of what came from configuration."""
        return self.target(**{**copy.deepcopy(dict(self.configured)), **self.given})


class Binder:
    """Turns bindings into objects; what fails becomes an issue.

    Args:
        config: Where sections come from.
        issues: Where problems go.
    """

    def __init__(self, config: ConfigContext, issues: IssueCollector) -> None:
        self._config = config
        self._issues = issues

    def construction(
        self,
        declared: type | ConfigBinding,
        code: IssueCode,
        component: str,
        location: SourceLocation | None,
    ) -> Construction | None:
        """Return how a class or binding is built; ``None`` when that was reported as impossible.

        Args:
            declared: A class or a :class:`ConfigBinding`.
            code: Issue code of a failure.
            component: What the object is for.
            location: Where that is declared.
        """
        reporter = _Reporter(self._issues, code, component, location)
        if not isinstance(declared, ConfigBinding):
            return Construction(declared)
        section = self._section(declared, reporter)
        if section is None:
            return None
        configured = {key: value for key, value in section.items() if key not in declared.overrides}
        if not self._fits(declared, configured, reporter):
            return None
        return Construction(declared.target, configured, declared.overrides)

    def build(
        self,
        construction: Construction,
        declared: object,
        code: IssueCode,
        component: str,
        location: SourceLocation | None,
    ) -> Any | None:
        """Build one object; ``None`` when that failed and was reported."""
        try:
            return construction()
        except Exception as error:  # noqa: BLE001 - the user's constructor may raise anything
            path = declared.config_path if isinstance(declared, ConfigBinding) else ""
            missing = not path and isinstance(error, TypeError)
            self._issues.add(
                code,
                f"building it raised {type(error).__name__}: {error}",
                component=component,
                location=location,
                field=path or None,
                hint="bind its arguments with .configure(…) or .from_config('section')"
                if missing
                else "correct the arguments or the constructor",
            )
            return None

    def _fits(
        self, binding: ConfigBinding, configured: dict[str, Any], reporter: _Reporter
    ) -> bool:
        """Check arguments against the constructor; convert *configured* to its annotations."""
        parameters = _parameters(binding.target)
        if parameters is None:
            return True
        path = binding.config_path
        open_ended = any(each.kind is each.VAR_KEYWORD for each in parameters.values())
        named = {
            name: each
            for name, each in parameters.items()
            if each.kind in (each.POSITIONAL_OR_KEYWORD, each.KEYWORD_ONLY)
        }
        known = f"known arguments: {', '.join(named) or 'none'}"
        fine = True
        for key in () if open_ended else configured:
            if key not in named:
                reporter(f"unknown config key {key!r}", f"{path}.{key}", known)
                fine = False
        for key in () if open_ended else binding.overrides:
            if key not in named:
                reporter(f"unknown override {key!r}", None, known)
                fine = False
        for name, each in named.items():
            if each.default is each.empty and name not in {*configured, *binding.overrides}:
                hint = f"set {path}.{name}" if path else f"pass {name}=… to .configure"
                reporter(f"argument {name!r} is missing", f"{path}.{name}" if path else None, hint)
                fine = False
        hints = _hints(binding.target)
        for key in configured:
            if key in named and key in hints:
                fine &= _convert_in_place(configured, key, hints[key], f"{path}.{key}", reporter)
        return fine

    def _section(self, binding: ConfigBinding, reporter: _Reporter) -> dict[str, Any] | None:
        path = binding.config_path
        if not path:
            return {}
        try:
            raw = self._config.raw(path)
        except ConfigError as error:
            reporter(error.problem, error.field or path, error.advice)
            return None
        if raw is None:
            return {}
        if not isinstance(raw, Mapping):
            reporter(f"section {path!r} must be a mapping, not {type(raw).__name__}", path, None)
            return None
        return {str(key): value for key, value in raw.items()}


class _Reporter:
    """Notes issues about one thing."""

    def __init__(
        self,
        issues: IssueCollector,
        code: IssueCode,
        component: str,
        location: SourceLocation | None,
    ) -> None:
        self._issues = issues
        self._code = code
        self._component = component
        self._location = location

    def __call__(self, message: str, field: str | None, hint: str | None) -> None:
        """Note one."""
        self._issues.add(
            self._code,
            message,
            component=self._component,
            location=self._location,
            field=field,
            hint=hint,
        )


def _convert_in_place(
    given: dict[str, Any], key: str, hint: Any, field: str, reporter: _Reporter
) -> bool:
    if not _is_data(hint):
        # The annotation means nothing to msgspec; the constructor judges the value.
        return True
    try:
        given[key] = decode(given[key], hint)
    except DecodeError as error:
        inner = "".join(f"[{each}]" if isinstance(each, int) else f".{each}" for each in error.keys)
        reporter(error.problem, f"{field}{inner}", error.advice)
        return False
    return True


def _is_data(hint: Any) -> bool:
    try:
        info = msgspec.inspect.type_info(hint)
    except (TypeError, NameError):
        return False
    parts = info.types if isinstance(info, msgspec.inspect.UnionType) else (info,)
    return not any(isinstance(part, msgspec.inspect.CustomType) for part in parts)


def _parameters(target: type) -> Mapping[str, inspect.Parameter] | None:
    try:
        return inspect.signature(target).parameters
    except (TypeError, ValueError):
        return None


def _hints(target: type) -> dict[str, Any]:
    owner: Any = target if issubclass(target, msgspec.Struct) else target.__init__
    try:
        return typing.get_type_hints(owner)
    except (NameError, TypeError, AttributeError):
        return {}
