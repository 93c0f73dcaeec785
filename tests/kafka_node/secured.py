"""Two further listeners of a Kafka node that ask who comes, one of them over TLS."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

USER = "flow"
PASSWORD = "correct-horse"

_STORE_PASSWORD = "only-for-tests"
_KEYTOOL_TIMEOUT_S = 60

_PROPERTIES = """
listeners={listeners},LOGIN://127.0.0.1:{login_port},TLS://127.0.0.1:{tls_port}
advertised.listeners={advertised},LOGIN://127.0.0.1:{login_port},TLS://127.0.0.1:{tls_port}
listener.security.protocol.map=BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT,LOGIN:SASL_PLAINTEXT,TLS:SASL_SSL
sasl.enabled.mechanisms=PLAIN
listener.name.login.plain.sasl.jaas.config={login}
listener.name.tls.plain.sasl.jaas.config={login}
listener.name.tls.ssl.keystore.type=PKCS12
listener.name.tls.ssl.keystore.location={store}
listener.name.tls.ssl.keystore.password={password}
"""


@dataclass(frozen=True)
class SecuredListeners:
    """Where they listen and whom they trust.

    Attributes:
        login_port: SASL without TLS.
        tls_port: SASL over TLS.
        folder: Holds the key and the certificate.
    """

    login_port: int
    tls_port: int
    folder: Path

    @property
    def login(self) -> str:
        """Address of the listener without TLS."""
        return f"127.0.0.1:{self.login_port}"

    @property
    def tls(self) -> str:
        """Address of the listener with TLS."""
        return f"127.0.0.1:{self.tls_port}"

    @property
    def certificate(self) -> Path:
        """The certificate that clients must trust, as PEM."""
        return self.folder / "certificate.pem"

    def prepare(self, keytool: Path) -> None:
        """Make a key for 127.0.0.1 and its certificate."""
        store = ["-keystore", str(self._store), "-storetype", "PKCS12", "-alias", "node"]
        secret = ["-storepass", _STORE_PASSWORD]
        name = ["-dname", "CN=loom-bench-test", "-ext", "SAN=IP:127.0.0.1", "-validity", "3650"]
        commands = (
            ["-genkeypair", "-keyalg", "EC", *store, *secret, *name],
            ["-exportcert", "-rfc", "-file", str(self.certificate), *store, *secret],
        )
        for command in commands:
            subprocess.run(
                [str(keytool), *command],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=_KEYTOOL_TIMEOUT_S,
                check=True,
            )

    def properties(self, listeners: str, advertised: str) -> str:
        """What a node's properties say about them, and of all its listeners."""
        login = (
            "org.apache.kafka.common.security.plain.PlainLoginModule required "
            f'user_{USER}="{PASSWORD}";'
        )
        return _PROPERTIES.format(
            listeners=listeners,
            advertised=advertised,
            login_port=self.login_port,
            tls_port=self.tls_port,
            login=login,
            store=self._store,
            password=_STORE_PASSWORD,
        )

    @property
    def _store(self) -> Path:
        return self.folder / "key.p12"
