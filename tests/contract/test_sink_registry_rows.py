"""Contract, rows on ``ErrorSink`` and ``SinkRegistry``."""

from __future__ import annotations

from typing import Any

import pytest

from loom_runtime import (
    ConfigContext,
    ConfigError,
    ErrorKind,
    ErrorSink,
    LoomFrozenStruct,
    RuntimeSinkBinding,
    SinkRegistry,
)
from loom_runtime.sinks import DuplicateErrorSinkError


class Part:
    def __init__(self, *origin: object) -> None:
        self.origin = origin


class Sink:
    def build(self, step_id: str, worker_index: int, worker_count: int) -> Part:
        return Part(step_id, worker_index, worker_count)


class Config(LoomFrozenStruct, frozen=True):
    kinds: tuple[ErrorKind, ...]


class Known:
    sink_type = "known"
    config_type = Config
    seen: tuple[Any, ConfigContext] | None = None

    @classmethod
    def build_binding(cls, cfg: Config, ctx: ConfigContext) -> RuntimeSinkBinding:
        cls.seen = (cfg, ctx)
        return RuntimeSinkBinding(purpose="errors", sink=Sink(), kinds=cfg.kinds)


def test_error_sink_builds_from_step_id_worker_index_and_worker_count() -> None:
    sink: ErrorSink = Sink()
    assert isinstance(sink, ErrorSink)
    assert sink.build("errors", 1, 2).origin == ("errors", 1, 2)


def test_sink_registry_takes_classes_with_sink_type_config_type_and_build_binding() -> None:
    registry = SinkRegistry()
    registry.register(Known)
    context = ConfigContext.from_dict(
        {"streaming": {"sinks": {"any": {"type": "known", "kinds": ["wire"]}}}}
    )
    (binding,) = registry.resolve(context)
    assert binding.kinds == (ErrorKind.WIRE,)
    assert Known.seen == (Config(kinds=(ErrorKind.WIRE,)), context)


def test_sink_registry_matches_on_type_under_streaming_sinks() -> None:
    registry = SinkRegistry()
    registry.register(Known)
    elsewhere = {"sinks": {"any": {"type": "known"}}, "streaming": {"runtime": {}}}
    assert registry.resolve(ConfigContext.from_dict(elsewhere)) == []
    with pytest.raises(ConfigError, match="unknown sink type 'other'"):
        _resolve(registry, {"any": {"type": "other"}})


def test_sink_registry_two_sinks_claiming_one_kind_is_an_error() -> None:
    registry = SinkRegistry()
    registry.register(Known)
    entry = {"type": "known", "kinds": ["business"]}
    with pytest.raises(DuplicateErrorSinkError, match="business"):
        _resolve(registry, {"one": entry, "two": entry})


def _resolve(registry: SinkRegistry, entries: dict[str, Any]) -> list[RuntimeSinkBinding]:
    return registry.resolve(ConfigContext.from_dict({"streaming": {"sinks": entries}}))
