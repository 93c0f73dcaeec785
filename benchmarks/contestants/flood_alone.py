"""The flood's flow without the bench: what a service would run."""

from __future__ import annotations

import sys

from benchmarks.contestants.flooding import flow
from loom_runtime import StreamingRunner

if __name__ == "__main__":
    StreamingRunner.from_yaml(flow, sys.argv[1]).run()
