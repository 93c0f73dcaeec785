"""What the compiler refuses: stable codes, issues and the error that carries them."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from loom_runtime.declaration import SourceLocation
from loom_runtime.model import LoomFrozenStruct


class IssueCode(StrEnum):
    """Stable names of what can be wrong with a flow.

    The value is the contract: tools may match on it, so it never changes.
    """

    SHAPE_MISMATCH = "shape_mismatch"
    NODE_AFTER_TERMINAL = "node_after_terminal"
    OUTPUT_BESIDE_TERMINAL = "output_beside_terminal"
    NO_TERMINAL_OUTPUT = "no_terminal_output"
    BRANCH_WITHOUT_TERMINAL = "branch_without_terminal"
    FORK_WITHOUT_DEFAULT = "fork_without_default"
    UNSAFE_IN_ROUTER = "unsafe_in_router"
    UNSAFE_IN_SCOPE = "unsafe_in_scope"
    NOT_A_NODE = "not_a_node"

    EXPLODE_WITHOUT_ROUTER = "explode_without_router"
    EXPANDER_INCOMPLETE = "expander_incomplete"
    ROW_TYPE_WITHOUT_ROUTE = "row_type_without_route"

    STEP_CANNOT_BE_BUILT = "step_cannot_be_built"
    STEP_WITHOUT_EXECUTE = "step_without_execute"
    STEP_SIGNATURE = "step_signature"
    COROUTINE_OUTSIDE_WITH_ASYNC = "coroutine_outside_with_async"
    MISSING_DEPENDENCY = "missing_dependency"
    DEPENDENCY_CANNOT_BE_BUILT = "dependency_cannot_be_built"
    BATCH_SCOPE_NEEDS_FACTORY = "batch_scope_needs_factory"
    STATE_TYPE_UNKNOWN = "state_type_unknown"
    STATE_TYPE_NOT_A_STRUCT = "state_type_not_a_struct"

    ENVELOPE_NOT_PARAMETERISED = "envelope_not_parameterised"
    PAYLOAD_NOT_A_STRUCT = "payload_not_a_struct"
    MESSAGE_TYPE_CLAIMED_TWICE = "message_type_claimed_twice"

    KAFKA_CONFIG_MISSING = "kafka_config_missing"
    KAFKA_CONFIG_INVALID = "kafka_config_invalid"
    KAFKA_CONFIG_CONTRADICTORY = "kafka_config_contradictory"
    TOPIC_LOOP = "topic_loop"


class CompilationIssue(LoomFrozenStruct, frozen=True, kw_only=True):
    """One thing that is wrong with a flow.

    Attributes:
        code: Stable name of what is wrong.
        message: What is wrong.
        component: Node, source, sink or flow that it is about.
        field: Configuration field that it is about; ``None`` when none is.
        file: Source file of the declaration; ``None`` when it could not be found.
        line: Line in that file, from 1.
        hint: What to do next.
    """

    code: IssueCode
    message: str
    component: str
    field: str | None = None
    file: str | None = None
    line: int | None = None
    hint: str | None = None

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}: " if self.file is not None else ""
        config = f" (config: {self.field})" if self.field is not None else ""
        hint = f"\n    → {self.hint}" if self.hint else ""
        return f"{place}{self.component}: {self.message}{config} [{self.code.value}]{hint}"


class CompilationError(Exception):
    """A flow that cannot run, with every reason at once.

    Attributes:
        flow: Name of the flow.
        issues: Everything that is wrong, in the order of the flow.
    """

    def __init__(self, issues: Iterable[CompilationIssue], flow: str = "") -> None:
        self.issues: tuple[CompilationIssue, ...] = tuple(issues)
        self.flow = flow
        super().__init__(self.issues, flow)

    def __str__(self) -> str:
        count = len(self.issues)
        name = f"flow {self.flow!r}" if self.flow else "the flow"
        head = f"{name} cannot run: {count} {'issue' if count == 1 else 'issues'}"
        return "\n".join([head, *(f"  {issue}" for issue in self.issues)])


class IssueCollector:
    """Gathers issues while the compiler goes on."""

    def __init__(self) -> None:
        self._issues: list[CompilationIssue] = []

    def add(
        self,
        code: IssueCode,
        message: str,
        *,
        component: str,
        location: SourceLocation | None = None,
        field: str | None = None,
        hint: str | None = None,
    ) -> None:
        """Note one issue; the same one twice is kept once."""
        issue = CompilationIssue(
            code=code,
            message=message,
            component=component,
            field=field,
            file=location.file if location is not None else None,
            line=location.line if location is not None else None,
            hint=hint,
        )
        if issue not in self._issues:
            self._issues.append(issue)

    def raise_if_any(self, flow: str) -> None:
        """Raise :class:`CompilationError` when anything was noted."""
        if self._issues:
            raise CompilationError(self._issues, flow)
