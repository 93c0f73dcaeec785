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

    # Crashes in these are dumped by now.
    from loom_bench.host.printing import print_in_blocks  # noqa: PLC0415
    from loom_bench.host.server import Server  # noqa: PLC0415

    print_in_blocks()
    Server(socket.socket(fileno=channel_fd), dump_fd).serve()


if __name__ == "__main__":
    main()
