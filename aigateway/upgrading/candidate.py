"""The LiteLLM that is to be tried: one that is known to be no danger, and that the package registry has."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from aigateway.errors import AigatewayError
from aigateway.rules.images import LITELLM_FLOOR, MALICIOUS_LITELLM

PACKAGE = "litellm"
#: In place of a version: the newest that the package registry has.
LATEST = "latest"

#: What the package registry has, as it says them.
VersionLister = Callable[[], Sequence[str]]

_WHOLE = re.compile(r"v?(\d+)\.(\d+)\.(\d+)")
_LISTED = re.compile(r"^Available versions: (.+)$", re.MULTILINE)
_NAMED = 5
_SECONDS = 300


@dataclass(frozen=True, order=True)
class Version:
    """A released version of LiteLLM; its image has the same one as its tag."""

    major: int
    minor: int
    patch: int

    @property
    def tag(self) -> str:
        """The tag of its image."""
        return f"v{self}"

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}.{self.patch}"


def read_version(text: str) -> Version:
    """The version that `text` names, with or without a v. Raises AigatewayError where it names no whole one."""
    found = _parse(text)
    if found is None:
        raise AigatewayError(
            f"'{text}' is no released version of LiteLLM; must be a whole one such as 1.106.2, or {LATEST}"
        )
    return found


def find_candidate(text: str, present: Version, list_versions: VersionLister) -> Version:
    """The version that `text` names, or the newest one for LATEST: there is one, and it is known to be no danger.

    The registry is asked only where that is needed. Raises AigatewayError.
    """
    wanted = None if text == LATEST else read_version(text)
    if wanted == present:
        return present
    if wanted:
        _require_harmless(wanted)
    there = sorted(filter(None, map(_parse, list_versions())), reverse=True)
    if wanted is None:
        if not there:
            raise AigatewayError(f"the package registry has no released version of {PACKAGE}")
        _require_harmless(there[0])
        return there[0]
    if wanted not in there:
        newest = ", ".join(map(str, there[:_NAMED]))
        raise AigatewayError(f"the package registry has no {PACKAGE} {wanted}; its newest are {newest}")
    return wanted


def ask_registry() -> Sequence[str]:
    """Every version of LiteLLM that the package registry has, as pip reaches it.

    Raises AigatewayError where it does not answer.
    """
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", "index", "versions"]
    try:
        done = subprocess.run(
            [*command, PACKAGE],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise AigatewayError(
            f"the package registry did not answer in {_SECONDS} s; try again later"
        ) from error
    listed = _LISTED.search(done.stdout)
    if done.returncode or listed is None:
        # The last line only says that it found nothing; without a network, that is no news of LiteLLM.
        raise AigatewayError(
            f"the package registry does not say which versions of {PACKAGE} there are; to try another, be online, and "
            f"see that pip can reach it: {' '.join(['python', *command[1:], PACKAGE])}"
        )
    return listed[1].split(", ")


def _parse(text: str) -> Version | None:
    matched = _WHOLE.fullmatch(text)
    return Version(*map(int, matched.groups())) if matched else None


def _require_harmless(version: Version) -> None:
    """What rules GW003 and GW004 refuse is not even installed."""
    parts = (version.major, version.minor, version.patch)
    if parts in MALICIOUS_LITELLM:
        raise AigatewayError(
            f"LiteLLM {version} was published by a thief and sends every credential that it finds to him (rule GW003); "
            "it is not installed"
        )
    if parts < LITELLM_FLOOR:
        floor = ".".join(map(str, LITELLM_FLOOR))
        raise AigatewayError(
            f"LiteLLM {version} is below {floor}, and has critical holes that are known (rule GW004); name {floor} or "
            "newer"
        )
