"""Compiles flows for the bench and turns what they lack into diagnoses."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from loom_bench.host.client_security import client_security
from loom_bench.host.configuration import (
    UNKNOWN_BOOTSTRAP,
    config_diagnosis,
    find_configuration,
    read_configuration,
    replaced_brokers,
)
from loom_bench.host.import_failures import raised_diagnosis
from loom_bench.host.loading import (
    FEED_NAME,
    LoadError,
    feed_hash,
    find_flow,
    find_flows,
    import_module,
    imported_files,
    local_files,
    parse_target,
)
from loom_bench.protocol.diagnosis import Diagnosis
from loom_bench.protocol.frames import Check, Checked, Load, Loaded, LoadFailed
from loom_bench.user_files import source_line
from loom_runtime.compiler.compile import compile_flow
from loom_runtime.compiler.document import document_of
from loom_runtime.compiler.issues import CompilationError, CompilationIssue
from loom_runtime.config.errors import ConfigError
from loom_runtime.flow.process import StreamFlow
from loom_runtime.recovery.identity import identity_of

if TYPE_CHECKING:
    from loom_bench.host.running import RunnableFlow


def check(command: Check) -> Checked:
    """Import a module and compile every flow of it."""
    try:
        target = parse_target(command.target)
        module = import_module(target.path)
        if target.attribute is not None:
            flows = [find_flow(module, target.path, target.attribute)]
        else:
            flows = list(find_flows(module, target.path).values())
            if not flows:
                find_flow(module, target.path, None)
    except LoadError as error:
        return Checked(flows=(), diagnoses=(error.diagnosis,))
    file = find_configuration(target.path, command.config_path)
    diagnoses: list[Diagnosis] = []
    for flow in flows:
        try:
            compile_flow(flow, config=read_configuration(flow, file, None))
        except Exception as error:  # noqa: BLE001 - steps are built: user code may raise anything
            diagnoses += compile_diagnoses(error, flow)
    return Checked(
        flows=tuple(flow.name for flow in flows), diagnoses=tuple(dict.fromkeys(diagnoses))
    )


def compile_diagnoses(error: Exception, flow: StreamFlow[Any, Any]) -> Iterator[Diagnosis]:
    """Yield what *error*, raised while *flow* was compiled or configured, means."""
    if isinstance(error, CompilationError):
        for issue in error.issues:
            yield issue_diagnosis(issue, flow)
    elif isinstance(error, ConfigError):
        yield config_diagnosis(error)
    else:
        place = flow.declared_at
        yield raised_diagnosis(
            error,
            code="compile_failed",
            component=flow.name,
            file=None if place is None else place.file,
            line=None if place is None else place.line,
        )


def issue_diagnosis(issue: CompilationIssue, flow: StreamFlow[Any, Any]) -> Diagnosis:
    """Return *issue* as a diagnosis; one without a place is about the flow's declaration."""
    file, line, place = issue.file, issue.line, flow.declared_at
    if file is None and place is not None:
        file, line = place.file, place.line
    return Diagnosis(
        code=issue.code.value,
        message=issue.message,
        component=issue.component,
        field=issue.field,
        file=file,
        line=line,
        source=source_line(file, line) if file is not None and line is not None else None,
        hint=issue.hint,
    )


def load(command: Load) -> tuple[Loaded | LoadFailed, RunnableFlow | None]:
    """Import a module and compile the flow that the command names."""
    try:
        target = parse_target(command.target)
        module = import_module(target.path)
        flow = find_flow(module, target.path, target.attribute)
    except LoadError as error:
        return LoadFailed((error.diagnosis,), imported_files()), None
    try:
        return _compiled(command, module, flow, target.path)
    except Exception as error:  # noqa: BLE001 - steps are built: user code may raise anything
        return LoadFailed(tuple(compile_diagnoses(error, flow)), local_files(target.path)), None


def rehearse() -> None:
    """Load a flow of ours for what the first load leaves behind: compiled patterns, what is known
    of our own types. The first one takes three times as long as the next."""
    from loom_bench.host import rehearsal  # noqa: PLC0415 - a standby only

    path = Path(rehearsal.__file__)
    command = Load(target=str(path), bootstrap=UNKNOWN_BOOTSTRAP, plaintext=True, to_run=True)
    _compiled(command, rehearsal, rehearsal.flow, path)


def _compiled(
    command: Load, module: ModuleType, flow: StreamFlow[Any, Any], path: Path
) -> tuple[Loaded, RunnableFlow | None]:
    file = find_configuration(path, command.config_path)
    runnable: RunnableFlow | None = None
    replaced = replaced_brokers(file, command.bootstrap)
    config = read_configuration(flow, file, command.bootstrap, plaintext=command.plaintext)
    if command.to_run:
        from loom_bench.host.running import RunnableFlow  # noqa: PLC0415 - only to run

        runnable = RunnableFlow(flow, config, path, file)
        plan = runnable.runner.plan
    else:
        plan = compile_flow(flow, config=config)
    loaded = Loaded(
        plan=document_of(plan),
        module=module.__name__,
        module_files=local_files(path),
        config_sources=() if file is None else (str(file),),
        replaced_brokers=replaced,
        has_feed=callable(getattr(module, FEED_NAME, None)),
        feed_hash=feed_hash(module, flow),
        identity=identity_of(plan),
        store=None if runnable is None else runnable.configured_store,
        revision="" if runnable is None else runnable.revision,
        security=client_security(plan),
        source_brokers=",".join(plan.source.settings.brokers),
    )
    return loaded, runnable
