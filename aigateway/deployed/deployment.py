"""A gateway that runs in Azure: its address, a client's key, and the workspace that its logs go to."""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

import httpx
from pydantic import BaseModel, ConfigDict, Field

from aigateway.deployed.logs import read_workspace
from aigateway.deployed.terraform import read_outputs
from aigateway.deployed.vault import read_secret
from aigateway.errors import AigatewayError
from aigateway.launching.stack import HEALTH_PATH
from aigateway.names import Names
from aigateway.settings.loading import load_environment
from aigateway.settings.model import Settings

KEY_VARIABLE = "AIGATEWAY_KEY"
BASE_URL_OUTPUT = "base_url"
WORKSPACE_OUTPUT = "log_analytics_workspace_id"
_IMAGES_OUTPUT = "images."

# A gateway that was scaled to zero answers when a replica has started.
_PATIENCE_SECONDS = 120.0


class Deployment(BaseModel):
    """What a run needs to use a deployed gateway. It holds a client's key: keep it out of reports.

    `base_url` is without /v1; `workspace` is empty where no central log is known, `revision` where the Container App's
    is not; `images` are by part, and none where Terraform was not asked.
    """

    model_config = ConfigDict(frozen=True)

    root: Path
    environment: str
    base_url: str
    key: str = Field(repr=False)
    workspace: str = ""
    revision: str = ""
    images: Mapping[str, str] = {}


def find_deployment(root: Path, environment: str, base_url: str = "", workspace: str = "") -> Deployment:
    """The gateway of `environment` that answers at `base_url`; what is not given is asked of Terraform and Key Vault.

    Raises AigatewayError when something cannot be found out, the gateway does not answer, or it refuses the key.
    """
    settings = load_environment(root, environment)
    outputs: Mapping[str, str] = {} if base_url else _ask_terraform(root, environment)
    address = read_base_url(base_url or outputs[BASE_URL_OUTPUT])
    workspace = workspace or outputs.get(WORKSPACE_OUTPUT, "")
    deployment = Deployment(
        root=root,
        environment=environment,
        base_url=address,
        key=_find_key(settings),
        workspace=read_workspace(workspace) if workspace else "",
        images={
            name.removeprefix(_IMAGES_OUTPUT): value
            for name, value in outputs.items()
            if name.startswith(_IMAGES_OUTPUT)
        },
    )
    _require_access(deployment)
    return deployment


def read_base_url(text: str) -> str:
    """The address in `text`, without a /v1 at its end.

    Raises AigatewayError when it is none, or one that a key must not be sent to.
    """
    address = parse_base_url(text)
    if urlsplit(text).scheme == "http" and not is_this_machine(text):
        raise AigatewayError(f"the base URL {text} would send the key unencrypted; give it with https://")
    return address


def parse_base_url(text: str, *, keep_v1: bool = False) -> str:
    """The address in `text`, without slashes and, unless `keep_v1`, without a /v1 at its end.

    Raises AigatewayError when it is none.
    """
    try:
        parts, port = urlsplit(text), urlsplit(text).port
        usable = parts.scheme in {"http", "https"} and bool(httpx.URL(text).host) and port != 0
        usable = usable and not re.search(r"\s", text)
    except (ValueError, httpx.InvalidURL):
        usable = False
    if not usable:
        raise AigatewayError(f"the base URL {text!r} is no address of a gateway, which is like https://NAME")
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise AigatewayError("the base URL has a user, a query or a fragment in it; give it as https://NAME")
    text = text.rstrip("/")
    return text if keep_v1 else text.removesuffix("/v1").rstrip("/")


def is_this_machine(base_url: str) -> bool:
    """Whether the address is one that no other machine can have."""
    host = urlsplit(base_url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _ask_terraform(root: Path, environment: str) -> Mapping[str, str]:
    try:
        outputs = read_outputs(root, environment)
    except AigatewayError as error:
        raise AigatewayError(f"--base-url is not given, and {error}") from error
    if BASE_URL_OUTPUT not in outputs:
        raise AigatewayError(
            f"--base-url is not given, and Terraform has no output {BASE_URL_OUTPUT} for {environment}; "
            "is it deployed?"
        )
    return outputs


def _find_key(settings: Settings) -> str:
    """The first client's key: clients[0] is who the features are."""
    key = os.environ.get(KEY_VARIABLE, "")
    source = KEY_VARIABLE
    if not key:
        vault, name = Names(settings).key_vault, settings.clients[0].secret_names[0]
        source = f"the secret {name}"
        try:
            key = read_secret(vault, name)
        except AigatewayError as error:
            raise AigatewayError(f"{KEY_VARIABLE} is not set, and {error}") from error
    # Any other character would break the header, and an error about that would show the key.
    if not re.fullmatch(r"[!-~]+", key):
        raise AigatewayError(
            f"{source} is no key: there is a space, a line break or a letter with an accent in it"
        )
    return key


def _require_access(deployment: Deployment) -> None:
    """Ask once before the scenarios do: a wrong address or key is not the gateway's failure."""
    base_url = deployment.base_url
    # Between this machine and itself, a proxy has no business.
    with httpx.Client(timeout=_PATIENCE_SECONDS, trust_env=not is_this_machine(base_url)) as client:
        health = _get(client, f"{base_url}{HEALTH_PATH}")
        if health != httpx.codes.OK:
            raise AigatewayError(f"{base_url}{HEALTH_PATH} says {health}; is a gateway there, and up?")
        models = _get(client, f"{base_url}/v1/models", {"Authorization": f"Bearer {deployment.key}"})
    if models == httpx.codes.UNAUTHORIZED:
        raise AigatewayError(
            f"{base_url} refuses the key; is it one of {deployment.environment}'s, and still valid?"
        )


def _get(client: httpx.Client, url: str, headers: Mapping[str, str] | None = None) -> int:
    try:
        return client.get(url, headers=headers).status_code
    except httpx.HTTPError as error:
        said = str(error) or type(error).__name__
        raise AigatewayError(f"{url} cannot be reached: {said}; check the base URL") from error
