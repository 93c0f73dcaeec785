"""The flow of the replay and bisect benchmarks: each account's balance, with a bug that one record
brings out."""

from collections.abc import Iterator

from loom_runtime import (
    FromTopic,
    IntoTopic,
    LoomStruct,
    Message,
    Process,
    StatefulStep,
    StreamFlow,
)

LARGE = 1_000_000


class Movement(LoomStruct):
    """A movement of an account."""

    id: int
    account: int
    amount: int


class Balance(LoomStruct):
    """An account's state; written with every movement."""

    id: int = 0
    count: int = 0
    total: int = 0


class Book(StatefulStep[Movement, Balance, Balance]):
    """Books movements; a large one is booked the wrong way round."""

    def key(self, message: Message[Movement]) -> str:
        """An account has one state."""
        return str(message.payload.account)

    def initial(self) -> Balance:
        """Nothing was moved."""
        return Balance()

    def execute(
        self, state: Balance, message: Message[Movement]
    ) -> tuple[Balance, Iterator[Balance]]:
        """Book one movement."""
        movement = message.payload
        amount = movement.amount if movement.amount < LARGE else -movement.amount
        after = Balance(movement.id, state.count + 1, state.total + amount)
        return after, iter((after,))


flow = StreamFlow(
    "travelled", FromTopic("movements", Movement), Process(Book), IntoTopic("balances", Balance)
)
