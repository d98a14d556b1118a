"""The packages that a lock pins: which, at which version, with which hashes.

The lock is in pip's requirements format, made by `scripts/lock`: one block a package, whose first line is the
requirement and whose indented lines are its hashes. One lock serves every Python and system, so a package can
have several blocks with different markers.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from aigateway.errors import RuntimeInstallError

_BLOCK = re.compile(r"^(?=[A-Za-z0-9])", re.MULTILINE)


@dataclass(frozen=True)
class Pin:
    """One package of the lock; `block` is its part of the lock, hashes included."""

    name: str
    version: str
    block: str


def read_pins(lock: Path) -> dict[str, Pin]:
    """The packages that `lock` has for this Python on this machine, by name.

    Raises RuntimeInstallError when the lock cannot be read or a package in it is not pinned.
    """
    try:
        text = lock.read_text(encoding="utf-8")
    except OSError as error:
        raise RuntimeInstallError(
            f"{lock}: cannot be read: {error.strerror}; reinstall aigateway, or make it with scripts/lock"
        ) from error
    pins = {}
    for block in _BLOCK.split(text)[1:]:
        requirement = Requirement(block.splitlines()[0].rstrip("\\ "))
        if requirement.marker is None or requirement.marker.evaluate():
            pin = Pin(canonicalize_name(requirement.name), _pinned_version(requirement, lock), block)
            pins[pin.name] = pin
    return pins


def _pinned_version(requirement: Requirement, lock: Path) -> str:
    specifiers = list(requirement.specifier)
    if len(specifiers) != 1 or specifiers[0].operator != "==":
        raise RuntimeInstallError(
            f"{lock}: {requirement} is not pinned with ==; make the lock with scripts/lock"
        )
    return specifiers[0].version
