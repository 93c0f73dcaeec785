"""Resolves sources and sinks to physical topics and settings."""

from __future__ import annotations

from loom_runtime.compiler.issues import IssueCode, IssueCollector
from loom_runtime.compiler.kafka_section import KafkaSection
from loom_runtime.compiler.payloads import check_distinct, check_payload
from loom_runtime.compiler.plan import CompiledSink, CompiledSource
from loom_runtime.config.kafka import ConsumerSettings, ProducerSettings
from loom_runtime.declaration import SourceLocation
from loom_runtime.flow.boundary import FromMultiTypeTopic, IntoTopic, Source

_NO_CONSUMER = ConsumerSettings(brokers=(), group_id="")
_NO_PRODUCER = ProducerSettings(brokers=())


class Boundaries:
    """Resolves every topic of one flow and checks them against each other.

    Args:
        kafka: The configuration.
        issues: Where problems go.
    """

    def __init__(self, kafka: KafkaSection, issues: IssueCollector) -> None:
        self._kafka = kafka
        self._issues = issues
        self._source: CompiledSource | None = None
        self._sinks: list[CompiledSink] = []

    def source(self, declared: Source) -> CompiledSource:
        """Resolve the source; placeholders stand in for settings that were reported."""
        component = f"{type(declared).__name__}({declared.name})"
        payloads: tuple[type, ...] = (
            declared.payloads if isinstance(declared, FromMultiTypeTopic) else (declared.payload,)
        )
        for payload in payloads:
            check_payload(payload, component, declared.declared_at, self._issues)
        if isinstance(declared, FromMultiTypeTopic):
            check_distinct(payloads, component, declared.declared_at, self._issues)
        settings = self._kafka.settings
        key = settings.consumer_key(declared.name)
        own = f"kafka.consumers.{declared.name}"
        found = settings.consumers.get(declared.name, settings.consumer)
        if found is None and not {own, key} & self._kafka.unreadable:
            self._missing(component, declared.declared_at, "consumer", own)
        consumer = found or _NO_CONSUMER
        self._source = CompiledSource(
            name=declared.name,
            topics=consumer.topics or (declared.name,),
            payload_types=payloads,
            settings=consumer,
            settings_key=key,
            location=declared.declared_at,
        )
        return self._source

    def sink(self, declared: IntoTopic[object]) -> CompiledSink:  # type: ignore[type-var]
        """Resolve one sink; placeholders stand in for settings that were reported."""
        component = f"IntoTopic({declared.name})"
        if declared.payload is not None:
            check_payload(declared.payload, component, declared.declared_at, self._issues)
        settings = self._kafka.settings
        own = f"kafka.producers.{declared.name}"
        found = settings.producers.get(declared.name, settings.producer)
        if found is None and not {own, "kafka.producer"} & self._kafka.unreadable:
            self._missing(component, declared.declared_at, "producer", own)
        producer = found or _NO_PRODUCER
        sink = CompiledSink(
            name=declared.name,
            topic=producer.topic or declared.name,
            payload_type=declared.payload,
            settings=producer,
            partition_policy=declared.partitioning,
            dlq_topic=None if declared.dlq is None else self._physical(declared.dlq),
            location=declared.declared_at,
        )
        self._sinks.append(sink)
        return sink

    def check_together(self) -> None:
        """Report sinks that feed the source, and sinks that contradict each other."""
        for sink in self._sinks:
            component = f"IntoTopic({sink.name})"
            self._check_loop(sink, sink.topic, component)
            if sink.dlq_topic is not None:
                self._check_loop(sink, sink.dlq_topic, component)
                if sink.dlq_topic == sink.topic:
                    self._contradiction(
                        f"topic {sink.topic!r} is its own dead-letter topic",
                        component,
                        sink.location,
                        "name another topic in dlq",
                    )
        self._check_common_topic()
        self._check_formats()

    def _check_loop(self, sink: CompiledSink, topic: str, component: str) -> None:
        source = self._source
        if source is None or topic not in source.topics:
            return
        if not set(sink.settings.brokers) & set(source.settings.brokers):
            return
        self._issues.add(
            IssueCode.TOPIC_LOOP,
            f"it writes to {topic!r}, which the flow reads: every record would come back",
            component=component,
            location=sink.location,
            hint="write to another topic",
        )

    def _check_common_topic(self) -> None:
        common = self._kafka.settings.producer
        if common is None or common.topic is None:
            return
        names = sorted({sink.name for sink in self._sinks if sink.settings is common})
        if len(names) > 1:
            self._kafka.contradiction(
                "kafka.producer.topic",
                f"is one topic, {common.topic!r}, for several sinks: {', '.join(names)}",
                f"Move it to kafka.producers.{names[0]}.topic.",
            )

    def _check_formats(self) -> None:
        first: dict[tuple[str, frozenset[str]], CompiledSink] = {}
        for sink in self._sinks:
            if not sink.settings.brokers:
                continue
            other = first.setdefault((sink.topic, frozenset(sink.settings.brokers)), sink)
            if other.settings.format is not sink.settings.format:
                self._contradiction(
                    f"topic {sink.topic!r} is written as {sink.settings.format.value} here and "
                    f"as {other.settings.format.value} by IntoTopic({other.name})",
                    f"IntoTopic({sink.name})",
                    sink.location,
                    "give the topic one format",
                    f"kafka.producers.{sink.name}.format",
                )

    def _physical(self, reference: str) -> str:
        own = self._kafka.settings.producers.get(reference)
        return own.topic if own is not None and own.topic is not None else reference

    def _missing(
        self, component: str, location: SourceLocation | None, kind: str, own: str
    ) -> None:
        self._issues.add(
            IssueCode.KAFKA_CONFIG_MISSING,
            f"no {kind} settings",
            component=component,
            location=location,
            field=own,
            hint=f"configure {own} or kafka.{kind}{self._near(kind)}",
        )

    def _near(self, kind: str) -> str:
        """Name the references that are configured: one of them may be meant."""
        settings = self._kafka.settings
        known = settings.consumers if kind == "consumer" else settings.producers
        return f"; there is kafka.{kind}s.{{{', '.join(sorted(known))}}}" if known else ""

    def _contradiction(
        self,
        message: str,
        component: str,
        location: SourceLocation | None,
        hint: str,
        field: str | None = None,
    ) -> None:
        self._issues.add(
            IssueCode.KAFKA_CONFIG_CONTRADICTORY,
            message,
            component=component,
            location=location,
            field=field,
            hint=hint,
        )
