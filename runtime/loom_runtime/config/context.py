"""The configuration of a run: layers merged left to right, read as typed sections."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeVar

from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from loom_runtime.config.decoding import DecodeError, decode
from loom_runtime.config.documents import ConfigDocument, KeyPath, clash, from_mapping, read_yaml
from loom_runtime.config.errors import ConfigError

T = TypeVar("T")

_ENVIRONMENT = re.compile(r"Environment variable '(?P<name>[^']*)' not found")
_NO_KEY = re.compile(r"Interpolation key '(?P<name>[^']*)' not found")


class ConfigContext:
    """Configuration from YAML files and mappings, later ones winning.

    Mappings merge key by key; lists and plain values are replaced. Interpolation is omegaconf's,
    resolved when a section is read: ``${oc.env:NAME}`` and ``${oc.env:NAME,default}`` read the
    environment, ``${a.b}`` reads another key of the merged configuration (a plain ``${NAME}`` is
    such a key too, never an environment variable), and ``\\${`` is a literal ``${``. ``???``
    stands for a value that a later layer must supply.

    A path is keys joined by dots. A key that has dots itself, such as the topic ``orders.v1`` in
    ``kafka.consumers.orders.v1``, is found too.
    """

    __slots__ = ("_documents", "_merged")

    def __init__(self, documents: Iterable[ConfigDocument]) -> None:
        """Merge *documents*, the leftmost first."""
        self._documents = tuple(documents)
        self._merged = OmegaConf.create({})
        try:
            merged = OmegaConf.merge(*(document.content for document in self._documents))
        except OmegaConfBaseException as error:
            raise self._unresolved(error, ()) from error
        except TypeError as error:
            raise self._unmergeable() from error
        if not isinstance(merged, DictConfig):
            raise TypeError("merged configuration is a mapping")
        self._merged = merged

    @classmethod
    def from_yaml(cls, *paths: str | os.PathLike[str]) -> ConfigContext:
        """Read the YAML files at *paths* and merge them, later ones winning.

        Raises:
            ConfigError: When no path is given, or a file cannot be read as one mapping.
        """
        if not paths:
            raise ConfigError("no file was named", advice="Give the path of a YAML file.")
        return cls([read_yaml(path) for path in paths])

    @classmethod
    def from_dict(
        cls, mapping: Mapping[str, object], *, origin: str = "the given mapping"
    ) -> ConfigContext:
        """Take *mapping* as the configuration; errors call it *origin*.

        Raises:
            ConfigError: When it holds what a YAML file could not.
        """
        return cls([from_mapping(mapping, origin)])

    def merged_with(
        self, mapping: Mapping[str, object], *, origin: str = "the overriding mapping"
    ) -> ConfigContext:
        """Return a new context in which *mapping* wins over this one.

        Raises:
            ConfigError: When it holds what a YAML file could not.
        """
        return type(self)([*self._documents, from_mapping(mapping, origin)])

    @property
    def sources(self) -> tuple[str, ...]:
        """Return the files and mappings that were merged, the leftmost first."""
        return tuple(document.origin for document in self._documents)

    def has(self, path: str) -> bool:
        """Return whether the key at *path* is there, whatever its value.

        Raises:
            ConfigError: When an interpolation on the way cannot be resolved.
        """
        return self._find(path) is not None

    def keys(self, path: str = "") -> tuple[str, ...]:
        """Return the keys of the mapping at *path*; none when there is no such mapping.

        Raises:
            ConfigError: When an interpolation on the way cannot be resolved.
        """
        found = self._find(path)
        node = None if found is None else self._node(found)
        return tuple(str(key) for key in node) if isinstance(node, DictConfig) else ()

    def raw(self, path: str = "") -> Any:
        """Return the resolved plain value at *path*; the whole configuration for an empty path.

        Raises:
            ConfigError: When there is none, or an interpolation in it cannot be resolved.
        """
        return self._value(self._existing(path))

    def section(self, path: str, target: type[T], *, omit: Iterable[str] = ()) -> T:
        """Return the section at *path* as a *target*.

        An empty section (``kafka:`` with nothing below it) counts as an empty mapping.

        Args:
            path: Keys joined by dots; the whole configuration when empty.
            target: Any type that msgspec decodes into.
            omit: Keys of the section to leave out.

        Raises:
            ConfigError: When there is no such section, it does not fit, or an interpolation in it
                cannot be resolved.
        """
        keys = self._existing(path)
        value = self._value(keys)
        if value is None:
            value = {}
        if isinstance(value, dict):
            omitted = frozenset(omit)
            value = {key: item for key, item in value.items() if key not in omitted}
        try:
            return decode(value, target)
        except DecodeError as error:
            raise self._error(error.problem, error.advice, (*keys, *error.keys)) from error

    def section_or_default(self, path: str, target: type[T], default: T) -> T:
        """Return the section at *path* as a *target*, or *default* when it is absent or empty.

        Raises:
            ConfigError: When the section is there and does not fit, or an interpolation in it
                cannot be resolved.
        """
        found = self._find(path)
        if found is None or self._value(found) is None:
            return default
        return self.section(path, target)

    def error_at(self, path: str, problem: str, advice: str) -> ConfigError:
        """Return an error about *path* that says which file and line it came from."""
        return self._error(problem, advice, self._nearest(path))

    def __repr__(self) -> str:
        """Name sources and sections; values may be secrets."""
        sections = ", ".join(str(key) for key in self._merged)
        return f"ConfigContext({', '.join(self.sources)}: {sections or 'empty'})"

    def _existing(self, path: str) -> KeyPath:
        keys = self._find(path)
        if keys is None:
            advice = f"Add `{path}` to {self.sources[-1]}."
            raise self._error("is missing", advice, self._nearest(path))
        return keys

    def _find(self, path: str) -> KeyPath | None:
        if not path:
            return ()
        return next(self._matches(self._merged, (), path.split(".")), None)

    def _nearest(self, path: str) -> KeyPath:
        """Return the keys of *path*, read as far as they exist and cut at its dots below that."""
        parts = path.split(".")
        for end in range(len(parts), 0, -1):
            keys = self._find(".".join(parts[:end]))
            if keys is not None:
                return (*keys, *parts[end:])
        return tuple(parts)

    def _matches(self, node: Any, above: KeyPath, parts: list[str]) -> Iterator[KeyPath]:
        """Yield the key paths that *parts* may mean: a key may have dots of its own."""
        if not isinstance(node, DictConfig):
            return
        for end in range(1, len(parts) + 1):
            name = ".".join(parts[:end])
            if (key := _key_in(node, name)) is None:
                continue
            keys = (*above, key)
            if end == len(parts):
                yield keys
            else:
                yield from self._matches(self._node(keys), keys, parts[end:])

    def _node(self, keys: KeyPath) -> Any:
        node: Any = self._merged
        try:
            for key in keys:
                if OmegaConf.is_missing(node, key):
                    return None
                node = node[key]
        except OmegaConfBaseException as error:
            raise self._unresolved(error, keys) from error
        return node

    def _value(self, keys: KeyPath) -> Any:
        node: Any = self._merged
        try:
            for key in keys:
                node = node[key]
            if isinstance(node, DictConfig | ListConfig):
                return OmegaConf.to_container(node, resolve=True, throw_on_missing=True)
        except OmegaConfBaseException as error:
            raise self._unresolved(error, keys) from error
        return node

    def _unresolved(self, error: OmegaConfBaseException, keys: KeyPath) -> ConfigError:
        message = str(error).partition("\n")[0]
        at = keys
        if full_key := str(error.full_key or ""):
            at = self._find_unresolved(full_key)
        if match := _ENVIRONMENT.search(message):
            name = match["name"]
            return self._error(
                f"the environment variable {name} is not set",
                f"Set it, or give a default: ${{oc.env:{name},default}}.",
                at,
            )
        if match := _NO_KEY.search(message):
            name = match["name"]
            return self._error(
                f"${{{name}}} names no key of the configuration",
                f"Add that key, or write ${{oc.env:{name}}} for an environment variable.",
                at,
            )
        if "issing mandatory value" in message:
            return self._error(
                "is marked ??? and no layer supplies it", "Set it in a later file.", at
            )
        return self._error(message, "Correct the interpolation.", at)

    def _find_unresolved(self, full_key: str) -> KeyPath:
        """Return the key path of omegaconf's *full_key*, such as ``a.b[0]``."""
        path, *rest = re.split(r"\[(\d+)\]", full_key)
        keys = self._nearest(path)
        for index, names in zip(rest[::2], rest[1::2], strict=True):
            keys = (*keys, int(index), *(name for name in names.split(".") if name))
        return keys

    def _unmergeable(self) -> ConfigError:
        for index, right in enumerate(self._documents):
            for left in self._documents[:index]:
                if (keys := clash(left, right)) is not None:
                    return self._error(
                        f"is a list here or in {left.origin}, and a mapping in the other",
                        "Write the same kind in both.",
                        keys,
                    )
        return self._error("the layers cannot be merged", "Write the same kinds in all.", ())

    def _error(self, problem: str, advice: str, keys: KeyPath) -> ConfigError:
        file: str | None = ", ".join(self.sources)
        line: int | None = None
        deepest = 0
        for document in reversed(self._documents):
            depth, found = document.line_of(keys)
            if depth > deepest:
                deepest, file, line = depth, document.origin, found
        return ConfigError(problem, advice=advice, field=_joined(keys), file=file, line=line)


def _key_in(node: DictConfig, name: str) -> str | int | None:
    if name in node.keys():  # noqa: SIM118  # `in node` hides keys whose interpolation fails
        return name
    return int(name) if name.isdecimal() and int(name) in node.keys() else None  # noqa: SIM118


def _joined(keys: KeyPath) -> str:
    return "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in keys).lstrip(".")
