"""Writes one record that the user made by hand, in the format of the flow's source."""

from __future__ import annotations

from typing import Any

import msgspec

from loom_bench.broker.contract import BrokerError
from loom_bench.broker.feed import Feed as TopicFeed
from loom_bench.broker.feed import FeedRecord
from loom_bench.host.feeding import WritableBroker
from loom_bench.host.loading import LoadError, find_flow, import_module, parse_target
from loom_bench.protocol.diagnosis import Diagnosis
from loom_bench.protocol.steering import RecordWritten, WriteRecord
from loom_runtime.config.kafka import WireFormat
from loom_runtime.flow.boundary import FromMultiTypeTopic, FromTopic
from loom_runtime.message import Message, MessageMeta
from loom_runtime.wire.encoding import build_encoder

_WRITE_TIMEOUT_S = 10.0


def write_record(command: WriteRecord) -> RecordWritten:
    """Encode the JSON value as a payload of the flow's source, and write it."""
    try:
        target = parse_target(command.target)
        flow = find_flow(import_module(target.path), target.path, target.attribute)
        message = Message(
            payload=_payload(command.value, _types(flow.source)),
            meta=MessageMeta(message_id="by-hand"),
        )
        encoder = build_encoder(WireFormat(command.format))
        _, value, headers = encoder.encode_one(message)
        key = None if command.key is None else command.key.encode()
        feed = TopicFeed(
            WritableBroker(command.bootstrap),
            command.topic,
            [FeedRecord(key, value, headers)],
            security=command.security,
        )
        feed.start().join(_WRITE_TIMEOUT_S)
    except LoadError as error:
        return RecordWritten(error.diagnosis)
    except BrokerError as error:
        return RecordWritten(_refused(error.what, error.what_next))
    except TimeoutError as error:
        return RecordWritten(_refused(str(error), "Check that the broker is up."))
    except (msgspec.MsgspecError, UnicodeError, RecursionError, ValueError) as error:
        return RecordWritten(_refused(str(error), "Correct the value and write it again."))
    return RecordWritten()


def _types(source: FromTopic[Any] | FromMultiTypeTopic[Any]) -> tuple[Any, ...]:
    return source.payloads if isinstance(source, FromMultiTypeTopic) else (source.payload,)


def _payload(text: str, types: tuple[Any, ...]) -> Any:
    """Return the payload that *text* is: of the first of *types* that it fits.

    Raises:
        msgspec.MsgspecError: When it is no JSON, or fits none.
        ValueError: When it fits none of several.
    """
    problems = []
    for each in types:
        try:
            return msgspec.json.decode(text, type=each)
        except msgspec.ValidationError as error:
            problems.append(f"{getattr(each, '__name__', each)}: {error}")
    raise ValueError(f"the value fits no payload type of the source ({'; '.join(problems)})")


def _refused(message: str, hint: str) -> Diagnosis:
    return Diagnosis(
        code="record_not_written", message=message, component="a record by hand", hint=hint
    )
