"""The process that runs a mock cluster, told what to do line by line on its standard input.

It writes one line `{"bootstrap": …}`, then answers each line `{"call": NAME, "args": […]}`
with `{"ok": true}` or `{"error": TEXT, "code": librdkafka's error or 0}`. The calls are the public
methods of `MockCluster`.
It ends with its input, so it cannot outlive the process that holds the other end.
"""

import json
import os
import sys
from typing import Any

from loom_bench.broker.librdkafka import MockCluster, MockClusterError


def main(library: str, broker_count: int) -> None:
    """Serve a mock cluster of `broker_count` brokers until standard input ends."""
    try:
        cluster = MockCluster(library, broker_count)
    except (OSError, MockClusterError) as error:
        sys.exit(f"no mock cluster: {error}")
    _say({"bootstrap": cluster.bootstrap()})
    for line in sys.stdin:
        _say(_answer(cluster, line))
    # Nothing to save: do not wait for librdkafka's threads.
    os._exit(0)


def _answer(cluster: MockCluster, line: str) -> dict[str, Any]:
    request = json.loads(line)
    name = request["call"]
    if name.startswith("_"):
        return {"error": f"no call {name}", "code": 0}
    try:
        getattr(cluster, name)(*request["args"])
    except MockClusterError as error:
        return {"error": str(error), "code": error.code}
    except (AttributeError, TypeError) as error:
        return {"error": str(error), "code": 0}
    return {"ok": True}


def _say(message: dict[str, Any]) -> None:
    print(json.dumps(message), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
