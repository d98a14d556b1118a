"""Where the effective settings of two environments differ, and which of them may.

What may not differ is what the features try: were it otherwise in the next environment, it would be unproven there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from aigateway.settings.model import Settings

#: Who uses an environment, where it stands, how much it takes and costs, and what is watched. All else is the same.
MAY_DIFFER = (
    "environment",
    "location.*",
    "names.*",
    "clients",
    # Two Azure OpenAI resources may call the same model's deployment differently.
    "azure.*.deployment",
    # The gate compares digests where they are known for all: with those that `aigateway pin` wrote.
    "images.*.digest",
    "limits.*",
    "scale.min_replicas",
    "scale.max_replicas",
    "ingress.allowed_ip_ranges",
    "observability.*",
    "front_door.requests_per_minute",
    "network.address_range",
    "network.vault_ip_ranges",
    "secret_versions.*",
    "promotion.*",
)

#: These cost much each month, so dev may do without; staging is what proves them for prod.
MAY_DIFFER_FROM_DEV = ("front_door.enabled", "network.enabled", "network.private_vault")


@dataclass(frozen=True)
class Difference:
    """A setting, by its dotted key, that is `before` in the environment before and `here` in this one."""

    key: str
    before: Any
    here: Any
    allowed: bool


def compare_settings(before: Settings, here: Settings) -> tuple[Difference, ...]:
    """Every setting that is not the same in both, in the model's order; a list counts as one."""
    patterns = (*MAY_DIFFER, *(MAY_DIFFER_FROM_DEV if before.environment == "dev" else ()))
    ours, theirs = dict(flatten(here.model_dump(mode="json"))), dict(flatten(before.model_dump(mode="json")))
    return tuple(
        Difference(
            key,
            theirs.get(key),
            ours.get(key),
            allowed=any(fnmatchcase(key, pattern) for pattern in patterns),
        )
        for key in dict.fromkeys((*theirs, *ours))
        if theirs.get(key) != ours.get(key)
    )


def flatten(group: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Each setting by its dotted key."""
    for name, value in group.items():
        if isinstance(value, dict):
            yield from flatten(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value
