"""The gateway that a run is about: one that this run starts, or one that is deployed."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from aigateway.acceptance.results import TargetName
from aigateway.errors import AigatewayError
from aigateway.launching.stack import HEALTH_PATH, StackReference
from aigateway.settings.leaks import MASK
from aigateway.settings.loading import load_environment
from aigateway.settings.model import Settings

KEY_VARIABLE = "AIGATEWAY_KEY"

_PATIENCE_SECONDS = 60.0


@dataclass(frozen=True)
class Target:
    """Where the gateway is, what it should follow, a client's key; the stack when it is local."""

    name: TargetName
    root: Path
    base_url: str
    settings: Settings
    key: str = field(repr=False)
    stack: StackReference | None

    def redact(self, text: str) -> str:
        """`text` without any secret of this gateway's."""
        secrets = {self.key}
        if self.stack:
            keys = self.stack.keys
            secrets |= {keys.azure, keys.master, keys.salt, *keys.clients.values()}
        for secret in secrets:
            text = text.replace(secret, MASK)
        return text


def find_local(stack: StackReference) -> Target:
    """The gateway of a stack on this machine."""
    settings = load_environment(stack.root, stack.environment)
    return Target("local", stack.root, stack.base_url, settings, stack.keys.of(settings.clients[0]), stack)


def find_deployed(root: Path, environment: str, base_url: str) -> Target:
    """A gateway that runs already, at `base_url` without /v1; the key is taken from AIGATEWAY_KEY.

    Raises AigatewayError when one of them is missing or is not accepted.
    """
    settings = load_environment(root, environment)
    key = os.environ.get(KEY_VARIABLE, "")
    if not base_url.startswith(("http://", "https://")):
        raise AigatewayError(
            f"--base-url is {base_url or 'missing'!r}; give the deployed gateway's address, such as https://NAME"
        )
    if not key:
        raise AigatewayError(f"{KEY_VARIABLE} is not set; export a client's key of {environment}")
    base_url = base_url.rstrip("/").removesuffix("/v1")
    _require_access(base_url, key)
    return Target("deployed", root, base_url, settings, key, None)


def _require_access(base_url: str, key: str) -> None:
    """Ask once before the scenarios do: a wrong address or key is not the gateway's failure."""
    try:
        health = httpx.get(f"{base_url}{HEALTH_PATH}", timeout=_PATIENCE_SECONDS)
        models = httpx.get(
            f"{base_url}/v1/models", headers={"Authorization": f"Bearer {key}"}, timeout=_PATIENCE_SECONDS
        )
    except httpx.HTTPError as error:
        raise AigatewayError(f"{base_url} cannot be reached: {error}; check --base-url") from error
    if health.status_code != httpx.codes.OK:
        raise AigatewayError(
            f"{base_url}{HEALTH_PATH} says {health.status_code}; is a gateway there, and up?"
        )
    if models.status_code == httpx.codes.UNAUTHORIZED:
        raise AigatewayError(
            f"{base_url} refuses the key in {KEY_VARIABLE}; is it one of this environment's?"
        )
