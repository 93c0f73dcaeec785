"""The user's own broker: its address as text, and a short check that says what is wrong with it."""

import contextlib
import ipaddress
import queue
import re
import socket
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Literal

from loom_bench.broker import wire
from loom_bench.broker.contract import BrokerError, NotOwnedError
from loom_bench.broker.leaving import StoppedOnLeaving
from loom_bench.protocol.security import ClientSettings

_FORM = "HOST:PORT[,HOST:PORT…]"
# A DNS name's limits; underscores are no DNS, but container networks use them.
_LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_HOST_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*\.?")
_MAX_HOST_CHARS = 253
_PORT = re.compile(r"[0-9]{1,5}")


@dataclass(frozen=True, slots=True)
class Address:
    """Where one broker listens; an IPv6 host is kept without its brackets."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Cause(Enum):
    """Why an address cannot be used: what happened, and what to do next."""

    REFUSED = ("nothing listens there", "Start the broker, or correct the port.")
    UNRESOLVED = ("the name has no address", "Correct the name, or check the name service.")
    TIMEOUT = (
        "there was no answer in time",
        "Check that a firewall does not swallow the connection and that the broker is healthy.",
    )
    UNREACHABLE = ("there is no route to it", "Check the network, VPN and address.")
    CLOSED = (
        "it closed the connection without an answer",
        "The port may belong to a proxy, or to something else than Kafka.",
    )
    NOT_KAFKA = (
        "something answers there that does not speak Kafka",
        "Correct the port: it belongs to another service.",
    )

    def __init__(self, what: str, what_next: str) -> None:
        self.what = what
        self.what_next = what_next


def parse_addresses(text: str) -> tuple[Address, ...]:
    """Read `HOST:PORT[,HOST:PORT…]`; an IPv6 host stands in brackets. Blanks round an address
    do not count.

    Raises:
        BrokerError: an address is not of this form.
    """
    return tuple(_parse_address(part.strip(), text) for part in text.split(","))


def _parse_address(part: str, whole: str) -> Address:
    if not part:
        raise _malformed("an address is empty", whole)
    if "://" in part:
        raise _malformed(f"{part!r} names a protocol", whole)
    host, colon, port_text = part.rpartition(":")
    if part.startswith("["):
        closed = host.endswith("]")
        if not colon or not closed or not _is_ipv6(host[1:-1]):
            raise _malformed(f"{part!r} is no IPv6 address in brackets with a port", whole)
        host = host[1:-1]
    elif ":" in host:
        raise _malformed(f"{part!r} has more than one colon; put an IPv6 host in brackets", whole)
    elif not colon:
        raise _malformed(f"{part!r} has no port", whole)
    elif len(host) > _MAX_HOST_CHARS or not _HOST_NAME.fullmatch(host):
        raise _malformed(f"{host!r} is no host name", whole)
    if not _PORT.fullmatch(port_text) or not 1 <= int(port_text) <= 65_535:
        raise _malformed(f"{port_text!r} is no port between 1 and 65535", whole)
    return Address(host, int(port_text))


def _is_ipv6(host: str) -> bool:
    try:
        ipaddress.IPv6Address(host)
    except ValueError:
        return False
    return True


def _malformed(what: str, whole: str) -> BrokerError:
    return BrokerError(what, f"--broker {whole!r}", f"Write it as {_FORM}.")


def check_reachable(addresses: Sequence[Address], *, timeout_s: float = 3.0) -> wire.ClusterFacts:
    """Whether one of the addresses is a Kafka broker whose cluster can be reached as well.

    All are tried at once; the first that answers counts. It sends clients on to the addresses
    that its cluster advertises, so one of those must answer too.

    Args:
        addresses: at least one.
        timeout_s: limit of each of the two steps, in seconds; name look-ups included.

    Raises:
        BrokerError: none answers, or what answers sends clients on to where nothing does.
    """
    facts, causes = _first_answer(addresses, timeout_s)
    if facts is None:
        raise _unreachable("no broker can be reached", causes)
    advertised = [Address(host, port) for host, port in facts.brokers]
    if advertised and not set(advertised) & set(addresses):
        onward, causes = _first_answer(advertised, timeout_s)
        if onward is None:
            raise _unreachable(
                f"{_listed(addresses)} answers, but sends clients on to addresses "
                "that cannot be reached from here",
                causes,
                "Correct the broker's advertised.listeners, or make those names reachable.",
            )
    return facts


def _first_answer(
    addresses: Sequence[Address], timeout_s: float
) -> tuple[wire.ClusterFacts | None, dict[Address, Cause]]:
    answers: queue.SimpleQueue[tuple[Address, wire.ClusterFacts | Cause]] = queue.SimpleQueue()

    def ask(address: Address) -> None:
        answers.put((address, _ask(address, timeout_s)))

    wanted = list(dict.fromkeys(addresses))
    for address in wanted:
        # A thread, because a name look-up has no time limit; a daemon, because it may outlast us.
        threading.Thread(target=ask, args=(address,), name="broker-check", daemon=True).start()
    causes = dict.fromkeys(wanted, Cause.TIMEOUT)
    deadline = time.monotonic() + timeout_s
    with contextlib.suppress(queue.Empty):
        for _ in wanted:
            address, answer = answers.get(timeout=max(0.0, deadline - time.monotonic()))
            if isinstance(answer, wire.ClusterFacts):
                return answer, causes
            causes[address] = answer
    return None, causes


def _ask(address: Address, timeout_s: float) -> wire.ClusterFacts | Cause:
    try:
        return wire.probe(address.host, address.port, timeout_s=timeout_s)
    except (wire.NotKafkaError, wire.ClosedByPeerError) as error:
        # On plain text, what speaks TLS answers with an alert or hangs up.
        if wire.speaks_tls(address.host, address.port, timeout_s=timeout_s):
            return wire.ClusterFacts(None, (), tls=True)
        return Cause.CLOSED if isinstance(error, wire.ClosedByPeerError) else Cause.NOT_KAFKA
    except ConnectionRefusedError:
        return Cause.REFUSED
    except (socket.gaierror, ValueError):  # a name that cannot be one is a ValueError
        return Cause.UNRESOLVED
    except TimeoutError:
        return Cause.TIMEOUT
    except OSError:
        return Cause.UNREACHABLE


def _unreachable(
    what: str, causes: Mapping[Address, Cause], what_next: str | None = None
) -> BrokerError:
    each = "; ".join(f"{address}: {cause.what}" for address, cause in causes.items())
    advice = what_next or " ".join(dict.fromkeys(cause.what_next for cause in causes.values()))
    return BrokerError(f"{what}: {each}", _listed(causes), advice)


def _listed(addresses: Iterable[Address]) -> str:
    return ",".join(str(address) for address in addresses)


class ExternalBroker(StoppedOnLeaving):
    """A broker that the user runs: the bench reads and writes what flows do, and nothing else
    unless the user types its address to allow that."""

    kind: Literal["external"] = "external"
    owned = False

    def __init__(self, addresses: Sequence[Address], facts: wire.ClusterFacts) -> None:
        self._addresses = tuple(addresses)
        self.facts = facts
        """What its cluster told when it was checked."""
        self.writable = False

    @classmethod
    def connect(cls, text: str, *, timeout_s: float = 3.0) -> "ExternalBroker":
        """Check `HOST:PORT[,HOST:PORT…]` and take it as the session's broker.

        Raises:
            BrokerError: the text is malformed, or no broker can be reached.
        """
        addresses = parse_addresses(text)
        return cls(addresses, check_reachable(addresses, timeout_s=timeout_s))

    @property
    def bootstrap(self) -> str:
        """The addresses as given, separated by commas."""
        return _listed(self._addresses)

    @property
    def lasting(self) -> str:
        """The addresses."""
        return self.bootstrap

    @property
    def limits(self) -> tuple[str, ...]:
        """What the bench does not do there."""
        if self.writable:
            return ()
        return (
            "The bench creates no topics and writes no feed on a broker that it did not start.",
        )

    def allow_writes(self, typed: str) -> None:
        """Let the bench create topics and write its feed there.

        Args:
            typed: the address, whole, as a user confirms that it is meant.

        Raises:
            BrokerError: it is not this broker's.
        """
        if typed.strip() != self.bootstrap:
            raise BrokerError(
                f"{typed!r} is not the address of this broker",
                self.bootstrap,
                "Type it whole: nothing is created or fed there without that.",
            )
        self.writable = True

    @property
    def reason(self) -> str:
        """Why this broker serves the session, for the screen."""
        if self.facts.tls:
            return "Given by its address; it speaks TLS: the flow's configuration has to."
        if not self.facts.brokers:
            return "Given by its address; it answers but tells nothing: it may ask for a login."
        count = len(self.facts.brokers)
        size = "1 broker" if count == 1 else f"{count} brokers"
        return f"Given by its address; a cluster of {size}."

    def alive(self) -> bool:
        """True: only clients can tell, and they do."""
        return True

    def memory_bytes(self) -> int | None:
        """None: it is no process of ours."""
        return None

    def create_topics(
        self, partitions: Mapping[str, int], security: ClientSettings | None = None
    ) -> None:
        """Create topics that do not exist yet, with the numbers of partitions and replicas that the
        broker gives by itself.

        Raises:
            NotOwnedError: nobody has allowed it.
            BrokerError: refused.
        """
        if not self.writable:
            raise NotOwnedError(f"create topics ({', '.join(partitions)})", self.bootstrap)
        from loom_bench.broker import topics  # noqa: PLC0415 - the Kafka client takes a moment

        topics.create_by_default(self.bootstrap, partitions, security)

    def stop(self) -> None:
        """Do nothing: it was not started by the bench."""
