"""A broker of the user's that asks for a login: the configuration's security serves every client,
and nothing is written there before its address is typed."""

import json
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from loom_bench.broker import topics
from loom_bench.broker.choice import open_broker
from loom_bench.broker.contract import BrokerError
from loom_bench.broker.reading import RecordReader, read_to_end
from loom_bench.protocol.security import ClientSecurity
from loom_bench.session.live.session import LiveSession
from loom_bench.session.value import Phase, SessionValue
from tests.bench.runs import fed_flow
from tests.broker.processes import await_true
from tests.broker_fixtures import NewRecord, Topics
from tests.cli.commands import run
from tests.kafka_node import PASSWORD, USER, KafkaNode

pytestmark = pytest.mark.kafka

LISTENERS = ("login", "tls")


class Place:
    """A fed flow that reads and writes topics of its own, configured for a secured listener."""

    def __init__(self, folder: Path, node: KafkaNode, listener: str, password: str) -> None:
        secured = node.secured
        self.address = getattr(secured, listener)
        self.plain = Topics(node.bootstrap)
        self.source, self.sink, self.failed = (f"{name}-{uuid.uuid4().hex[:8]}" for name in "sof")
        self.path = fed_flow(folder, 300)
        text = self.path.read_text()
        text = text.replace('"orders"', f'"{self.source}"').replace("copies", self.sink)
        self.path.write_text(text)
        self.security = {
            "security.protocol": "SASL_SSL" if listener == "tls" else "SASL_PLAINTEXT",
            "sasl.mechanism": "PLAIN",
            "sasl.username": USER,
            "sasl.password": password,
        }
        if listener == "tls":
            self.security["ssl.ca.location"] = str(secured.certificate)
        named = {
            name.removeprefix("security.").replace(".", "_"): value
            for name, value in self.security.items()
        }
        client = {"brokers": [self.address], "security": named}
        self.path.with_suffix(".yaml").write_text(
            json.dumps(
                {"kafka": {"consumer": {**client, "group_id": self.source}, "producer": client}}
            )
        )

    def create(self, partitions: dict[str, int]) -> None:
        topics.create_topics(self.plain.bootstrap, partitions)

    @property
    def exists(self) -> bool:
        return self.source in topics.partition_counts(self.plain.bootstrap)


@pytest.fixture(params=LISTENERS)
def place(request: pytest.FixtureRequest, tmp_path: Path, secured_kafka_node: KafkaNode) -> Place:
    return Place(tmp_path, secured_kafka_node, request.param, PASSWORD)


def test_a_flow_is_fed_and_runs_once_its_address_was_typed(place: Place) -> None:
    arguments = ("run", place.path, "--broker", place.address, "--until-idle", "2")
    refused = run(*arguments, "--max-records", "1")
    assert refused.code != 0
    assert not place.exists

    done = run(*arguments, "--allow-writes-to", place.address)
    assert done.code == 0, done.out + done.err
    assert "fed 300 records" in done.out
    assert "ledger balanced" in done.out
    written = place.plain.read(place.sink)
    assert sorted(json.loads(record.value or b"")["id"] for record in written) == list(range(300))
    assert PASSWORD not in done.out + done.err


def test_in_a_session_the_address_is_typed_and_every_panel_is_served(place: Place) -> None:
    place.create({place.source: 2, place.sink: 1})
    place.plain.produce(place.source, [NewRecord(b'{"id": %d}' % i) for i in range(100)])
    with LiveSession.open(str(place.path), broker=place.address, feed_rate_per_s=200) as session:
        value = _await(session, lambda seen: _consumed(seen) == 100)
        assert (value.broker.kind, value.broker.writable) == ("external", False)
        assert not value.feed.available
        _await(session, lambda seen: bool(seen.commits) and seen.outputs_seen > 0)
        _await(session, lambda seen: {view.lag for view in seen.offsets} == {0})

        session.allow_writes(place.address + "0")
        _await(session, lambda seen: any("is not the address" in n.text for n in seen.notices))
        assert not session.value().broker.writable
        session.allow_writes(place.address)
        value = _await(session, lambda seen: seen.feed.delivered > 0)
        assert value.broker.writable
        _await(session, lambda seen: _consumed(seen) > 100)
        session.feed_record(None, '{"id": 7}')
        _await(session, lambda seen: any(n.text == "the record was written" for n in seen.notices))
        session.drain()
        _await(session, lambda seen: seen.phase is Phase.STOPPED)


def test_the_benchs_own_readers_log_in(place: Place) -> None:
    place.create({place.source: 1})
    place.plain.produce(place.source, [b"one", b"two"])
    with RecordReader(place.address, place.security) as reader:
        (batch,) = read_to_end(reader, [(place.source, 0)])
    assert [record.value for record in batch] == [b"one", b"two"]
    with pytest.raises(BrokerError), RecordReader(place.address) as reader:
        reader.partitions()


def test_the_records_of_a_fork_are_asked_for_with_the_flows_login(
    place: Place, tmp_path: Path
) -> None:
    store = tmp_path / "store"
    arguments = ("run", place.path, "--broker", place.address, "--until-idle", "2")
    done = run(*arguments, "--store", store, "--allow-writes-to", place.address)
    assert done.code == 0, done.out + done.err
    command = (place.path, "--store", store, "--json")
    assert run("snapshots", "fork", *command, "--name", "mine").code == 0
    for broker in ("configured", place.address):
        checked = run("snapshots", "check", *command, "mine", "--broker", broker)
        assert checked.code == 0, checked.out + checked.err
        assert [each["findings"] for each in checked.lines] == [[]]
        assert PASSWORD not in checked.out + checked.err


def test_topics_get_the_brokers_own_numbers(place: Place) -> None:
    with open_broker(place.address, allow_writes_to=place.address) as broker:
        broker.create_topics({place.source: 4}, place.security)
        broker.create_topics({place.source: 4, place.sink: 4}, place.security)
    found = topics.partition_counts(place.plain.bootstrap)
    assert (found[place.source], found[place.sink]) == (1, 1)


def test_a_listener_with_tls_is_told(secured_kafka_node: KafkaNode) -> None:
    with open_broker(secured_kafka_node.secured.tls) as broker:
        assert "speaks TLS" in broker.reason
    with open_broker(secured_kafka_node.secured.login) as broker:
        assert "may ask for a login" in broker.reason


@pytest.mark.parametrize("listener", LISTENERS)
def test_a_wrong_password_is_told_with_the_brokers_reason(
    tmp_path: Path, secured_kafka_node: KafkaNode, listener: str
) -> None:
    place = Place(tmp_path, secured_kafka_node, listener, "battery-staple")
    done = run(
        "run",
        place.path,
        "--broker",
        place.address,
        "--until-idle",
        "1",
        "--allow-writes-to",
        place.address,
    )
    assert done.code != 0
    assert "uthentication" in done.out
    assert "battery-staple" not in done.out + done.err


def test_settings_do_not_show_their_values() -> None:
    told = repr(ClientSecurity(reading={"sasl.password": "x-secret"}))
    assert "sasl.password" in told
    assert "x-secret" not in told


def test_the_address_is_typed_whole(tmp_path: Path) -> None:
    done = run("run", "f.py", "--broker", "127.0.0.1:9092", "--allow-writes-to", "127.0.0.1")
    assert done.code == 2
    assert "type the address of --broker" in done.err


def _consumed(value: SessionValue) -> int:
    return sum(view.row.consumed for view in value.offsets)


def _await(session: LiveSession, seen: Callable[[SessionValue], bool]) -> SessionValue:
    await_true(lambda: seen(session.value()), "the session gets there", 30)
    return session.value()
