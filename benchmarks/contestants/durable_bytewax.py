"""For comparison and to try the harness: the durability flows on Bytewax's own connectors.

It cannot be drained: ending its input would let go of its state.
"""

from __future__ import annotations

import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
from bytewax import operators as op
from bytewax.connectors.kafka import KafkaSink, KafkaSinkMessage, KafkaSource
from bytewax.dataflow import Dataflow
from bytewax.recovery import RecoveryConfig, init_db_dir
from bytewax.run import cli_main

from benchmarks.job import CONSUMER_SETTINGS, PRODUCER_SETTINGS
from benchmarks.movements import Life, Movement, Row
from benchmarks.pace import pace

_decode = msgspec.json.Decoder(Movement).decode
_encode = msgspec.json.Encoder().encode


def _written(row: Row) -> KafkaSinkMessage[bytes | None, bytes | None]:
    return KafkaSinkMessage(b"%d" % row.account, _encode(row))


def _account(message: Any) -> str:
    return str(_decode(message.value).account)


def _double(message: Any) -> KafkaSinkMessage[bytes | None, bytes | None]:
    movement = _decode(message.value)
    pace()
    return _written(Row(movement.id, movement.account, 0, 2 * movement.amount))


def _balance(
    state: tuple[int, int] | None, message: Any
) -> tuple[tuple[int, int], KafkaSinkMessage[bytes | None, bytes | None]]:
    movement = _decode(message.value)
    pace()
    seen, total = state or (0, 0)
    after = seen + 1, total + movement.amount
    return after, _written(Row(movement.id, movement.account, *after))


def build(life: Life) -> Dataflow:
    """One of the two flows."""
    consumer: dict[str, Any] = CONSUMER_SETTINGS
    producer: dict[str, Any] = PRODUCER_SETTINGS
    flow = Dataflow("movements")
    source = KafkaSource(
        [life.broker], [life.source], add_config=consumer, batch_size=life.batch_records
    )
    movements = op.input("movements", flow, source)
    if life.stateful:
        keyed = op.key_on("account", movements, _account)
        rows = op.key_rm("unkey", op.stateful_map("balance", keyed, _balance))
    else:
        rows = op.map("double", movements, _double)
    op.output("rows", rows, KafkaSink([life.broker], life.sink, add_config=producer))
    return flow


def run(life: Life) -> None:
    """Run until the process is ended."""
    store = Path(life.store)
    if not any(store.iterdir()):
        if life.process_id in {None, 0}:
            init_db_dir(store, 4)  # type: ignore[no-untyped-call]
        while len(list(store.glob("*.sqlite3"))) < 4:
            time.sleep(0.01)
    cli_main(  # type: ignore[no-untyped-call]
        build(life),
        epoch_interval=timedelta(milliseconds=life.epoch_interval_ms),
        recovery_config=RecoveryConfig(str(store)),  # type: ignore[no-untyped-call]
        process_id=life.process_id,
        addresses=list(life.addresses) or None,
    )


if __name__ == "__main__":
    run(msgspec.json.decode(sys.argv[1], type=Life))
