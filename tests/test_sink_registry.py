"""Sinks that configuration names: matching, building, and what is refused."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest

from loom_runtime.config.context import ConfigContext
from loom_runtime.config.errors import ConfigError
from loom_runtime.errors import ErrorKind
from loom_runtime.model import LoomFrozenStruct
from loom_runtime.sinks import (
    DuplicateErrorSinkError,
    ErrorSink,
    RuntimeSinkBinding,
    SinkRegistry,
)


class Collected:
    """An error sink that keeps what it is given."""

    def __init__(self, label: str) -> None:
        self.label = label
        self.envelopes: list[Any] = []

    def build(self, step_id: str, worker_index: int, worker_count: int) -> Any:
        return self


class CollectorConfig(LoomFrozenStruct, frozen=True, forbid_unknown_fields=True):
    label: str
    kinds: tuple[ErrorKind, ...] = ()


class Collector:
    sink_type = "collector"
    config_type = CollectorConfig

    @classmethod
    def build_binding(cls, cfg: CollectorConfig, ctx: ConfigContext) -> RuntimeSinkBinding:
        return RuntimeSinkBinding(purpose="errors", sink=Collected(cfg.label), kinds=cfg.kinds)


class AuditConfig(LoomFrozenStruct, frozen=True, tag="audit", tag_field="type"):
    table: str


class Audit:
    sink_type = "audit"
    config_type = AuditConfig

    @classmethod
    def build_binding(cls, cfg: AuditConfig, ctx: ConfigContext) -> RuntimeSinkBinding:
        return RuntimeSinkBinding(purpose="audit", sink=f"{ctx.raw('database')}/{cfg.table}")


@pytest.fixture
def registry() -> SinkRegistry:
    registry = SinkRegistry()
    registry.register(Collector)
    registry.register(Audit)
    return registry


def sinks(**entries: Any) -> ConfigContext:
    return ConfigContext.from_dict({"database": "db", "streaming": {"sinks": entries}})


def test_without_a_section_there_are_no_bindings(registry: SinkRegistry) -> None:
    assert registry.resolve(ConfigContext.from_dict({})) == []
    assert registry.resolve(ConfigContext.from_dict({"streaming": {"sinks": None}})) == []


def test_entries_are_built_in_their_order(registry: SinkRegistry) -> None:
    bindings = registry.resolve(
        sinks(
            late={"type": "audit", "table": "t"},
            early={"type": "collector", "label": "x", "kinds": ["wire", "task"]},
        )
    )
    assert bindings[0] == RuntimeSinkBinding(purpose="audit", sink="db/t")
    assert bindings[1].sink.label == "x"
    assert isinstance(bindings[1].sink, ErrorSink)
    assert bindings[1].kinds == (ErrorKind.WIRE, ErrorKind.TASK)


def test_an_error_sink_without_kinds_takes_them_all(registry: SinkRegistry) -> None:
    (binding,) = registry.resolve(sinks(all={"type": "collector", "label": "x"}))
    assert binding.kinds == tuple(ErrorKind)


@pytest.mark.parametrize("second", [["task"], ["wire", "task"], []])
def test_two_sinks_of_one_kind_are_refused(
    registry: SinkRegistry, second: list[str], tmp_path: Path
) -> None:
    context = sinks(
        a={"type": "collector", "label": "a", "kinds": ["task"]},
        b={"type": "collector", "label": "b", "kinds": second},
    )
    with pytest.raises(DuplicateErrorSinkError) as caught:
        registry.resolve(context)
    assert caught.value.field == "streaming.sinks.b"
    assert caught.value.problem == "takes task errors, which streaming.sinks.a takes already"
    assert type(pickle.loads(pickle.dumps(caught.value))) is DuplicateErrorSinkError


def test_other_purposes_claim_no_kind(registry: SinkRegistry) -> None:
    entry = {"type": "audit", "table": "t"}
    assert len(registry.resolve(sinks(a=entry, b=entry))) == 2


def test_an_unknown_type_is_answered_with_the_registered_ones(
    registry: SinkRegistry, tmp_path: Path
) -> None:
    path = tmp_path / "flow.yaml"
    path.write_text("streaming:\n  sinks:\n    lake:\n      type: delta\n")
    with pytest.raises(ConfigError) as caught:
        registry.resolve(ConfigContext.from_yaml(path))
    assert str(caught.value) == (
        f"{path}:4: streaming.sinks.lake.type: unknown sink type 'delta'. "
        "Registered types: audit, collector."
    )


def test_an_entry_without_a_type_is_refused(registry: SinkRegistry) -> None:
    with pytest.raises(ConfigError, match=r"streaming\.sinks\.a: a sink needs a `type`"):
        registry.resolve(sinks(a={"label": "x"}))
    with pytest.raises(ConfigError, match=r"streaming\.sinks\.a: a sink needs a `type`"):
        registry.resolve(sinks(a="collector"))


def test_with_nothing_registered_the_remedy_is_to_register() -> None:
    with pytest.raises(ConfigError, match="call register_sink"):
        SinkRegistry().resolve(sinks(a={"type": "collector"}))


def test_settings_that_do_not_fit_name_their_field(registry: SinkRegistry) -> None:
    with pytest.raises(ConfigError, match="unknown field") as caught:
        registry.resolve(sinks(a={"type": "collector", "label": "x", "lable": "y"}))
    assert caught.value.field == "streaming.sinks.a.lable"


class Failing:
    sink_type = "failing"
    config_type = CollectorConfig

    @classmethod
    def build_binding(cls, cfg: CollectorConfig, ctx: ConfigContext) -> Any:
        if cfg.label == "raise":
            raise ConnectionError("no database")
        if cfg.label == "no sink":
            return RuntimeSinkBinding(purpose="errors", sink=object())
        return None


@pytest.mark.parametrize(
    ("label", "problem"),
    [
        ("raise", "could not build its sink: ConnectionError: no database"),
        ("no sink", "is bound to errors and is no ErrorSink"),
        ("none", "returned NoneType"),
    ],
)
def test_a_class_that_builds_no_sink_is_told_so(label: str, problem: str) -> None:
    registry = SinkRegistry()
    registry.register(Failing)
    with pytest.raises(ConfigError, match=problem) as caught:
        registry.resolve(sinks(a={"type": "failing", "label": label}))
    assert caught.value.field == "streaming.sinks.a"


def test_registering_twice_is_registering_once(registry: SinkRegistry) -> None:
    registry.register(Collector)
    assert registry.sink_types == ("audit", "collector")


def test_two_classes_of_one_type_are_refused(registry: SinkRegistry) -> None:
    class Other(Collector):
        pass

    with pytest.raises(ValueError, match=r"'collector' of .*Other is taken by .*Collector"):
        registry.register(Other)


class NotAtAll:
    sink_type = ""


def test_a_class_that_is_no_sink_is_told_what_it_lacks() -> None:
    with pytest.raises(TypeError) as caught:
        SinkRegistry().register(NotAtAll)
    for need in ("sink_type", "config_type", "build_binding"):
        assert need in str(caught.value)
