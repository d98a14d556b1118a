"""The Container App of an environment, as Azure has it.

Not as Terraform has it: an output is what was known when it planned, and an update makes a revision that nobody can
name before (https://github.com/hashicorp/terraform-provider-azurerm/issues/23225).
"""

from __future__ import annotations

import os

from pydantic import BaseModel, ConfigDict, Field

from aigateway.commands import Command, ask, run
from aigateway.names import Names
from aigateway.settings.model import Settings

#: Terraform's subscription, where somebody says which. `az` has a default of its own, which may be another.
SUBSCRIPTION_VARIABLE = "ARM_SUBSCRIPTION_ID"

_READER = "Reader"


class App(BaseModel):
    """What is read of a Container App: the newest revision, and the newest that was ready, which has the traffic."""

    model_config = ConfigDict(frozen=True)

    latest: str | None = Field(alias="latestRevisionName")
    ready: str | None = Field(alias="latestReadyRevisionName")


def show_app(settings: Settings) -> App:
    """What Azure says of the app just now. Raises AigatewayError when there is none, or `az` cannot ask."""
    arguments = ("containerapp", "show", *locate_app(settings), "--query", "properties", "-o", "json")
    app: App = ask(Command("az", arguments, _READER), App)
    return app


def find_serving(settings: Settings) -> str:
    """The revision that has the traffic; empty where there is no app yet."""
    group = Names(settings).resource_group
    if (
        run(Command("az", ("group", "exists", "--name", group, *name_subscription()), _READER)).strip()
        != "true"
    ):
        return ""
    arguments = ("containerapp", "list", "--resource-group", group, *name_subscription())
    listed = Command("az", (*arguments, "--query", "[].name", "-o", "json"), _READER)
    if Names(settings).container_app not in ask(listed, list[str]):
        return ""
    return show_app(settings).ready or ""


def locate_app(settings: Settings) -> tuple[str, ...]:
    """The options of `az containerapp` that name the app."""
    names = Names(settings)
    return ("--name", names.container_app, "--resource-group", names.resource_group, *name_subscription())


def name_subscription() -> tuple[str, ...]:
    """The option that has `az` ask in Terraform's subscription, where that is said."""
    subscription = os.environ.get(SUBSCRIPTION_VARIABLE, "")
    return ("--subscription", subscription) if subscription else ()
