"""A host process as the bench sees it: commands in, news out, and certainly ended."""

from __future__ import annotations

import contextlib
import fcntl
import importlib.util
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Literal, NamedTuple, cast

from loom_bench.protocol.channel import Channel
from loom_bench.protocol.codec import ProtocolError
from loom_bench.protocol.frames import PROTOCOL_VERSION, BenchFrame, Hello, HostFrame
from loom_bench.session.lifeline import Lifeline
from loom_bench.session.stack_dump import has_main_thread
from loom_bench.session.stragglers import MARK, end_stragglers

StreamName = Literal["stdout", "stderr"]

_READ_BYTES = 256 * 1024
_PIPE_BYTES = 1024 * 1024
"""What a flow may print while the bench is busy, before it waits: the most that Linux allows."""

_MAX_LINE_BYTES = 64 * 1024
"""A longer line is cut in two, so that output without line ends takes no memory."""

_MAX_DUMP_BYTES = 256 * 1024
_DUMP_TIMEOUT_S = 2.0
_DUMP_LOOK_S = 0.02
_EXIT_TIMEOUT_S = 2.0
"""How long a host that closed its channel may take to end before it is killed."""

_LAST_FRAMES_S = 1.0
"""How long after a host's end its last frames may take to be read."""

_PIPE_TIMEOUT_S = 1.0
"""How long to read on when a process that left the host's group still holds its output."""


class OutputLine(NamedTuple):
    """A line that the flow printed, as it came: not safe to show."""

    stream: StreamName
    text: str


class HostEnded(NamedTuple):
    """The last news of a host.

    Attributes:
        exit_code: Its exit code; negative, the signal that ended it.
        protocol_problem: What was wrong with its last bytes on the channel.
    """

    exit_code: int
    protocol_problem: str | None


HostNews = HostFrame | OutputLine | HostEnded
"""What a host has to tell."""


class HostProcess:
    """One host process, in a session and process group of its own.

    Args:
        on_news: Called, from several threads, with everything that it tells; HostEnded comes last.
        on_lines: Called instead of it with what is printed, in blocks of whole lines as they came:
            a line is split off and decoded where it is looked at.

    Raises:
        OSError: When it could not be started.
    """

    def __init__(
        self,
        on_news: Callable[[HostNews], None],
        on_lines: Callable[[StreamName, bytes], None] | None = None,
    ) -> None:
        self._on_news = on_news
        self._on_lines = on_lines or self._tell_each
        self._ended = threading.Event()
        self._reaping = threading.Lock()
        self._mark = secrets.token_hex(16)
        with ExitStack() as undo:
            ours, theirs = socket.socketpair()
            undo.callback(ours.close)
            # No name in any folder: gone with the last process that holds it.
            self._dump = undo.enter_context(tempfile.TemporaryFile())
            with theirs:
                self._process = _started(theirs.fileno(), self._dump.fileno(), self._mark)
            undo.callback(self._discard)
            self._lifeline = Lifeline(self._process.pid, self._mark)
            undo.pop_all()
        self._channel: Channel[HostFrame] = Channel(ours, HostFrame)
        self._readers = [
            self._thread(stream, self._read_output, cast("IO[bytes]", pipe), stream)
            for stream, pipe in (
                ("stdout", self._process.stdout),
                ("stderr", self._process.stderr),
            )
        ]
        self._thread("frames", self._read_frames)
        self._thread("exit", self._close_after_exit)
        with contextlib.suppress(OSError):
            self._channel.send(Hello(PROTOCOL_VERSION, os.getpid()))

    @property
    def pid(self) -> int:
        """Its process id, which is its process group's too."""
        return self._process.pid

    @property
    def ended(self) -> bool:
        """Whether its last news was told."""
        return self._ended.is_set()

    def send(self, command: BenchFrame) -> None:
        """Send a command; one to a host that has ended is lost, as its HostEnded tells."""
        with contextlib.suppress(OSError):
            self._channel.send(command)

    def wait(self, timeout_s: float) -> bool:
        """Wait until its last news was told; return whether it was."""
        return self._ended.wait(timeout_s)

    def stack_dump(self) -> str:
        """Return the stacks that it dumped when it hung or crashed; empty when it did neither."""
        return self._dumped_from(0)

    def dump_stacks(self) -> str:
        """Have it dump its stacks now, also while its code holds the interpreter, and return them.

        Empty when it has not done so within 2 s.
        """
        known_bytes = os.fstat(self._dump.fileno()).st_size
        with self._reaping:
            if self._process.returncode is None:
                os.kill(self._process.pid, signal.SIGUSR1)
        deadline_s = time.monotonic() + _DUMP_TIMEOUT_S
        while time.monotonic() < deadline_s:
            dump = self._dumped_from(known_bytes)
            if has_main_thread(dump):
                return dump
            time.sleep(_DUMP_LOOK_S)
        return ""

    def kill(self) -> None:
        """End it and everything that it started, now; returns when its last news was told.

        Not to be called from within ``on_news``.
        """
        self._kill_group()
        self._ended.wait()

    def close(self) -> None:
        """Kill it if it still runs, and release what was held for it."""
        self.kill()
        self._dump.close()

    def _dumped_from(self, offset: int) -> str:
        dump = os.pread(self._dump.fileno(), _MAX_DUMP_BYTES, offset)
        return dump.decode("utf-8", "replace")

    def _thread(self, name: str, target: Callable[..., None], *args: object) -> threading.Thread:
        thread = threading.Thread(
            target=target, args=args, name=f"host-{self.pid}-{name}", daemon=True
        )
        thread.start()
        return thread

    def _read_frames(self) -> None:
        problem = None
        try:
            for frame in self._channel.receive():
                self._on_news(frame)
        except ProtocolError as error:
            problem = error.what
        self._end(problem)

    def _close_after_exit(self) -> None:
        """Close the channel of a host that has ended, should a process that left its group hold
        the other end: nothing would tell its end then."""
        with contextlib.suppress(ChildProcessError):
            os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT)
        if not self._ended.wait(_LAST_FRAMES_S):
            self._channel.close()

    def _end(self, problem: str | None) -> None:
        """See a host off that has closed its channel or broke it."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(0 if problem else _EXIT_TIMEOUT_S)
        self._kill_group()
        with self._reaping:
            exit_code = self._process.wait()
            # What it started and left behind; the group's id is free only when they are gone.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
        end_stragglers(self._mark)
        for reader in self._readers:
            reader.join(_PIPE_TIMEOUT_S)
        self._lifeline.release()
        self._channel.close()
        self._on_news(HostEnded(exit_code, problem))
        self._ended.set()

    def _kill_group(self) -> None:
        with self._reaping:
            if self._process.returncode is None:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(self._process.pid, signal.SIGKILL)

    def _discard(self) -> None:
        self._kill_group()
        self._process.wait()
        for pipe in (self._process.stdout, self._process.stderr):
            if pipe is not None:
                pipe.close()

    def _read_output(self, pipe: IO[bytes], stream: StreamName) -> None:
        rest = b""
        with pipe:
            with contextlib.suppress(OSError):  # it stays as small as it is
                fcntl.fcntl(pipe.fileno(), fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
            while chunk := os.read(pipe.fileno(), _READ_BYTES):
                end = chunk.rfind(b"\n") + 1
                if end:
                    self._on_lines(stream, rest + chunk[:end])
                    rest = b""
                rest += chunk[end:]
                while len(rest) > _MAX_LINE_BYTES:
                    self._on_lines(stream, rest[:_MAX_LINE_BYTES])
                    rest = rest[_MAX_LINE_BYTES:]
        if rest:
            self._on_lines(stream, rest)

    def _tell_each(self, stream: StreamName, block: bytes) -> None:
        for line in block.removesuffix(b"\n").split(b"\n"):
            self._on_news(OutputLine(stream, line.decode("utf-8", "backslashreplace")))


def _started(channel_fd: int, dump_fd: int, mark: str) -> subprocess.Popen[bytes]:
    # -P: a module in the working directory must not take the place of one of ours.
    command = [sys.executable, "-P", "-m", "loom_bench.host", str(channel_fd), str(dump_fd)]
    return subprocess.Popen(  # noqa: S603 - our own module
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        pass_fds=(channel_fd, dump_fd),
        start_new_session=True,
        env={**_environment(), MARK: mark},
    )


def _environment() -> dict[str, str]:
    """Return the environment in which the host finds our packages, installed or not."""
    roots = []
    for package in ("loom_runtime", "loom_bench"):
        spec = importlib.util.find_spec(package)
        if spec is not None and spec.origin is not None:
            roots.append(str(Path(spec.origin).parent.parent))
    given = os.environ.get("PYTHONPATH")
    paths = [*(given.split(os.pathsep) if given else ()), *_not_installed(roots)]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)} if paths else dict(os.environ)


def _not_installed(roots: list[str]) -> list[str]:
    return [root for root in roots if "site-packages" not in root and "dist-packages" not in root]
