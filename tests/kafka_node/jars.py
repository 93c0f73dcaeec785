"""Finds the Java and the jars that a Kafka node needs, or says which of them is missing."""

import functools
import hashlib
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

#: The class files of Apache Kafka's server are compiled for Java 17.
MIN_JAVA = 17

_POM = Path(__file__).with_name("pom.xml")
_RESOLVE_TIMEOUT_S = 300
_JAVA_TIMEOUT_S = 20


class KafkaUnavailableError(Exception):
    """This machine cannot run Apache Kafka; the text says what it lacks."""


class KafkaUnresolvedError(KafkaUnavailableError):
    """Java and Maven are there, and Maven could not get Kafka's jars."""


@dataclass(frozen=True)
class KafkaJars:
    """A Java launcher and the class path of the Kafka server."""

    java: Path
    classpath: str


@functools.cache
def find_kafka() -> KafkaJars:
    """Find Java and let Maven resolve Kafka's jars into its local repository.

    The resolved class path is kept in the user's cache folder under the hash of the pom, so Maven
    runs once per pom and machine.

    Raises:
        KafkaUnavailableError: Java 17, Maven or a POSIX system is missing.
        KafkaUnresolvedError: Maven failed.
    """
    if os.name != "posix":
        raise KafkaUnavailableError("no POSIX system")
    java = _find_java()
    kept = _cache_file()
    classpath = _read_classpath(kept)
    if classpath is None:
        _resolve(kept)
        classpath = _read_classpath(kept)
    if classpath is None:
        raise KafkaUnresolvedError(f"Maven could not resolve {_POM.name}: it named no jars")
    return KafkaJars(java=java, classpath=classpath)


def _find_java() -> Path:
    found = []
    for java in _java_candidates():
        version = _java_version(java)
        if version is not None and version >= MIN_JAVA:
            return java
        if version is not None:
            found.append(f"{java} is Java {version}")
    detail = f": {', '.join(found)}" if found else ""
    raise KafkaUnavailableError(f"no Java {MIN_JAVA}{detail}")


def _java_candidates() -> Iterator[Path]:
    home = os.environ.get("JAVA_HOME")
    if home:
        yield Path(home, "bin", "java")
    on_path = shutil.which("java")
    if on_path is not None:
        yield Path(on_path)


def _java_version(java: Path) -> int | None:
    try:
        answer = subprocess.run(
            [java, "-version"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_JAVA_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    # "1.8.0_392" before Java 9, "17.0.15" or "25" since.
    match = re.search(r'version "(?:1\.)?(\d+)', answer.stderr)
    return int(match[1]) if match else None


def _cache_file() -> Path:
    pom_hash = hashlib.sha256(_POM.read_bytes()).hexdigest()[:16]
    cache = os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()
    return Path(cache, "loom-bench", f"kafka-classpath-{pom_hash}.txt")


def _read_classpath(kept: Path) -> str | None:
    """Return the kept class path if every jar that it names is still there."""
    try:
        classpath = kept.read_text().strip()
    except FileNotFoundError:
        return None
    jars = [Path(jar) for jar in classpath.split(os.pathsep) if jar]
    return classpath if jars and all(jar.is_file() for jar in jars) else None


def _resolve(kept: Path) -> None:
    maven = shutil.which("mvn")
    if maven is None:
        raise KafkaUnavailableError("no Maven")
    kept.parent.mkdir(parents=True, exist_ok=True)
    # Test processes may resolve at the same time; each writes its own file and moves it in place.
    written = kept.with_suffix(f".{os.getpid()}")
    command = [maven, "--batch-mode", "--quiet", "--file", str(_POM)]
    command += ["dependency:build-classpath", "-DincludeScope=runtime"]
    command += [f"-Dmdep.outputFile={written}"]
    try:
        answer = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=_RESOLVE_TIMEOUT_S,
            check=False,
        )
        if answer.returncode != 0:
            raise KafkaUnresolvedError(
                f"Maven could not resolve {_POM.name}: {_first_error(answer.stdout)}"
            )
        written.replace(kept)
    except subprocess.TimeoutExpired:
        raise KafkaUnresolvedError(
            f"Maven could not resolve {_POM.name} in {_RESOLVE_TIMEOUT_S} s"
        ) from None
    finally:
        written.unlink(missing_ok=True)


def _first_error(output: str) -> str:
    for line in output.splitlines():
        if "ERROR" in line:
            return line.partition("ERROR]")[2].strip() or line
    return output.strip()[-200:] or "it said nothing"
