"""Sinks that are no Kafka topics: what they look like and how configuration chooses them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol, cast, runtime_checkable

import msgspec

from loom_runtime.config.errors import ConfigError
from loom_runtime.errors import ErrorKind
from loom_runtime.model import LoomFrozenStruct

if TYPE_CHECKING:
    from loom_runtime.config.context import ConfigContext

SECTION = "streaming.sinks"
"""Section whose keys name the sinks of a flow."""


@runtime_checkable
class ErrorSink(Protocol):
    """Takes the error envelopes of a run."""

    def build(self, step_id: str, worker_index: int, worker_count: int) -> Any:
        """Return what one worker writes to.

        Args:
            step_id: Bytewax step id of the sink.
            worker_index: Index of the worker.
            worker_count: Number of workers.

        Returns:
            An object with ``write_batch(envelopes)``, which has delivered them when it returns,
            and ``close()``.
        """
        ...


class RegisteredSink(Protocol):
    """A class that :meth:`SinkRegistry.register` takes.

    Attributes:
        sink_type: What ``type`` says in the configuration of such a sink.
        config_type: Type that the rest of its section decodes into.
    """

    sink_type: ClassVar[str]
    config_type: ClassVar[type]

    @classmethod
    def build_binding(cls, cfg: Any, ctx: ConfigContext) -> RuntimeSinkBinding:
        """Return the sink and what it is for.

        Args:
            cfg: The sink's section as ``config_type``.
            ctx: The whole configuration.
        """
        ...


class RuntimeSinkBinding(LoomFrozenStruct, frozen=True):
    """A sink and what it is for.

    Attributes:
        purpose: ``errors`` takes error envelopes; ``terminal`` and ``audit`` are the sink's own
            affair, the runtime only builds it.
        sink: The sink; an :class:`ErrorSink` for the purpose ``errors``.
        kinds: Error kinds that it takes. None given means all of them, for the purpose ``errors``.
    """

    purpose: Literal["errors", "terminal", "audit"]
    sink: Any
    kinds: tuple[ErrorKind, ...] = ()


class DuplicateErrorSinkError(ConfigError):
    """Two sinks claim one error kind."""


class SinkRegistry:
    """The sink classes that configuration may name."""

    def __init__(self) -> None:
        """Start with none."""
        self._classes: dict[str, type[RegisteredSink]] = {}

    @property
    def sink_types(self) -> tuple[str, ...]:
        """Registered types, sorted."""
        return tuple(sorted(self._classes))

    def register(self, cls: type) -> None:
        """Make *cls* known under its ``sink_type``; nothing happens the second time.

        Raises:
            TypeError: When *cls* is no :class:`RegisteredSink`.
            ValueError: When another class has the same ``sink_type``.
        """
        sink_class = _checked(cls)
        known = self._classes.setdefault(sink_class.sink_type, sink_class)
        if known is not sink_class:
            raise ValueError(
                f"the sink type {sink_class.sink_type!r} of {_name(cls)} is taken by "
                f"{_name(known)}; give one of them another sink_type"
            )

    def resolve(self, ctx: ConfigContext) -> list[RuntimeSinkBinding]:
        """Return the binding of every entry under ``streaming.sinks``, in their order.

        Raises:
            ConfigError: When an entry has no ``type`` or an unknown one, or its settings do not
                fit, or its class fails to build it.
            DuplicateErrorSinkError: When two entries claim one error kind.
        """
        bindings: list[RuntimeSinkBinding] = []
        claims: dict[ErrorKind, str] = {}
        for name in ctx.keys(SECTION):
            path = f"{SECTION}.{name}"
            binding = self._binding(path, ctx)
            if binding.purpose == "errors":
                _claim(binding.kinds, path, claims, ctx)
            bindings.append(binding)
        return bindings

    def _binding(self, path: str, ctx: ConfigContext) -> RuntimeSinkBinding:
        sink_class = self._class_at(path, ctx)
        declares_type = "type" in _field_names(sink_class.config_type)
        cfg: object = ctx.section(
            path, sink_class.config_type, omit=() if declares_type else ("type",)
        )
        try:
            binding = sink_class.build_binding(cfg, ctx)
        except ConfigError:
            raise
        except Exception as error:
            raise ctx.error_at(
                path,
                f"{_name(sink_class)} could not build its sink: {type(error).__qualname__}: "
                f"{error}",
                "Correct the sink's settings, or its build_binding.",
            ) from error
        if not isinstance(binding, RuntimeSinkBinding):
            raise ctx.error_at(
                path,
                f"build_binding of {_name(sink_class)} returned {type(binding).__qualname__}",
                "Return a RuntimeSinkBinding.",
            )
        if binding.purpose != "errors":
            return binding
        if not isinstance(binding.sink, ErrorSink):
            raise ctx.error_at(
                path,
                f"{_name(type(binding.sink))} is bound to errors and is no ErrorSink",
                "Give it a build(step_id, worker_index, worker_count) method.",
            )
        kinds = tuple(ErrorKind(kind) for kind in binding.kinds) or tuple(ErrorKind)
        return msgspec.structs.replace(binding, kinds=kinds)

    def _class_at(self, path: str, ctx: ConfigContext) -> type[RegisteredSink]:
        registered = ", ".join(self.sink_types)
        advice = (
            f"Registered types: {registered}."
            if registered
            else "No sink is registered; call register_sink(YourSink) on the runner first."
        )
        entry = ctx.raw(path)
        if not isinstance(entry, dict) or "type" not in entry:
            raise ctx.error_at(path, "a sink needs a `type`", advice)
        sink_class = self._classes.get(str(entry["type"]))
        if sink_class is None:
            raise ctx.error_at(f"{path}.type", f"unknown sink type {entry['type']!r}", advice)
        return sink_class


def _claim(
    kinds: Iterable[ErrorKind], path: str, claims: dict[ErrorKind, str], ctx: ConfigContext
) -> None:
    for kind in kinds:
        holder = claims.setdefault(kind, path)
        if holder != path:
            conflict = ctx.error_at(
                path,
                f"takes {kind.value} errors, which {holder} takes already",
                "Give each error kind to one sink.",
            )
            raise DuplicateErrorSinkError(
                conflict.problem,
                advice=conflict.advice,
                field=conflict.field,
                file=conflict.file,
                line=conflict.line,
            )


def _checked(cls: type) -> type[RegisteredSink]:
    missing = [
        need
        for need, fits in (
            ("sink_type, a non-empty str", _is_text(getattr(cls, "sink_type", None))),
            ("config_type, a type", isinstance(getattr(cls, "config_type", None), type)),
            (
                "build_binding(cfg, ctx), a classmethod",
                callable(getattr(cls, "build_binding", None)),
            ),
        )
        if not fits
    ]
    if not isinstance(cls, type) or missing:
        raise TypeError(
            f"{cls!r} cannot be registered as a sink; it needs {'; '.join(missing) or 'a class'}"
        )
    return cast("type[RegisteredSink]", cls)


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value)


def _field_names(config_type: type) -> tuple[str, ...]:
    """Return the keys that *config_type* reads, its tag included."""
    if not issubclass(config_type, msgspec.Struct):
        return ()
    config = config_type.__struct_config__
    fields = config_type.__struct_encode_fields__
    return fields if config.tag_field is None else (*fields, config.tag_field)


def _name(cls: type) -> str:
    return f"{cls.__module__}.{cls.__qualname__}"
