"""Waiting for a condition, with a deadline."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable


def wait_until(condition: Callable[[], bool], *, seconds: float, every: float = 0.05) -> bool:
    """Ask `condition` every `every` seconds until it holds or `seconds` have passed; says whether it held.

    What `condition` raises ends the wait: that is how it says that waiting on is pointless.
    """
    deadline = time.monotonic() + seconds
    pause = threading.Event()
    while True:
        if condition():
            return True
        left = deadline - time.monotonic()
        if left <= 0:
            return False
        pause.wait(min(every, left))
