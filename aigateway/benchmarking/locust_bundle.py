"""Locust, in an environment of its own.

Its packages would fit beside ours, but it brings a plugin for pytest, which the acceptance run would then load, and
gevent: what is proven is not to depend on what measures it.
"""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from aigateway.installing.bundle import Bundle
from aigateway.installing.environment import ensure_environment

LOCK = Path(__file__).with_name("locust.lock")

BUNDLE = Bundle(
    title="Locust",
    lock=LOCK,
    packages={"locust": "Locust"},
    programs=("locust",),
    compiled=("locust", "gevent"),
    # Measured with the lock of Locust 2.47.0: 83 MB at the end.
    needed_bytes=200_000_000,
    where="no package registry has all of Locust for it: measure on Linux or macOS",
)


def ensure_locust(console: Console) -> Path:
    """The Python that Locust runs with; its environment is made now, with its progress on `console`, if need be.

    Raises RuntimeInstallError when it cannot be made.
    """
    return ensure_environment(BUNDLE, console) / "bin" / "python"
