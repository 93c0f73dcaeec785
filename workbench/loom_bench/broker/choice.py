"""From what the user chose (`--broker`) to a broker that is up."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from loom_bench.broker.contract import Broker, BrokerError
from loom_bench.broker.embedded import EmbeddedBroker, binary_path
from loom_bench.broker.external import ExternalBroker
from loom_bench.broker.mock import MockBroker


def open_broker(choice: str) -> Broker:
    """Start or reach the chosen broker; stop it when done.

    Args:
        choice: `embedded`, or `HOST:PORT[,HOST:PORT…]` of a broker that runs already.

    Raises:
        BrokerError: no such choice, it could not be started, or it cannot be reached.
    """
    start = STARTERS.get(choice)
    if start is not None:
        return start()
    if ":" not in choice:
        raise BrokerError(
            f"{choice!r} is no kind of broker and no address",
            "--broker",
            f"Use {', '.join(STARTERS)} or HOST:PORT[,HOST:PORT…].",
        )
    return ExternalBroker.connect(choice)


def _start_embedded() -> Broker:
    return EmbeddedBroker.start() if binary_path() is not None else MockBroker.start()


STARTERS: Mapping[str, Callable[[], Broker]] = MappingProxyType({"embedded": _start_embedded})
"""The brokers that the bench starts itself, by the word that chooses them."""
