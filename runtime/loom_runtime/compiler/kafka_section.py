"""Reads the ``kafka`` section piece by piece, so that one bad piece doesn't hide another."""

from __future__ import annotations

from typing import TypeVar

from loom_runtime.compiler.issues import IssueCode, IssueCollector
from loom_runtime.config.context import ConfigContext
from loom_runtime.config.errors import ConfigError
from loom_runtime.config.kafka import ConsumerSettings, KafkaSettings, ProducerSettings
from loom_runtime.declaration import SourceLocation

SettingsT = TypeVar("SettingsT", ConsumerSettings, ProducerSettings)

COMPONENT = "kafka configuration"


class KafkaSection:
    """The settings that could be read, and the keys of those that could not.

    Attributes:
        settings: Everything that could be read.
        unreadable: Keys that were reported, such as ``kafka.consumers.orders``.

    Args:
        config: The configuration.
        issues: Where problems go.
    """

    settings: KafkaSettings
    unreadable: frozenset[str]

    def __init__(self, config: ConfigContext, issues: IssueCollector) -> None:
        self._config = config
        self._issues = issues
        self._unreadable: set[str] = set()
        self._refuse_unknown_keys()
        self.settings = KafkaSettings(
            consumer=self._one("kafka.consumer", ConsumerSettings),
            producer=self._one("kafka.producer", ProducerSettings),
            consumers=self._several("kafka.consumers", ConsumerSettings),
            producers=self._several("kafka.producers", ProducerSettings),
        )
        self.unreadable = frozenset(self._unreadable)

    def contradiction(self, path: str, problem: str, advice: str) -> None:
        """Report what the configuration at *path* says against itself."""
        self._report(
            self._config.error_at(path, problem, advice), IssueCode.KAFKA_CONFIG_CONTRADICTORY
        )

    def _refuse_unknown_keys(self) -> None:
        known = KafkaSettings.__struct_fields__
        try:
            if self._config.has("kafka") and not isinstance(self._config.raw("kafka"), dict | None):
                self._invalid("kafka", "the section must be a mapping", "Write keys below it.")
            keys = self._config.keys("kafka")
        except ConfigError:
            # Something inside cannot be read; the piece that holds it is reported by its own key.
            return
        for key in keys:
            if key not in known:
                self._invalid(f"kafka.{key}", "unknown key", f"Keys here: {', '.join(known)}.")

    def _one(self, path: str, kind: type[SettingsT]) -> SettingsT | None:
        try:
            if not self._config.has(path) or self._config.raw(path) is None:
                return None
            settings = self._config.section(path, kind)
        except ConfigError as error:
            self._unreadable.add(path)
            self._report(error, IssueCode.KAFKA_CONFIG_INVALID)
            return None
        self._check_contents(settings, path)
        return settings

    def _several(self, path: str, kind: type[SettingsT]) -> dict[str, SettingsT]:
        try:
            keys = self._config.keys(path)
            if not keys and self._config.has(path) and self._config.raw(path):
                self._invalid(path, "must be a mapping", "Write one key per logical reference.")
        except ConfigError as error:
            self._report(error, IssueCode.KAFKA_CONFIG_INVALID)
            return {}
        found = {}
        for key in keys:
            settings = self._one(f"{path}.{key}", kind)
            if settings is not None:
                found[key] = settings
        return found

    def _check_contents(self, settings: ConsumerSettings | ProducerSettings, path: str) -> None:
        if not settings.brokers or not all(broker.strip() for broker in settings.brokers):
            self._invalid(f"{path}.brokers", "names no broker", "Write host:port.")
        if isinstance(settings, ConsumerSettings):
            if not settings.group_id.strip():
                self._invalid(f"{path}.group_id", "is blank", "Name the consumer group.")
            for topic in sorted(set(settings.topics)):
                if settings.topics.count(topic) > 1:
                    self.contradiction(
                        f"{path}.topics",
                        f"names {topic!r} twice, so that two consumers would read it",
                        "Name it once.",
                    )
        try:
            settings.librdkafka()
        except ValueError as error:
            self.contradiction(f"{path}.extra", str(error), "Set the typed setting instead.")

    def _invalid(self, path: str, problem: str, advice: str) -> None:
        self._report(self._config.error_at(path, problem, advice), IssueCode.KAFKA_CONFIG_INVALID)

    def _report(self, error: ConfigError, code: IssueCode) -> None:
        self._issues.add(
            code,
            error.problem,
            component=COMPONENT,
            location=config_location(error),
            field=error.field or None,
            hint=error.advice,
        )


def config_location(error: ConfigError) -> SourceLocation | None:
    """Return the place in a configuration file that *error* is about, when it is known."""
    if error.file is None or error.line is None:
        return None
    return SourceLocation(error.file, error.line)
