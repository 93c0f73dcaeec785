"""Asks a host of its own what another program's pickles hold: that runs that program's code."""

from __future__ import annotations

import time
from collections.abc import Sequence
from queue import Empty, SimpleQueue
from typing import Final

import msgspec

from loom_bench.protocol.decoding import DecodedPickle, DecodePickles, PicklesDecoded
from loom_bench.protocol.diagnosis import Diagnosis
from loom_bench.session.endings import ended
from loom_bench.session.host_process import HostEnded, HostNews, HostProcess
from loom_bench.session.snapshots.reading import StoreReader
from loom_bench.session.snapshots.replay_run import ReplayFailedError
from loom_bench.session.snapshots.value import KeyHistory, StateRow

_LIMIT_S: Final = 20.0


def decode_in_host(
    target: str, pickles: Sequence[bytes], *, limit_s: float = _LIMIT_S
) -> tuple[DecodedPickle, ...]:
    """Return what *pickles* come to beside the module at *target*.

    Raises:
        ReplayFailedError: When the host ends, or has not answered after *limit_s* seconds.
        OSError: When no process can be started.
    """
    news: SimpleQueue[HostNews] = SimpleQueue()
    path = target if target.endswith(".py") else target.rpartition(":")[0]
    host = HostProcess(news.put)
    try:
        host.send(DecodePickles(target=path, pickles=tuple(pickles)))
        deadline_s = time.monotonic() + limit_s
        while True:
            try:
                item = news.get(timeout=max(0.0, deadline_s - time.monotonic()))
            except Empty:
                raise ReplayFailedError(_silent(limit_s)) from None
            if isinstance(item, PicklesDecoded):
                return item.values
            if isinstance(item, HostEnded):
                raise ReplayFailedError(ended(path, item, host.stack_dump(), ()))
    finally:
        host.close()


def decoded_history(target: str, reader: StoreReader, history: KeyHistory) -> KeyHistory:
    """Return a key's history with what another program's pickles come to; of one that cannot be
    decoded, its structure stays, and why.

    Raises:
        StoreError: When the store cannot be read.
        ReplayFailedError: As :func:`decode_in_host`.
        OSError: When no process can be started.
    """
    pickles = reader.foreign_pickles(history.step_id, history.key)
    if not pickles:
        return history
    decoded = dict(zip(pickles, decode_in_host(target, list(pickles.values())), strict=True))
    rows = tuple(_decoded_row(row, decoded.get(row.written_at_epoch)) for row in history.rows)
    return msgspec.structs.replace(history, rows=rows)


def _decoded_row(row: StateRow, value: DecodedPickle | None) -> StateRow:
    if value is None or row.readable:
        return row
    if not value.decoded:
        return msgspec.structs.replace(row, text=f"{row.text} (not decoded: {value.text})")
    return msgspec.structs.replace(row, text=value.text, readable=True, changes=())


def _silent(limit_s: float) -> Diagnosis:
    return Diagnosis(
        code="decoding_endless",
        message=f"the values were not decoded after {limit_s:g} s: their code does not return",
        hint="Look at their structure instead: leave --decode-in-host away.",
    )
