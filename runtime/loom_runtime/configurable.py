"""Deferred bindings: a class in a flow, built from configuration when the flow is compiled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from loom_runtime.declaration import Declared


@dataclass(frozen=True, eq=False)
class ConfigBinding(Declared):
    """A class and where its constructor arguments come from.

    Attributes:
        target: The class that the compiler builds.
        config_path: Dotted path of its configuration section; empty for none.
        overrides: Arguments that win over the section's.
    """

    target: type[object]
    config_path: str = ""
    overrides: Mapping[str, object] = field(default_factory=dict)


class Configurable:
    """Mixin for classes that a flow names and the compiler builds."""

    @classmethod
    def from_config(cls, config_path: str, **overrides: object) -> ConfigBinding:
        """Bind this class to a configuration section.

        Args:
            config_path: Dotted path of the section whose keys become constructor arguments.
            **overrides: Constructor arguments that win over the section's.

        Raises:
            ValueError: When *config_path* is blank.
        """
        if not config_path.strip():
            raise ValueError(
                f"{cls.__qualname__}.from_config needs a config path, such as 'steps.price'"
            )
        return ConfigBinding(cls, config_path, dict(overrides))

    @classmethod
    def configure(cls, **overrides: object) -> ConfigBinding:
        """Bind this class to constructor arguments given here."""
        return ConfigBinding(cls, "", dict(overrides))
