"""One envelope in a file, for a colleague: JSON or MessagePack, nothing that could run."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Final

import msgspec

from loom_bench.broker.reading import TopicRecord
from loom_runtime.tracing.trace import SourceRecord

FORMAT: Final = "loom-bench-envelope"
VERSION: Final = 1

MAX_FILE_BYTES: Final = 64 * 1024 * 1024
"""Longest file that is read: two records of ten megabytes, written as JSON, fit."""

_IDENTITY_CHARACTERS: Final = 16


class ExchangeError(Exception):
    """A file cannot be written or read. Its text says what, where, and what to do."""


class RecordInFile(msgspec.Struct, frozen=True, kw_only=True):
    """A record. Bytes are base64 in JSON.

    Attributes:
        topic: Its topic.
        partition: Its partition.
        offset: Its offset.
        timestamp_ms: Its time, milliseconds since the Unix epoch; -1 for none.
        key: Its key.
        value: Its value.
        headers: Its headers, in order.
    """

    topic: str
    partition: int
    offset: int
    timestamp_ms: int = -1
    key: bytes | None = None
    value: bytes | None = None
    headers: tuple[tuple[str, bytes | None], ...] = ()


class EnvelopeFile(msgspec.Struct, frozen=True, kw_only=True):
    """What the file holds.

    Attributes:
        format: What it is.
        version: Version of its form.
        flow: Name of the flow.
        envelope: The envelope as it lies on its topic.
        source: The record that failed; ``None`` when it was there no more.
    """

    format: str
    version: int
    flow: str
    envelope: RecordInFile
    source: RecordInFile | None = None


def write_file(path: Path, flow: str, record: TopicRecord, source: SourceRecord | None) -> None:
    """Write an envelope to a file that is not there yet, readable by its owner only.

    Raises:
        ExchangeError: When it cannot be written.
    """
    exported = EnvelopeFile(
        format=FORMAT,
        version=VERSION,
        flow=flow,
        envelope=_in_file(record),
        source=None if source is None else _in_file(source),
    )
    if path.suffix.lower() == ".json":
        content = msgspec.json.format(msgspec.json.encode(exported), indent=2) + b"\n"
    else:
        content = msgspec.msgpack.encode(exported)
    write_new(path, content)


def write_new(path: Path, content: bytes) -> None:
    """Write a file that is not there yet, readable by its owner only.

    Raises:
        ExchangeError: When it is there, or cannot be written.
    """
    try:
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(file, "wb") as out:
            out.write(content)
    except FileExistsError as error:
        raise ExchangeError(f"{path} is there already; choose another name") from error
    except OSError as error:
        raise ExchangeError(f"{path} cannot be written: {error.strerror}") from error


def read_file(path: Path) -> EnvelopeFile:
    """Return what an exported file holds.

    Raises:
        ExchangeError: When it cannot be read, or is something else.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise ExchangeError(f"{path} cannot be read: {error.strerror}") from error
    if len(content) > MAX_FILE_BYTES:
        raise ExchangeError(f"{path} is larger than any exported envelope")
    try:
        if content.lstrip()[:1] == b"{":
            read = msgspec.json.decode(content, type=EnvelopeFile)
        else:
            read = msgspec.msgpack.decode(content, type=EnvelopeFile)
    except (msgspec.MsgspecError, UnicodeError, ValueError, RecursionError) as error:
        raise ExchangeError(f"{path} is no exported envelope: {error}") from error
    if read.format != FORMAT or read.version > VERSION:
        raise ExchangeError(
            f"{path} is of the form {read.format!r}, version {read.version}; this bench reads "
            f"{FORMAT!r} up to version {VERSION}"
        )
    return read


def identity_of(read: EnvelopeFile) -> str:
    """Return what an imported envelope is called in commands."""
    digest = hashlib.sha256(msgspec.msgpack.encode(read)).hexdigest()
    return f"file:{digest[:_IDENTITY_CHARACTERS]}"


def as_topic_record(record: RecordInFile) -> TopicRecord:
    """Return a record of a file as it was read from its topic."""
    return TopicRecord(
        record.topic,
        record.partition,
        record.offset,
        record.timestamp_ms,
        record.key,
        record.value,
        record.headers,
    )


def _in_file(record: TopicRecord | SourceRecord) -> RecordInFile:
    return RecordInFile(
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        timestamp_ms=record.timestamp_ms,
        key=record.key,
        value=record.value,
        headers=record.headers,
    )
