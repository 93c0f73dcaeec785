"""Interpolation: the environment, other keys, and what happens when either is absent."""

from __future__ import annotations

from pathlib import Path

import pytest

from loom_runtime.config.context import ConfigContext
from loom_runtime.config.errors import ConfigError
from loom_runtime.config.kafka import KafkaSettings
from loom_runtime.config.runtime import BytewaxRuntimeConfig


def test_an_environment_variable_is_read_when_its_section_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    context = ConfigContext.from_dict({"a": "${oc.env:LOOM_TEST_NAME}"})
    monkeypatch.setenv("LOOM_TEST_NAME", "late")
    assert context.raw("a") == "late"


def test_a_default_stands_in_for_an_absent_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LOOM_TEST_NAME", raising=False)
    assert ConfigContext.from_dict({"a": "${oc.env:LOOM_TEST_NAME,none}"}).raw("a") == "none"


def test_text_of_the_environment_fits_numbers_booleans_and_lists(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LOOM_TEST_WORKERS", "3")
    monkeypatch.setenv("LOOM_TEST_UVLOOP", "true")
    monkeypatch.setenv("LOOM_TEST_ADDRESSES", "a:1, b:2")
    section = ConfigContext.from_dict(
        {
            "workers_per_process": "${oc.env:LOOM_TEST_WORKERS}",
            "use_uvloop": "${oc.env:LOOM_TEST_UVLOOP}",
            "addresses": "${oc.env:LOOM_TEST_ADDRESSES}",
            "process_id": 1,
        }
    ).section("", BytewaxRuntimeConfig)
    assert section.workers_per_process == 3
    assert section.use_uvloop is True
    assert section.addresses == ("a:1", "b:2")


def test_a_missing_variable_is_an_error_at_its_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LOOM_TEST_BROKERS", raising=False)
    path = tmp_path / "flow.yaml"
    path.write_text(
        "kafka:\n  consumer:\n    group_id: g\n    brokers: [x:1, '${oc.env:LOOM_TEST_BROKERS}']\n"
    )
    context = ConfigContext.from_yaml(path)
    with pytest.raises(ConfigError) as caught:
        context.section("kafka", KafkaSettings)
    assert str(caught.value) == (
        f"{path}:4: kafka.consumer.brokers[1]: "
        "the environment variable LOOM_TEST_BROKERS is not set. "
        "Set it, or give a default: ${oc.env:LOOM_TEST_BROKERS,default}."
    )


def test_a_missing_variable_breaks_its_own_section_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LOOM_TEST_NAME", raising=False)
    context = ConfigContext.from_dict(
        {"secret": "${oc.env:LOOM_TEST_NAME}", "streaming": {"runtime": {}}}
    )
    assert context.has("secret")
    assert context.section("streaming.runtime", BytewaxRuntimeConfig) == BytewaxRuntimeConfig()


def test_a_key_of_a_later_layer_is_interpolated() -> None:
    context = ConfigContext.from_dict({"a": "${host}:9092", "host": "x"})
    assert context.merged_with({"host": "y"}).raw("a") == "y:9092"


def test_a_whole_section_may_be_interpolated() -> None:
    context = ConfigContext.from_dict(
        {"shared": {"brokers": ["x:1"], "group_id": "g"}, "kafka": {"consumer": "${shared}"}}
    )
    assert context.has("kafka.consumer.brokers")
    consumer = context.section("kafka", KafkaSettings).consumer
    assert consumer is not None
    assert consumer.brokers == ("x:1",)


def test_a_plain_name_is_a_key_and_never_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOOM_TEST_NAME", "set")
    with pytest.raises(ConfigError) as caught:
        ConfigContext.from_dict({"a": {"b": "${LOOM_TEST_NAME}"}}).raw("a")
    assert caught.value.field == "a.b"
    assert caught.value.problem == "${LOOM_TEST_NAME} names no key of the configuration"
    assert "${oc.env:LOOM_TEST_NAME}" in caught.value.advice


def test_an_escaped_interpolation_is_literal() -> None:
    assert ConfigContext.from_dict({"a": r"\${b}"}).raw("a") == "${b}"


def test_a_marked_value_must_come_from_a_later_layer() -> None:
    context = ConfigContext.from_dict({"a": {"b": "???"}})
    with pytest.raises(ConfigError, match=r"a\.b: is marked \?\?\?"):
        context.raw("a")
    assert context.merged_with({"a": {"b": 1}}).raw("a.b") == 1


def test_an_unknown_resolver_is_an_error() -> None:
    with pytest.raises(ConfigError, match="Unsupported interpolation type env") as caught:
        ConfigContext.from_dict({"a": {"x.y": ["${env:HOME}"]}}).raw("a")
    assert caught.value.field == "a.x.y[0]"


def test_interpolations_that_go_in_a_circle_are_an_error() -> None:
    with pytest.raises(ConfigError):
        ConfigContext.from_dict({"a": "${b}", "b": "${a}"}).raw()
