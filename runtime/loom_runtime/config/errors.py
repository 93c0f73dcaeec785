"""What is raised when configuration is absent, malformed or does not fit its type."""

from __future__ import annotations


class ConfigError(Exception):
    """One thing wrong with the configuration: where, what, and what to do next.

    Attributes:
        problem: What is wrong, one clause.
        advice: What to do next, one sentence.
        field: Path of the offending key, such as ``kafka.consumer.brokers``; empty when the
            whole document is meant.
        file: File, or the name of the mapping, that the offending value was read from.
        line: Line in that file, 1 for the first; ``None`` when it is not known.
    """

    def __init__(
        self,
        problem: str,
        *,
        advice: str,
        field: str = "",
        file: str | None = None,
        line: int | None = None,
    ) -> None:
        """Compose the message from its parts."""
        self.problem = problem
        self.advice = advice
        self.field = field
        self.file = file
        self.line = line
        super().__init__(problem)

    @property
    def where(self) -> str:
        """Return ``file:line``, or as much of it as is known."""
        if self.file is None:
            return "configuration"
        return self.file if self.line is None else f"{self.file}:{self.line}"

    def __str__(self) -> str:
        """Return the whole error on one line."""
        subject = f"{self.field}: " if self.field else ""
        return f"{self.where}: {subject}{self.problem}. {self.advice}"

    def __reduce__(self) -> tuple[object, ...]:
        """Keep every part when the error crosses a process boundary."""
        return (
            _restored,
            (type(self), self.problem, self.advice, self.field, self.file, self.line),
        )


def _restored(
    cls: type[ConfigError],
    problem: str,
    advice: str,
    field: str,
    file: str | None,
    line: int | None,
) -> ConfigError:
    return cls(problem, advice=advice, field=field, file=file, line=line)
