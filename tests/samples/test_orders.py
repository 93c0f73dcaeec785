"""The orders flow: every kind of node, every record accounted for, poison included."""

from collections import Counter

from loom_runtime import ErrorKind, NodeKind, StreamingTestRunner, compile_flow
from sample_flows import orders
from tests.samples.command import run_json
from tests.samples.order_oracle import expected
from tests.samples.rows import Row, by_key, multiset, row_of

_CONFIG = {
    "kafka": {
        "consumer": {"brokers": ["localhost:9092"], "group_id": "orders", "topics": ["orders"]},
        "producer": {"brokers": ["localhost:9092"]},
    }
}


def test_orders_has_every_kind_of_node() -> None:
    plan = compile_flow(orders.flow, config=_CONFIG)
    assert {node.kind for node in plan.nodes} == set(NodeKind)


def test_orders_feed_is_the_same_every_time() -> None:
    assert list(orders.bench_feed()) == list(orders.bench_feed())


def test_orders_in_the_test_runner_equal_the_oracle() -> None:
    runner = StreamingTestRunner.from_flow(orders.flow, config=_CONFIG)
    runner.with_messages(orders.bench_feed()).run()

    wanted = expected(orders.bench_feed())
    written: dict[str, list[Row]] = {}
    for message in runner.output:
        written.setdefault(type(message.payload).__name__, []).append(row_of(message.payload))
    assert written.keys() == wanted.outputs.keys()
    for name, rows in wanted.outputs.items():
        assert multiset(written[name]) == multiset(rows), name
    assert by_key(written["CustomerTotal"], _customer) == by_key(
        wanted.outputs["CustomerTotal"], _customer
    )
    failed = Counter({kind.value: len(found) for kind, found in runner.errors.items() if found})
    assert failed == wanted.errors
    assert runner.errors.keys() == {ErrorKind.WIRE, ErrorKind.TASK, ErrorKind.BUSINESS}

    ledger = runner.ledger
    assert ledger is not None
    assert ledger.balanced
    records_written = sum(map(len, wanted.outputs.values()))
    assert ledger.totals() == _totals() | {"records_written": records_written}


def test_orders_run_by_the_command_count_their_poison() -> None:
    lines = run_json("sample_flows/orders.py", "--until-idle", "2")

    last = lines[-1]
    assert last["type"] == "ledger"
    assert last["balanced"] is True
    assert last["fed"] == orders.ORDERS
    assert {name: last[name] for name in _totals()} == _totals()
    (errors,) = [line for line in lines if line["type"] == "errors"]
    assert {group["kind"]: group["count"] for group in errors["groups"]} == dict(
        expected(orders.bench_feed()).errors
    )


def _totals() -> dict[str, int]:
    """What the ledger must say wherever the flow runs. How many rows are written depends on the
    partitions: each has minutes of its own."""
    wanted = expected(orders.bench_feed())
    errored = wanted.errors.total()
    assert min(wanted.errors.values()) > 30
    assert min(wanted.filtered, wanted.late) > 30
    return {
        "consumed": orders.ORDERS,
        "written": orders.ORDERS - errored - wanted.filtered,
        "errored": errored,
        "filtered": wanted.filtered,
        "dead_lettered": 0,
        "held": 0,
        "late": wanted.late,
        "envelopes_written": errored,
        "dead_letters_written": 0,
    }


def _customer(row: Row) -> str:
    return str(row["customer"])
