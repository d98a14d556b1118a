"""Which scenarios a run is about: what promotion needs, everything, or what one client does."""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal, get_args

#: `core`: what promotion needs. `full`: the slow scenarios too. Any other: what one client does.
Profile = Literal[
    "core",
    "full",
    "roo-native",
    "roo-compatible",
    "roo-indexing",
    "codex",
    "qoder",
    "cline",
    "opencode",
    "openai-sdk",
]

PROFILES: tuple[Profile, ...] = get_args(Profile)
CLIENT_PROFILES = tuple(name for name in PROFILES if name not in {"core", "full"})

SLOW = "slow"


def belongs(tags: Collection[str], profile: Profile) -> bool:
    """Whether a scenario with these tags is part of `profile`."""
    if profile == "full":
        return True
    if profile == "core":
        return SLOW not in tags
    return profile in tags
