"""Applies a plan; and takes the app back to the revision that served before it.

The app has one revision at a time, which Terraform makes: whoever is served while the new one is tried is served by it.
To try it without traffic would take a second mode of the app, an address beside the one that is promoted, which Front
Door does not reach, and two applies of which the second is not the plan that was approved. So a failure goes back.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from rich.console import Console

from aigateway.commands import ask, make_az, run
from aigateway.delivery.planning import initialise, locate_delivery, show_plan
from aigateway.deployed.app import App, find_serving, locate_app, show_app
from aigateway.errors import AigatewayError
from aigateway.files import write_atomically
from aigateway.names import Names
from aigateway.secret_values import make_secrets
from aigateway.settings.model import Settings
from aigateway.terraform import run_terraform
from aigateway.waiting import wait_until

_RIGHT = "Contributor"
_BEFORE_FILE = "before.json"

# A replica starts within 5 minutes or not at all (infra/modules/aigateway_aca/app.tf).
_READY_SECONDS = 600.0
_READY_PAUSE_SECONDS = 5.0

#: The Azure OpenAI account, where its endpoint and key are to be asked of Azure.
_ACCOUNT, _GROUP = "AZURE_OPENAI_ACCOUNT", "AZURE_OPENAI_GROUP"
#: Which of the account's two keys; the other one is for while the first is replaced.
_KEY_NAME, _KEY_NAMES = "AZURE_OPENAI_KEY_NAME", ("key1", "key2")


class Before(BaseModel):
    """What served before an apply; `revision` is empty where nothing did."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    revision: str


def apply_plan(root: Path, settings: Settings, plan: Path, console: Console) -> str:
    """Carry out a plan as it stands, with values for just those secrets that it writes; gives the revision.

    Keys are made at random; what Azure says is in AZURE_OPENAI_ENDPOINT and AZURE_OPENAI_KEY, or asked of the account
    that AZURE_OPENAI_ACCOUNT and AZURE_OPENAI_GROUP name.
    Raises AigatewayError when something is missing or fails; nothing was changed unless Terraform began.
    """
    initialise(root, settings)
    changes = show_plan(root, settings, plan)
    secrets = make_secrets(settings, changes.secrets, _find_azure(changes.secrets)) if changes.secrets else {}
    before = Before(revision=find_serving(settings))
    write_atomically(_locate_before(root, settings), before.model_dump_json(indent=2) + "\n")
    console.print(f"{settings.environment}: {changes.summary}; before it: {before.revision or 'nothing'}")
    written = TypeAdapter(dict[str, str]).dump_json(secrets).decode()
    run_terraform(
        root, settings.environment, "apply", str(plan.absolute()), variables={"TF_VAR_secrets": written}
    )
    revision = show_app(settings).latest or ""
    _wait_until_ready(settings, revision, console)
    return revision


def roll_back(root: Path, settings: Settings, console: Console) -> str:
    """Make a new revision that is like the one which served before the last apply; gives its name.

    Its configuration, images and sizes come back; secrets are references, and stay as they are, and so does what is no
    revision's: who may connect, Front Door, the network.
    Raises AigatewayError when there is nothing to go back to, or it does not become ready.
    """
    revision = _read_before(root, settings)
    if not revision:
        raise AigatewayError(
            f"{settings.environment} had no revision before this one; what was deployed goes on serving. "
            "Mend it and deploy again"
        )
    app = show_app(settings)
    # One that is not ready yet still takes over when it gets ready, however late that is.
    if app.latest == app.ready == revision:
        console.print(f"{settings.environment}: {revision} serves already")
        return revision
    arguments = ("containerapp", "revision", "copy", *locate_app(settings), "--from-revision", revision)
    run(make_az(*arguments, "-o", "none", right=_RIGHT))
    made = show_app(settings).latest or ""
    _wait_until_ready(settings, made, console)
    return made


def _wait_until_ready(settings: Settings, revision: str, console: Console) -> None:
    console.print(f"{settings.environment}: waiting for {revision} to be ready")
    app: App | None = None

    def is_ready() -> bool:
        nonlocal app
        app = show_app(settings)
        return app.ready == revision

    if not wait_until(is_ready, seconds=_READY_SECONDS, every=_READY_PAUSE_SECONDS):
        ready = app.ready if app else None
        names = Names(settings)
        raise AigatewayError(
            f"{revision} was not ready within {_READY_SECONDS:.0f} s; {ready or 'nothing'} goes on serving. What its "
            f"parts say: az containerapp logs show -n {names.container_app} -g {names.resource_group} "
            f"--revision {revision} --container litellm"
        )


def _locate_before(root: Path, settings: Settings) -> Path:
    return locate_delivery(root, settings.environment) / _BEFORE_FILE


def _read_before(root: Path, settings: Settings) -> str:
    path = _locate_before(root, settings)
    try:
        return Before.model_validate_json(path.read_bytes()).revision
    except FileNotFoundError as error:
        raise AigatewayError(
            f"{path}: is not there; `aigateway apply {settings.environment}` takes down what served before it"
        ) from error
    except (OSError, ValidationError) as error:
        raise AigatewayError(f"{path}: cannot be read; delete it, and choose a revision by hand") from error


_Text = Annotated[str, Field(min_length=1)]


def _find_azure(names: tuple[str, ...]) -> Mapping[str, str]:
    """The environment variables, with what the account of Azure OpenAI says where they do not have it."""
    variables = dict(os.environ)
    account, group = variables.get(_ACCOUNT), variables.get(_GROUP)
    if not (account and group):
        return variables
    key = variables.get(_KEY_NAME) or _KEY_NAMES[0]
    if key not in _KEY_NAMES:
        raise AigatewayError(f"{_KEY_NAME} is '{key}'; must be {' or '.join(_KEY_NAMES)}")
    where = ("--name", account, "--resource-group", group, "-o", "json", "--query")
    wanted = {
        "azure-openai-endpoint": ("AZURE_OPENAI_ENDPOINT", ("show", *where, "properties.endpoint")),
        "azure-openai-key": ("AZURE_OPENAI_KEY", ("keys", "list", *where, key)),
    }
    for name, (variable, arguments) in wanted.items():
        if name in names and not variables.get(variable):
            command = make_az(
                "cognitiveservices", "account", *arguments, right="Cognitive Services Contributor"
            )
            variables[variable] = ask(command, _Text)
    return variables
