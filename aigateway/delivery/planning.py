"""Makes a plan of an environment, which an apply then carries out as it stands."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from aigateway.delivery.changes import Changes, read_changes
from aigateway.deployed.terraform import read_outputs
from aigateway.errors import AigatewayError
from aigateway.names import Names
from aigateway.settings.model import Settings
from aigateway.terraform import ask_terraform, run_terraform

#: An apply may have values for a variable of a plan only if the plan had some, be it none at all.
_NO_SECRETS = {"TF_VAR_secrets": "{}"}


def locate_delivery(root: Path, environment: str) -> Path:
    """The folder of an environment's last plan and rollout."""
    return root / "build" / "deploy" / environment


def locate_plan(root: Path, environment: str) -> Path:
    """Where a plan is written, and read, if nobody says otherwise."""
    return locate_delivery(root, environment) / "plan.tfplan"


def initialise(root: Path, settings: Settings) -> None:
    """Make Terraform ready in the environment's root. Raises AigatewayError when it cannot be."""
    account = Names(settings).storage_account
    run_terraform(root, settings.environment, "init", f"-backend-config=storage_account_name={account}")


def find_running(root: Path, settings: Settings) -> Mapping[str, str]:
    """The images that are deployed, by name of the part; none before anything is.

    Raises AigatewayError when Terraform cannot say.
    """
    initialise(root, settings)
    outputs = read_outputs(root, settings.environment)
    prefix = "images."
    return {name.removeprefix(prefix): image for name, image in outputs.items() if name.startswith(prefix)}


def make_plan(root: Path, settings: Settings, out: Path) -> Changes:
    """Plan, into the file `out`; gives what it would change.

    Raises AigatewayError when Terraform refuses.
    """
    initialise(root, settings)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.unlink(missing_ok=True)
    # Who plans may read the state and not lock it; a plan of a state that has changed since, apply refuses.
    run_terraform(
        root, settings.environment, "plan", "-lock=false", f"-out={out.absolute()}", variables=_NO_SECRETS
    )
    return show_plan(root, settings, out)


def show_plan(root: Path, settings: Settings, plan: Path) -> Changes:
    """What a plan would change.

    Raises AigatewayError when the file is no plan, or one of another environment.
    """
    if not plan.is_file():
        raise AigatewayError(f"{plan}: is not there; run: aigateway plan {settings.environment}")
    said = ask_terraform(root, settings.environment, "show", "-json", str(plan.absolute()))
    changes = read_changes(said)
    planned = json.loads(said).get("variables", {}).get("environment", {}).get("value")
    if planned != settings.environment:
        raise AigatewayError(f"{plan}: is a plan of {planned}, and not of {settings.environment}")
    return changes
