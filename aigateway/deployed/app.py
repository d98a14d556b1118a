"""The Container App of an environment, as Azure has it.

Not as Terraform has it: an output is what was known when it planned, and an update makes a revision that nobody can
name before (https://github.com/hashicorp/terraform-provider-azurerm/issues/23225).
"""

from __future__ import annotations

from pydantic import Field

from aigateway.commands import Shape, ask, make_az, run
from aigateway.names import Names
from aigateway.settings.model import Settings

_READER = "Reader"


class App(Shape):
    """What is read of a Container App: the newest revision, and the newest that was ready, which has the traffic."""

    latest: str | None = Field(alias="latestRevisionName")
    ready: str | None = Field(alias="latestReadyRevisionName")


def show_app(settings: Settings) -> App:
    """What Azure says of the app just now. Raises AigatewayError when there is none, or `az` cannot ask."""
    arguments = ("containerapp", "show", *locate_app(settings), "--query", "properties", "-o", "json")
    app: App = ask(make_az(*arguments, right=_READER), App)
    return app


def find_serving(settings: Settings) -> str:
    """The revision that has the traffic; empty where there is no app yet."""
    names = Names(settings)
    exists = run(make_az("group", "exists", "--name", names.resource_group, right=_READER)).strip()
    if exists != "true":
        return ""
    arguments = ("--resource-group", names.resource_group, "--query", "[].name", "-o", "json")
    if names.container_app not in ask(make_az("containerapp", "list", *arguments, right=_READER), list[str]):
        return ""
    return show_app(settings).ready or ""


def locate_app(settings: Settings) -> tuple[str, ...]:
    """The options of `az containerapp` that name the app."""
    names = Names(settings)
    return ("--name", names.container_app, "--resource-group", names.resource_group)
