"""Brokers of the user's own: how their address is read, and what is said when it does not work."""

import socket
from collections.abc import Callable
from typing import TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loom_bench.broker.choice import open_broker
from loom_bench.broker.contract import BrokerError, NotOwnedError
from loom_bench.broker.embedded import EmbeddedBroker
from loom_bench.broker.external import Address, ExternalBroker, check_reachable, parse_addresses
from loom_bench.broker.mock import MockBroker
from tests.broker.peers import Serve, kafka, kafka_then, listening, says
from tests.kafka_node import KafkaNode

T = TypeVar("T")

labels = st.from_regex(r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,20}[A-Za-z0-9_])?", fullmatch=True)
hosts = st.one_of(
    st.lists(labels, min_size=1, max_size=4).map(".".join),
    st.ip_addresses(v=4).map(str),
    st.ip_addresses(v=6).map(str),
)
addresses = st.builds(Address, hosts, st.integers(1, 65_535))


def outcome(action: Callable[[], T]) -> T | BrokerError:
    try:
        return action()
    except BrokerError as error:
        return error


@given(st.lists(addresses, min_size=1, max_size=5), st.sampled_from([",", ", ", " ,"]))
def test_addresses_are_read_back_as_written(written: list[Address], separator: str) -> None:
    text = separator.join(str(address) for address in written)
    assert parse_addresses(text) == tuple(written)


@given(st.text(alphabet="ab.:[],-_/ 0129é\n\x00", max_size=30) | st.text(max_size=30))
def test_any_text_is_read_or_refused_with_the_right_form(text: str) -> None:
    parsed = outcome(lambda: parse_addresses(text))
    if isinstance(parsed, BrokerError):
        assert "HOST:PORT" in parsed.what_next
        assert repr(text) in parsed.where
    else:
        assert parse_addresses(",".join(str(address) for address in parsed)) == parsed
        assert all(1 <= address.port <= 65_535 and address.host for address in parsed)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("localhost", "'localhost' has no port"),
        ("localhost:", "'' is no port between 1 and 65535"),
        ("localhost:0", "'0' is no port"),
        ("localhost:65536", "'65536' is no port"),
        ("localhost:9092a", "'9092a' is no port"),
        ("localhost:٩٠٩٢", "is no port"),
        (":9092", "'' is no host name"),
        ("a host:9092", "'a host' is no host name"),
        ("a..b:9092", "'a..b' is no host name"),
        ("::1:9092", "put an IPv6 host in brackets"),
        ("[::1]", "no IPv6 address in brackets with a port"),
        ("[::1:9092", "no IPv6 address in brackets with a port"),
        ("[localhost]:9092", "no IPv6 address in brackets with a port"),
        ("kafka://localhost:9092", "names a protocol"),
        ("a:1,,b:2", "an address is empty"),
        ("", "an address is empty"),
    ],
)
def test_malformed_addresses_are_told_apart(text: str, complaint: str) -> None:
    with pytest.raises(BrokerError) as caught:
        parse_addresses(text)
    assert complaint in caught.value.what


def refused_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def silent(connection: socket.socket) -> None:
    while connection.recv(65_536):
        pass


@pytest.mark.parametrize(
    ("peer", "complaint"),
    [
        (silent, "no answer in time"),
        (says(b"HTTP/1.1 400 Bad Request\r\n\r\n"), "does not speak Kafka"),
        (says(b"SSH"), "does not speak Kafka"),
        (says(b""), "closed the connection without an answer"),
        (says(b"\x7f\xff\xff\xffloom"), "does not speak Kafka"),
    ],
    ids=["silent", "http", "short", "closing", "huge"],
)
def test_what_is_no_kafka_broker_is_told_apart(peer: Serve, complaint: str) -> None:
    with listening(peer) as port, pytest.raises(BrokerError) as caught:
        check_reachable([Address("127.0.0.1", port)], timeout_s=0.5)
    assert complaint in caught.value.what
    assert caught.value.where == f"127.0.0.1:{port}"


def test_nothing_listening_is_told_apart() -> None:
    with pytest.raises(BrokerError, match="nothing listens there"):
        check_reachable([Address("127.0.0.1", refused_port())])


def test_a_name_without_an_address_is_told_apart() -> None:
    # Fails without asking any name server: no such network interface.
    with pytest.raises(BrokerError, match="the name has no address"):
        check_reachable([Address("fe80::1%none", 9092)])


def test_every_address_is_named_with_its_own_cause() -> None:
    first, second = refused_port(), refused_port()
    with listening(says(b"HTTP/1.1 400")) as third, pytest.raises(BrokerError) as caught:
        check_reachable([Address("127.0.0.1", port) for port in (first, second, third)])
    assert f"127.0.0.1:{first}: nothing listens there" in caught.value.what
    assert f"127.0.0.1:{third}: something answers there" in caught.value.what
    assert caught.value.what_next.count("correct the port") == 1  # the same advice once


def test_one_good_address_of_several_is_enough(broker: EmbeddedBroker) -> None:
    text = f"127.0.0.1:{refused_port()},{broker.bootstrap}"
    assert ExternalBroker.connect(text).bootstrap == text


def test_an_advertised_address_that_leads_nowhere_is_told() -> None:
    nowhere = refused_port()
    with listening(kafka(("127.0.0.1", nowhere))) as port, pytest.raises(BrokerError) as caught:
        ExternalBroker.connect(f"127.0.0.1:{port}")
    assert "sends clients on to addresses that cannot be reached" in caught.value.what
    assert f"127.0.0.1:{nowhere}: nothing listens there" in caught.value.what
    assert "advertised.listeners" in caught.value.what_next


def test_an_advertised_address_that_answers_is_good_enough(broker: EmbeddedBroker) -> None:
    onward = int(broker.bootstrap.rpartition(":")[2])
    with listening(kafka(("127.0.0.1", onward), ("127.0.0.1", refused_port()))) as port:
        reached = ExternalBroker.connect(f"127.0.0.1:{port}")
    assert "a cluster of 2 brokers" in reached.reason


def test_a_broker_that_asks_for_a_login_counts_and_is_described() -> None:
    with listening(kafka(login=True)) as port:
        assert "may ask for a login" in ExternalBroker.connect(f"127.0.0.1:{port}").reason


brokers_field = st.builds(
    lambda host, port: b"\0\0\0\0\0\0\0\x01\0\0\0\0" + host + port + b"\xff\xff" * 2,
    st.sampled_from(
        [b"\xff\xff", b"\0\0", b"\0\x02..", b"\0\x03a\0b", b"\0\x04\xff\xfe..", b"\x7f"]
    ),
    st.integers(-2, 70_000).map(lambda port: port.to_bytes(4, "big", signed=True)),
)


@settings(deadline=None)  # it talks over sockets
@given(st.binary(max_size=60) | brokers_field, st.integers(0, 2))
def test_no_answer_whatever_breaks_the_check(answer: bytes, good_answers: int) -> None:
    with listening(kafka_then(answer, good_answers)) as port:
        result = outcome(lambda: check_reachable([Address("127.0.0.1", port)], timeout_s=0.5))
    if isinstance(result, BrokerError):
        assert f"127.0.0.1:{port}" in result.what


def test_what_answers_with_a_tls_alert_speaks_tls() -> None:
    with listening(says(b"\x15\x03\x03\x00\x02\x02\x46")) as port:
        facts = check_reachable([Address("127.0.0.1", port)])
    assert facts.tls
    assert facts.brokers == ()


@pytest.mark.parametrize("start", [EmbeddedBroker.start, MockBroker.start])
def test_a_broker_given_by_its_address_is_not_ours(
    start: Callable[[], EmbeddedBroker | MockBroker],
) -> None:
    with start() as theirs, open_broker(theirs.bootstrap) as broker:
        assert broker.kind == "external"
        assert not broker.owned
        assert broker.bootstrap == theirs.bootstrap
        assert broker.alive()
        assert broker.memory_bytes() is None
        with pytest.raises(NotOwnedError, match="create topics"):
            broker.create_topics({"t": 1})
        broker.stop()
        assert theirs.alive()


def test_a_word_that_is_no_broker_names_the_choices() -> None:
    with pytest.raises(BrokerError, match="no kind of broker") as caught:
        open_broker("embeded")
    assert "embedded or HOST:PORT" in caught.value.what_next


def test_the_embedded_broker_is_opened_by_its_name() -> None:
    with open_broker("embedded") as broker:
        assert (broker.kind, broker.owned) == ("embedded", True)
        broker.create_topics({"t": 2})


@pytest.mark.kafka
def test_a_real_kafka_broker_is_reached(kafka_node: KafkaNode) -> None:
    with open_broker(kafka_node.bootstrap) as broker:
        assert broker.kind == "external"
        assert "a cluster of 1 broker." in broker.reason
