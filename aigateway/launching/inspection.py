"""What LiteLLM's code says of itself: asked of the very LiteLLM that runs, since no list of ours would stay true."""

from __future__ import annotations

import fcntl
import hashlib

from aigateway.files import write_atomically
from aigateway.installing.environment import find_cache
from aigateway.launching.parts import Launcher, PartReference


def inspect_litellm(launcher: Launcher, litellm: PartReference, code: str) -> str:
    """The last line that `code` prints when it runs with the Python and the packages of `litellm`.

    To load LiteLLM takes as long as to start it, so that the line is kept for the next run with the same one.
    """
    name = hashlib.sha256("\n".join((launcher.identify(litellm), code)).encode()).hexdigest()[:16]
    path = find_cache() / "inspected" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists():
            # What LiteLLM says while it loads comes before.
            *_, answer = launcher.run_python(litellm, code).splitlines()
            write_atomically(path, answer)
    return path.read_text(encoding="utf-8")
