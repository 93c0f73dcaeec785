"""How the bench's own clients log in where the flow does, as its host tells it."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

ClientSettings = Mapping[str, str | int | float | bool]
"""Settings under librdkafka's names."""


class ClientSecurity(msgspec.Struct, frozen=True, kw_only=True):
    """Security settings of a flow's configuration. Secrets are among them.

    Attributes:
        reading: Those of its source.
        writing: Those of its first sink; of its source when there is none.
    """

    reading: ClientSettings = {}
    writing: ClientSettings = {}

    def __repr__(self) -> str:
        """Name the settings; their values may be passwords."""
        names = (sorted(each) for each in (self.reading, self.writing))
        return "ClientSecurity(reading={}, writing={})".format(*names)


NO_SECURITY = ClientSecurity()
"""Plain text, nobody asks who it is: a broker of the bench's own."""
