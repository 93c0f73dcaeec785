"""Layers of configuration: what merges, what replaces, what cannot be read."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loom_runtime.config.context import ConfigContext
from loom_runtime.config.errors import ConfigError
from loom_runtime.config.runtime import BytewaxRuntimeConfig

VALUES = st.none() | st.booleans() | st.integers(-5, 5) | st.sampled_from(["", "x", "y"])
LISTS = st.lists(VALUES, max_size=2)
TREES = st.recursive(
    VALUES,
    lambda inner: st.fixed_dictionaries({}, optional={"a": inner, "b": inner, "list": LISTS}),
    max_leaves=8,
)
LAYERS = st.lists(
    st.fixed_dictionaries({}, optional={"a": TREES, "b": TREES, "list": LISTS}),
    min_size=1,
    max_size=4,
)


def written(folder: Path, text: str, name: str = "flow.yaml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def merged(left: Any, right: Any) -> Any:
    """Merge as the documentation says."""
    if isinstance(left, Mapping) and isinstance(right, Mapping):
        return {
            key: merged(left[key], right[key])
            if key in left and key in right
            else right.get(key, left.get(key))
            for key in {**left, **right}
        }
    return right


@given(LAYERS)
def test_mappings_merge_and_everything_else_is_replaced(layers: list[dict[str, Any]]) -> None:
    context = ConfigContext.from_dict(layers[0])
    expected: Any = layers[0]
    for layer in layers[1:]:
        context = context.merged_with(layer)
        expected = merged(expected, layer)
    assert context.raw() == expected


@given(LAYERS)
def test_every_path_of_the_merged_tree_is_there(layers: list[dict[str, Any]]) -> None:
    context = ConfigContext.from_dict(layers[0])
    for layer in layers[1:]:
        context = context.merged_with(layer)

    def check(tree: Any, path: str) -> None:
        assert context.has(path)
        assert context.raw(path) == tree
        if isinstance(tree, dict):
            assert context.keys(path) == tuple(tree)
            for key, below in tree.items():
                check(below, f"{path}.{key}")
        assert not context.has(f"{path}.z")

    for key, below in context.raw().items():
        check(below, key)


def test_merging_leaves_the_original_as_it_was() -> None:
    original = ConfigContext.from_dict({"a": {"b": 1}})
    original.merged_with({"a": {"b": 2}})
    assert original.raw("a.b") == 1


def test_files_merge_left_to_right(tmp_path: Path) -> None:
    base = written(tmp_path, "a: {x: 1, y: [1, 2]}\n", "base.yaml")
    site = written(tmp_path, "a: {y: [3]}\nb: 2\n", "site.yaml")
    context = ConfigContext.from_yaml(base, str(site))
    assert context.raw() == {"a": {"x": 1, "y": [3]}, "b": 2}
    assert context.sources == (str(base), str(site))


def test_an_empty_file_is_an_empty_configuration(tmp_path: Path) -> None:
    assert ConfigContext.from_yaml(written(tmp_path, "# nothing yet\n")).raw() == {}


def test_keys_may_have_dots(tmp_path: Path) -> None:
    context = ConfigContext.from_dict(
        {"kafka": {"consumers": {"orders.v1": {"group.id": 1}, "orders": {"v1": {"x": 2}}}}}
    )
    assert context.raw("kafka.consumers.orders.v1.group.id") == 1
    assert context.raw("kafka.consumers.orders.v1.x") == 2
    assert not context.has("kafka.consumers.orders.v1.y")


def test_a_mapping_may_hold_structs_paths_and_tuples(tmp_path: Path) -> None:
    context = ConfigContext.from_dict(
        {"streaming": {"runtime": BytewaxRuntimeConfig(workers_per_process=3)}, "dir": tmp_path}
    )
    section = context.section("streaming.runtime", BytewaxRuntimeConfig)
    assert section.workers_per_process == 3
    assert context.raw("dir") == str(tmp_path)


def test_repr_names_sections_and_sources_and_no_value() -> None:
    context = ConfigContext.from_dict({"kafka": {"sasl_password": "hunter2"}}, origin="test")
    assert repr(context) == "ConfigContext(test: kafka)"


def test_a_value_that_no_file_could_hold_is_refused() -> None:
    with pytest.raises(ConfigError, match="a value of type object"):
        ConfigContext.from_dict({"a": [object()]})


def test_naming_no_file_is_refused() -> None:
    with pytest.raises(ConfigError, match="no file was named"):
        ConfigContext.from_yaml()


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        ("a: 1\nb: [\n", 3, "YAML syntax error"),
        ("a: 1\nb: 2\na: 3\n", 3, "duplicate key a"),
        ("a:\n\t- 1\n", 2, "cannot start any token"),
        ("a: *nowhere\n", 1, "undefined alias"),
        ("a: !!python/object:os.system {}\n", 1, "could not determine a constructor"),
        ("a: 1\n---\nb: 2\n", 2, "another document"),
        ("# list\n- 1\n", 2, "the top level is no mapping"),
        ("just text\n", 1, "the top level is no mapping"),
        ("a:\n  b: ${oc.env\n", 2, "malformed interpolation"),
    ],
)
def test_a_malformed_file_is_refused_with_its_line(
    tmp_path: Path, text: str, line: int, problem: str
) -> None:
    path = written(tmp_path, text)
    with pytest.raises(ConfigError, match=problem) as caught:
        ConfigContext.from_yaml(path)
    assert (caught.value.file, caught.value.line) == (str(path), line)
    assert str(caught.value).startswith(f"{path}:{line}: ")


def test_an_absent_file_is_refused_with_the_place_that_was_looked_at(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file") as caught:
        ConfigContext.from_yaml(tmp_path / "absent.yaml")
    assert str(tmp_path / "absent.yaml") in caught.value.advice


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        ConfigContext.from_yaml(tmp_path)


def test_text_in_another_encoding_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "latin.yaml"
    path.write_bytes("a: café\n".encode("latin-1"))
    with pytest.raises(ConfigError, match="not UTF-8"):
        ConfigContext.from_yaml(path)


@given(st.text(st.sampled_from("ab:- \n\t{}[]$\"'|#&*!?,.0\x00\u20ac"), max_size=40))
def test_any_text_is_a_configuration_or_a_config_error(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    path = written(tmp_path_factory.getbasetemp(), text)
    error: ConfigError | None = None
    try:
        ConfigContext.from_yaml(path).raw()
    except ConfigError as raised:
        error = raised
    assert error is None or error.file is not None
    assert "\n" not in str(error)


def test_a_list_and_a_mapping_do_not_merge(tmp_path: Path) -> None:
    base = written(tmp_path, "a: {x: 1}\n", "base.yaml")
    site = written(tmp_path, "b: 1\na:\n- 3\n", "site.yaml")
    with pytest.raises(ConfigError, match=r"a: is a list here or in .*base\.yaml") as caught:
        ConfigContext.from_yaml(base, site)
    assert (caught.value.file, caught.value.line) == (str(site), 2)
