"""`python -m aigateway.simulator`: the child process of `server.start`, told over stdin what to be."""

from __future__ import annotations

import sys
from pathlib import Path

from aigateway.simulator.server import serve_parent

if __name__ == "__main__":
    # Unbuffered, so that the pipe's end is seen by the event loop and not swallowed by a buffer.
    with Path("/dev/stdin").open("rb", buffering=0) as orders:
        sys.exit(serve_parent(orders, sys.stdout))
