"""One layer of configuration: a YAML file or a mapping, and the lines its keys stand on."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import yaml  # type: ignore[import-untyped]
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from loom_runtime.config.errors import ConfigError

KeyPath = tuple[str | int, ...]
"""The keys and list indices that lead to a value."""


class ConfigDocument(msgspec.Struct, frozen=True):
    """One layer.

    Attributes:
        origin: The file's path as it was given, or the name of the mapping.
        text: The file's text; ``None`` for a mapping.
        content: The parsed layer, its interpolations unresolved.
    """

    origin: str
    text: str | None
    content: DictConfig

    def line_of(self, keys: KeyPath) -> tuple[int, int | None]:
        """Return how many of *keys* this layer has, and the line of the last of them.

        The line is ``None`` for a mapping, and for a file that has not even the first key.
        """
        if self.text is None:
            return _depth_in(self.content, keys), None
        node = yaml.compose(self.text, Loader=yaml.SafeLoader)
        line: int | None = None
        for depth, key in enumerate(keys):
            found = _child(node, key)
            if found is None:
                return depth, line
            marked, node = found
            line = marked.start_mark.line + 1
        return len(keys), line


def read_yaml(path: str | os.PathLike[str]) -> ConfigDocument:
    """Read the YAML file at *path*.

    Raises:
        ConfigError: When the file is absent or unreadable, is no UTF-8 text, is no YAML, or holds
            anything but one mapping.
    """
    origin = os.fspath(path)
    try:
        text = Path(path).read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise ConfigError(
            "no such file",
            advice=f"Create it, or correct the path; looked for {Path(path).absolute()}.",
            file=origin,
        ) from error
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"byte {error.start} is not UTF-8", advice="Save the file as UTF-8.", file=origin
        ) from error
    except OSError as error:
        raise ConfigError(
            f"cannot be read: {error.strerror}",
            advice="Name a file that this user may read.",
            file=origin,
        ) from error
    return ConfigDocument(origin, text, _parsed(text, origin))


def from_mapping(mapping: Mapping[str, object], origin: str) -> ConfigDocument:
    """Take *mapping* as a layer named *origin*.

    Structs, enums and paths in it are taken as the values they stand for.

    Raises:
        ConfigError: When it holds a value that no YAML file could hold, or a malformed
            interpolation.
    """
    try:
        plain = msgspec.to_builtins(dict(mapping), builtin_types=(bytes,), enc_hook=_plain)
    except (TypeError, ValueError) as error:
        raise ConfigError(
            f"holds what configuration cannot hold: {error}",
            advice="Use mappings, lists, text, numbers, booleans, structs, enums and paths only.",
            file=origin,
        ) from error
    return ConfigDocument(origin, None, _created(plain, origin, None))


def clash(left: ConfigDocument, right: ConfigDocument) -> KeyPath | None:
    """Return a key that is a mapping in one document and a list in the other, if there is one."""
    return _clash(OmegaConf.to_container(left.content), OmegaConf.to_container(right.content))


def _clash(left: Any, right: Any) -> KeyPath | None:
    if isinstance(left, dict) and isinstance(right, dict):
        for key in left.keys() & right.keys():
            if (below := _clash(left[key], right[key])) is not None:
                return (key, *below)
    elif isinstance(left, dict | list | tuple) and isinstance(right, dict | list | tuple):
        return () if isinstance(left, dict) or isinstance(right, dict) else None
    return None


def _plain(value: Any) -> Any:
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, DictConfig):
        return OmegaConf.to_container(value)
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Sequence):
        return list(value)
    raise TypeError(f"a value of type {type(value).__qualname__}")


def _parsed(text: str, origin: str) -> DictConfig:
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        if root is None:
            return OmegaConf.create({})
        if not isinstance(root, yaml.MappingNode):
            raise ConfigError(
                "the top level is no mapping",
                advice="Begin the file with a section, such as `kafka:`.",
                file=origin,
                line=root.start_mark.line + 1,
            )
        return _created(text, origin, text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        context = f" {error.context}" if error.context else ""
        raise ConfigError(
            f"YAML syntax error{context}: {error.problem}",
            advice="Correct the YAML at this line or just above it.",
            file=origin,
            line=None if mark is None else mark.line + 1,
        ) from error
    except yaml.YAMLError as error:
        raise ConfigError(
            f"YAML syntax error: {str(error).partition(chr(10))[0]}",
            advice="Save the file as plain YAML text.",
            file=origin,
        ) from error


def _created(source: Any, origin: str, text: str | None) -> DictConfig:
    try:
        created = OmegaConf.create(source)
    except OmegaConfBaseException as error:
        field = str(error.full_key or "")
        bare = ConfigDocument(origin, text, OmegaConf.create({}))
        problem = str(error).partition("\n")[0]
        raise ConfigError(
            f"malformed interpolation or value: {problem}",
            advice=r"Write ${oc.env:NAME} or ${section.key}; a literal ${ is written \${.",
            field=field,
            file=origin,
            line=bare.line_of(tuple(field.split(".")))[1],
        ) from error
    if not isinstance(created, DictConfig):
        raise TypeError("a configuration layer is a mapping")
    return created


def _child(node: Any, key: str | int) -> tuple[Any, Any] | None:
    """Return the node to mark and the value node of *key* in *node*."""
    if isinstance(node, yaml.MappingNode):
        for key_node, value_node in node.value:
            if key_node.value == str(key):
                return key_node, value_node
    if isinstance(node, yaml.SequenceNode) and isinstance(key, int) and key < len(node.value):
        return node.value[key], node.value[key]
    return None


def _depth_in(content: Any, keys: KeyPath) -> int:
    node = OmegaConf.to_container(content)
    for depth, key in enumerate(keys):
        try:
            node = node[key]  # type: ignore[index]
        except (KeyError, IndexError, TypeError):
            return depth
    return len(keys)
