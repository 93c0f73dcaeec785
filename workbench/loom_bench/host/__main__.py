"""``python -m loom_bench.host CHANNEL_FD DUMP_FD``: started by the bench only."""

from __future__ import annotations

import faulthandler
import os
import signal
import socket
import sys


def main() -> None:
    """Serve the bench on the inherited socket; C-level crashes go to the inherited file."""
    channel_fd, dump_fd = (int(argument) for argument in sys.argv[1:3])
    for descriptor in (channel_fd, dump_fd):
        os.set_inheritable(descriptor, False)  # not for processes that the flow starts
    faulthandler.enable(dump_fd)
    faulthandler.register(signal.SIGUSR1, dump_fd)  # the bench asks where a drain hangs
    # A print shows at once, and text that the locale cannot encode does not fail the flow.
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True, errors="backslashreplace")  # type: ignore[union-attr]

    from loom_bench.host.server import Server  # noqa: PLC0415 - crashes in it are dumped by now

    Server(socket.socket(fileno=channel_fd), dump_fd).serve()


if __name__ == "__main__":
    main()
