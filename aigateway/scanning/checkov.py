"""checkov, in an environment of its own: it pins other versions of half of what this project uses."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from aigateway.installing.bundle import Bundle
from aigateway.installing.environment import ensure_environment

LOCK = Path(__file__).with_name("checkov.lock")

BUNDLE = Bundle(
    title="checkov",
    lock=LOCK,
    packages={"checkov": "checkov"},
    programs=("checkov",),
    compiled=("checkov",),
    # Measured with the lock of checkov 3.3.30: 291 MB at the end.
    needed_bytes=500_000_000,
    where="no package registry has all of checkov for it: scan on Linux, macOS or in CI",
)


def ensure_checkov(console: Console) -> Path:
    """The folder of the environment with checkov; made now, with its progress on `console`, if this is its first use.

    Raises RuntimeInstallError when it cannot be made.
    """
    return ensure_environment(BUNDLE, console)
