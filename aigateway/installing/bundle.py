"""What is installed together, in one environment of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Bundle:
    """The packages of one lock, and what messages say of them."""

    title: str
    """What it is, in messages: `LiteLLM and Envoy`."""
    lock: Path
    """Made by scripts/lock from the `.in` beside it."""
    packages: Mapping[str, str]
    """Whose version a person wants to know: title by package."""
    programs: tuple[str, ...]
    """Which it has to have in `bin`."""
    compiled: tuple[str, ...]
    """The packages that are worth compiling while it is installed."""
    needed_bytes: int
    """Room that installing it takes, at the worst moment."""
    where: str
    """Where it can be installed, and what to do elsewhere."""
