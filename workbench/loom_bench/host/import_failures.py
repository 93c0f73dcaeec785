"""What an import raised, as a diagnosis that points into the user's file."""

from __future__ import annotations

import difflib
import sys
from pathlib import Path

import msgspec

from loom_bench.host.user_frames import user_frames
from loom_bench.protocol.diagnosis import CodeFrame, Diagnosis
from loom_bench.user_files import is_user_file, source_line


def import_failure(error: BaseException, path: Path) -> Diagnosis:
    """Return what *error*, raised while the module at *path* was imported, means."""
    frames = user_frames(error.__traceback__)
    if isinstance(error, SyntaxError) and error.filename and is_user_file(error.filename):
        return _syntax_error(error, frames)
    hint: str | None
    if isinstance(error, SystemExit):
        code, message, hint = (
            "import_exited",
            f"it calls sys.exit({'' if error.code is None else repr(error.code)}) when imported",
            "Guard what a script does with: if __name__ == '__main__':",
        )
    else:
        code, message, hint = "import_failed", described(error), _hint(error)
    return _at_last_frame(
        Diagnosis(
            code=code,
            message=message,
            component=path.name,
            file=str(path),
            hint=hint,
            frames=frames,
        )
    )


def raised_diagnosis(
    error: BaseException,
    *,
    code: str,
    component: str,
    file: str | None = None,
    line: int | None = None,
    hint: str | None = None,
) -> Diagnosis:
    """Return what *error* means, at the user's innermost frame or else at *file* and *line*."""
    return _at_last_frame(
        Diagnosis(
            code=code,
            message=described(error),
            component=component,
            file=file,
            line=line,
            source=source_line(file, line) if file is not None and line is not None else None,
            hint=hint,
            frames=user_frames(error.__traceback__),
        )
    )


def described(error: BaseException) -> str:
    """Return type and text of *error*; an exception whose text cannot be made is named only."""
    kind = type(error).__qualname__
    try:
        text = str(error)
    except Exception:  # noqa: BLE001 - an exception's __str__ is user code too
        text = ""
    return f"{kind}: {text}" if text else kind


def _at_last_frame(diagnosis: Diagnosis) -> Diagnosis:
    if not diagnosis.frames:
        return diagnosis
    place = diagnosis.frames[-1]
    return msgspec.structs.replace(diagnosis, file=place.file, line=place.line, source=place.source)


def _hint(error: BaseException) -> str | None:
    if isinstance(error, ModuleNotFoundError) and error.name:
        top = error.name.partition(".")[0]
        near = difflib.get_close_matches(error.name, list(sys.modules), n=1)
        if top == "loom":
            return "Flows for this runtime import from loom_runtime."
        if near and near[0].partition(".")[0] != top:
            return f"Did you mean {near[0]}?"
        return f"Install what provides {top} into {sys.prefix}, or correct the import."
    return None


def _syntax_error(error: SyntaxError, frames: tuple[CodeFrame, ...]) -> Diagnosis:
    file, line = error.filename or "", error.lineno
    text = error.text.rstrip() if error.text else None
    if text is None and line is not None:
        text = source_line(file, line)
    return Diagnosis(
        code="syntax_error",
        message=f"{type(error).__name__}: {error.msg}",
        component=Path(file).name,
        file=file,
        line=line,
        column=error.offset,
        source=text,
        frames=frames,
    )
