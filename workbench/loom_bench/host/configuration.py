"""Finds a flow's configuration, or makes one that just works on the broker at hand."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from loom_bench.protocol.diagnosis import Diagnosis
from loom_bench.user_files import source_line
from loom_runtime.config.context import ConfigContext
from loom_runtime.config.documents import from_mapping, read_yaml
from loom_runtime.config.errors import ConfigError
from loom_runtime.flow.process import StreamFlow

UNKNOWN_BOOTSTRAP = "localhost:9092"
"""Stands in for a broker where a flow is compiled and not run."""

_DEFAULTS_ORIGIN = "the bench's defaults"
_SUFFIXES = (".yaml", ".yml")


def find_configuration(module_path: Path, config_path: str | None) -> Path | None:
    """Return the configuration file of a module: the given one, or the one beside the module that
    has its name; ``None`` when there is none."""
    if config_path is not None:
        return Path(config_path)
    beside = (module_path.with_suffix(suffix) for suffix in _SUFFIXES)
    return next((path for path in beside if path.is_file()), None)


def read_configuration(
    flow: StreamFlow[Any, Any],
    file: Path | None,
    bootstrap: str | None = None,
    *,
    plaintext: bool = False,
) -> ConfigContext:
    """Return the configuration of *flow*.

    Args:
        flow: The flow.
        file: The configuration file; ``None`` when there is none.
        bootstrap: Addresses, separated by commas, that take the place of the configured ones;
            ``None`` for none.
        plaintext: Whether the broker there knows no TLS and no login, whatever is configured.

    Raises:
        ConfigError: When the file cannot be used.
    """
    defaults = from_mapping(_defaults(flow.name, bootstrap or UNKNOWN_BOOTSTRAP), _DEFAULTS_ORIGIN)
    if file is None:
        return ConfigContext([defaults])
    document = read_yaml(file)
    config = ConfigContext([document])
    if not config.has("kafka"):
        # A file may be about steps or observability only.
        config = ConfigContext([defaults, document])
    if bootstrap is None:
        return config
    settings: dict[str, Any] = {"brokers": bootstrap.split(",")}
    if plaintext:
        settings["security"] = None
    override: dict[str, Any] = {}
    for path in _connections(config):
        at = override
        for key in path[:-1]:
            at = at.setdefault(key, {})
        at[path[-1]] = settings
    return config.merged_with(override, origin="the chosen broker") if override else config


def replaced_brokers(file: Path | None, bootstrap: str | None) -> tuple[str, ...]:
    """Return the addresses in a configuration file that *bootstrap* takes the place of.

    Raises:
        ConfigError: When the file cannot be used.
    """
    if file is None or bootstrap is None:
        return ()
    config = ConfigContext([read_yaml(file)])
    found: dict[str, None] = {}
    for path in _connections(config):
        key = ".".join((*path, "brokers"))
        brokers = config.raw(key) if config.has(key) else None
        for broker in brokers if isinstance(brokers, list) else ():
            found[str(broker)] = None
    return tuple(broker for broker in found if broker not in bootstrap.split(","))


def config_diagnosis(error: ConfigError) -> Diagnosis:
    """Return what *error* means."""
    return Diagnosis(
        code="config_invalid",
        message=error.problem,
        component=error.field,
        field=error.field or None,
        file=error.file,
        line=error.line,
        source=source_line(error.file, error.line) if error.file and error.line else None,
        hint=error.advice,
    )


def _defaults(flow_name: str, bootstrap: str) -> dict[str, Any]:
    brokers = bootstrap.split(",")
    return {
        "kafka": {
            "consumer": {"brokers": brokers, "group_id": flow_name, "topics": []},
            "producer": {"brokers": brokers},
        }
    }


def _connections(config: ConfigContext) -> Iterator[tuple[str, ...]]:
    """Yield the key path of every section that names brokers."""
    for kind in ("consumer", "producer"):
        if config.has(f"kafka.{kind}"):
            yield "kafka", kind
        for reference in config.keys(f"kafka.{kind}s"):
            yield "kafka", f"{kind}s", reference
