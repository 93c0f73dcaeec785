"""What a replay gives, kept in a file: outputs and failures, each with its source record."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from threading import Lock
from typing import IO, Any, Final

import msgspec

from loom_runtime.compiler.plan import CompiledNode
from loom_runtime.errors import ErrorEnvelope
from loom_runtime.execution.layout import Port
from loom_runtime.message import Message

_LENGTH_BYTES: Final = 4
_BUFFER_BYTES: Final = 1 << 20
_NEWEST: Final = 50


class Captured(msgspec.Struct, frozen=True, array_like=True):
    """One thing that a replay gave.

    Attributes:
        kind: ``record``, ``envelope`` or ``failure``.
        sink: Topic, or kind of error without one; of a failure the node.
        partition: Key of the source partition.
        offset: Offset of the source record; -1 when it is not known.
        key: Key of the output; of a failure its exception type.
        value: The output as it would be written; of a failure the reason.
        headers: Headers of the output.
        format: Wire format of the output; of a failure its kind.
    """

    kind: str
    sink: str
    partition: str
    offset: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()
    format: str = "json"


class OutputCapture:
    """Takes down outputs and failures; from any worker.

    Args:
        path: The file; made anew, private to the user.
        on_failure: Called at each failure, on the worker where it came up.

    Attributes:
        outputs: Outputs so far.
        failures: Failures so far.
    """

    def __init__(self, path: Path, *, on_failure: Callable[[], None] | None = None) -> None:
        self._on_failure = on_failure
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        self._file = os.fdopen(descriptor, "wb", buffering=_BUFFER_BYTES)
        self._lock = Lock()
        self._encode = msgspec.msgpack.Encoder().encode
        self._sinks: list[tuple[str, str, str]] = []
        self._newest: list[tuple[int, Captured]] = []
        self.outputs = 0
        self.failures = 0

    def begin(self, ports: Sequence[Port]) -> None:
        """Take in where outputs would go."""
        self._sinks = [_described(port) for port in ports]

    def wrote(
        self, partition: str, port: int, offsets: Sequence[int], outputs: Sequence[Any]
    ) -> None:
        """Take down what one source partition's records became."""
        kind, sink, wire_format = self._sinks[port]
        encode = self._encode
        chunks: list[bytes] = []
        for offset, output in zip(offsets, outputs, strict=True):
            key, value, headers = _parts(output)
            # A tuple is written as the struct is, and made in a third of the time.
            blob = encode((kind, sink, partition, offset, key, value, headers, wire_format))
            chunks += (len(blob).to_bytes(_LENGTH_BYTES, "big"), blob)
        newest = [
            Captured(kind, sink, partition, offset, *_parts(output), wire_format)
            for offset, output in zip(offsets[-_NEWEST:], outputs[-_NEWEST:], strict=True)
        ]
        with self._lock:
            self.outputs += len(outputs)
            first = self.outputs - len(newest) + 1
            self._newest = [*self._newest, *enumerate(newest, first)][-_NEWEST:]
            self._file.write(b"".join(chunks))

    def failed(
        self, envelope: ErrorEnvelope[Any], message: Message[Any] | None, node: CompiledNode | None
    ) -> None:
        """Take down that a record failed."""
        meta = message.meta if message is not None else envelope.transport
        known = meta is not None and meta.topic is not None and meta.partition is not None
        item = Captured(
            "failure",
            node.name if node is not None else "source",
            f"{meta.topic}:{meta.partition}" if meta is not None and known else "",
            meta.offset if meta is not None and meta.offset is not None else -1,
            _bytes(envelope.exception_type or ""),
            _bytes(envelope.reason),
            (),
            envelope.kind.value,
        )
        blob = self._encode(item)
        with self._lock:
            self.failures += 1
            self._file.write(len(blob).to_bytes(_LENGTH_BYTES, "big") + blob)
        if self._on_failure is not None:
            self._on_failure()

    def newest(self) -> list[tuple[int, Captured]]:
        """Return the newest outputs with their numbers, newest last."""
        with self._lock:
            return list(self._newest)

    def flush(self) -> None:
        """Hand everything to the file system."""
        with self._lock:
            self._file.flush()

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._file.close()


class CapturingWriter:
    """Takes the place of a writer whose outputs are captured: everything is delivered."""

    def __init__(self, capture: OutputCapture) -> None:
        self._capture = capture

    def write(self, port: int, outputs: Sequence[Any]) -> None:
        """Leave outputs to the capture."""

    def flush(self) -> None:
        """Hand what was captured to the file system."""
        self._capture.flush()

    def claim(self, port: int, outputs: Sequence[Any]) -> list[Any]:  # noqa: ARG002
        """Nothing was refused."""
        return []

    def dead_letter(self, undelivered: Sequence[Any]) -> list[Any]:
        """Nothing is ever refused, so nothing comes here."""
        return list(undelivered)

    def close(self) -> None:
        """Leave the capture to its owner."""


def read_captured(path: Path) -> Iterator[Captured]:
    """Yield what a file holds, in order; an entry that was not finished ends it.

    Raises:
        OSError: When it cannot be read.
        msgspec.MsgspecError: When it is none.
    """
    decode = msgspec.msgpack.Decoder(Captured).decode
    with path.open("rb", buffering=_BUFFER_BYTES) as file:
        while blob := _next(file):
            yield decode(blob)


def _next(file: IO[bytes]) -> bytes | None:
    head = file.read(_LENGTH_BYTES)
    if len(head) < _LENGTH_BYTES:
        return None
    length = int.from_bytes(head, "big")
    blob = file.read(length)
    return blob if len(blob) == length else None


def _described(port: Port) -> tuple[str, str, str]:
    kind = "record" if port.error_kind is None else "envelope"
    if port.sink is None:
        return kind, f"errors:{port.error_kind}", "json"
    return kind, port.sink.topic, port.sink.settings.format.value


def _parts(
    output: Any,
) -> tuple[bytes | None, bytes | None, tuple[tuple[str, bytes], ...]]:
    if isinstance(output, tuple):
        key, value, headers = output
        return _bytes(key), value, tuple(headers or ())
    return None, msgspec.json.encode(output, enc_hook=repr), ()


def _bytes(value: bytes | str | None) -> bytes | None:
    return value.encode("utf-8", "backslashreplace") if isinstance(value, str) else value
