"""Sections as typed settings, and errors that name file, line, field and remedy."""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from loom_runtime.config.context import ConfigContext
from loom_runtime.config.errors import ConfigError
from loom_runtime.config.kafka import KafkaSettings
from loom_runtime.config.runtime import BytewaxRuntimeConfig
from loom_runtime.model import LoomFrozenStruct

YAML = """\
kafka:
  consumer:
    brokers: [one:9092]
    group_id: g
  consumers:
    fine:
      brokers: [two:9092]
      group_id: h
    orders.v1:
      brokers: [three:9092]
      group_id: i
streaming:
  runtime:
    workers_per_process: 2
"""


def error_of(tmp_path: Path, change: dict[str, str], section: str, target: type) -> ConfigError:
    """Read YAML with lines replaced, and return the error of *section*."""
    text = YAML
    for old, new in change.items():
        assert old in text
        text = text.replace(old, new)
    path = tmp_path / "flow.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        ConfigContext.from_yaml(path).section(section, target)
    assert caught.value.file == str(path)
    return caught.value


def test_an_unknown_field_is_answered_with_the_nearest_one(tmp_path: Path) -> None:
    error = error_of(
        tmp_path, {"group_id: i": "group_id: i\n      grup: x"}, "kafka", KafkaSettings
    )
    assert error.field == "kafka.consumers.orders.v1.grup"
    assert error.line == 12
    assert error.problem == "unknown field"
    assert error.advice.startswith("Did you mean `group_id`? Fields here: brokers, group_id, ")


def test_a_missing_field_is_named_at_its_section(tmp_path: Path) -> None:
    error = error_of(tmp_path, {"\n      group_id: i": ""}, "kafka", KafkaSettings)
    assert error.field == "kafka.consumers.orders.v1.group_id"
    assert error.line == 9
    assert (error.problem, error.advice) == ("is required and missing", "Add `group_id`.")


def test_a_wrong_type_says_what_to_write(tmp_path: Path) -> None:
    error = error_of(tmp_path, {"workers_per_process: 2": "workers_per_process: many"}, *_RUNTIME)
    assert error.field == "streaming.runtime.workers_per_process"
    assert error.line == 14
    assert error.problem == "expected `int`, got `str`"
    assert error.advice == "Write a whole number."


def test_a_wrong_choice_lists_the_choices(tmp_path: Path) -> None:
    error = error_of(tmp_path, {"group_id: i": "format: xml\n      group_id: i"}, *_KAFKA)
    assert error.field == "kafka.consumers.orders.v1.format"
    assert error.problem == "invalid enum value 'xml'"
    assert error.advice == "Choose one of: json, msgpack, loom."


def test_a_setting_that_means_nothing_is_told_in_the_settings_own_words(tmp_path: Path) -> None:
    error = error_of(tmp_path, {"workers_per_process: 2": "workers_per_process: 0"}, *_RUNTIME)
    assert error.field == "streaming.runtime"
    assert error.problem == "workers_per_process is 0; the least is 1"


def test_the_first_of_several_like_failures_is_named_whole() -> None:
    consumers = {
        "a": {"brokers": ["x"], "group_id": "g"},
        "b": {"brokers": ["x"], "group_id": 1},
        "c": {"brokers": ["x"], "group_id": 2},
    }
    with pytest.raises(ConfigError) as caught:
        ConfigContext.from_dict({"kafka": {"consumers": consumers}}).section("kafka", KafkaSettings)
    assert caught.value.field == "kafka.consumers.b.group_id"


def test_an_error_names_the_layer_that_the_value_came_from(tmp_path: Path) -> None:
    path = tmp_path / "flow.yaml"
    path.write_text(YAML)
    context = ConfigContext.from_yaml(path).merged_with(
        {"streaming": {"runtime": {"epoch_interval_ms": "soon"}}}, origin="the command line"
    )
    with pytest.raises(ConfigError) as caught:
        context.section("streaming.runtime", BytewaxRuntimeConfig)
    assert (caught.value.file, caught.value.line) == ("the command line", None)
    assert str(caught.value) == (
        "the command line: streaming.runtime.epoch_interval_ms: expected `int`, got `str`. "
        "Write a whole number."
    )


def test_a_missing_section_is_an_error_and_has_a_default(tmp_path: Path) -> None:
    error = error_of(tmp_path, {}, "observability", BytewaxRuntimeConfig)
    assert error.problem == "is missing"
    default = BytewaxRuntimeConfig(workers_per_process=7)
    context = ConfigContext.from_dict({"empty": None})
    assert context.section_or_default("absent", BytewaxRuntimeConfig, default) is default
    assert context.section_or_default("empty", BytewaxRuntimeConfig, default) is default


def test_a_default_never_hides_a_section_that_does_not_fit() -> None:
    context = ConfigContext.from_dict({"runtime": {"workers": 1}})
    with pytest.raises(ConfigError, match="unknown field"):
        context.section_or_default("runtime", BytewaxRuntimeConfig, BytewaxRuntimeConfig())


def test_an_empty_section_has_every_default() -> None:
    context = ConfigContext.from_dict({"runtime": None})
    assert context.section("runtime", BytewaxRuntimeConfig) == BytewaxRuntimeConfig()


def test_raw_of_a_missing_path_is_an_error() -> None:
    with pytest.raises(ConfigError, match=r"a\.b: is missing"):
        ConfigContext.from_dict({"a": 1}).raw("a.b")


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("one:9092", ("one:9092",)),
        ("one:9092,two:9092", ("one:9092", "two:9092")),
        (" one:9092 , two:9092, ", ("one:9092", "two:9092")),
        (["one:9092"], ("one:9092",)),
    ],
)
def test_one_text_is_a_list_of_brokers_and_topics(written: Any, read: tuple[str, ...]) -> None:
    settings = {"brokers": written, "topics": written, "group_id": "g"}
    context = ConfigContext.from_dict({"consumer": settings, "consumers": {"x.y": settings}})
    section = context.section("", KafkaSettings)
    for consumer in (section.consumer, section.consumers["x.y"]):
        assert consumer is not None
        assert consumer.brokers == read
        assert consumer.topics == read


class Pair(LoomFrozenStruct, frozen=True):
    names: tuple[str, ...] = ()
    topics: str | tuple[str, ...] = ""


def test_other_lists_are_not_guessed_from_text() -> None:
    with pytest.raises(ConfigError, match="expected `array`, got `str`"):
        ConfigContext.from_dict({"names": "a,b"}).section("", Pair)
    assert ConfigContext.from_dict({"topics": "a,b"}).section("", Pair) == Pair(topics="a,b")


@dataclass
class Limits:
    most: int
    brokers: list[str]


def test_dataclasses_and_plain_containers_are_targets_too() -> None:
    context = ConfigContext.from_dict({"a": {"most": 2, "brokers": "x"}, "b": {"c": [1]}})
    assert context.section("a", Limits) == Limits(2, ["x"])
    assert context.section("b", dict[str, list[int]]) == {"c": [1]}
    with pytest.raises(ConfigError) as caught:
        context.section("a", dict[str, int])
    assert caught.value.field == "a.brokers"


def test_keys_may_be_left_out() -> None:
    context = ConfigContext.from_dict({"sink": {"type": "x", "names": ["a"]}})
    assert context.section("sink", dict[str, Any], omit=["type"]) == {"names": ["a"]}


class Unusable:
    def __init__(self, undocumented) -> None:  # type: ignore[no-untyped-def]
        self.undocumented = undocumented


def test_a_type_that_cannot_be_decoded_into_is_told_so() -> None:
    with pytest.raises(ConfigError):
        ConfigContext.from_dict({"a": {}}).section("a", Unusable)


def test_an_error_survives_a_process_boundary() -> None:
    error = ConfigError("is wrong", advice="Mend it.", field="a.b", file="f.yaml", line=3)
    copy = pickle.loads(pickle.dumps(error))
    assert str(copy) == str(error) == "f.yaml:3: a.b: is wrong. Mend it."
    assert copy.line == 3


def test_an_error_can_be_made_for_any_path(tmp_path: Path) -> None:
    path = tmp_path / "flow.yaml"
    path.write_text(YAML)
    context = ConfigContext.from_yaml(path)
    error = context.error_at("kafka.consumers.orders.v1.topics", "names no topic", "Name one.")
    assert (error.file, error.line) == (str(path), 9)


_RUNTIME = ("streaming.runtime", BytewaxRuntimeConfig)
_KAFKA = ("kafka", KafkaSettings)
