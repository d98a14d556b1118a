"""What it is all about: an environment's settings, a subscription, and a repository."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from aigateway.commands import SUBSCRIPTION_VARIABLE, Command, Shape, ask
from aigateway.errors import AigatewayError
from aigateway.names import PREFIX, Names
from aigateway.settings.loading import load_environment
from aigateway.settings.model import Settings

CONTAINER = "tfstate"

_READ = "the role Reader on the subscription"
_READ_REPOSITORY = "to be let into the repository"


class Account(Shape):
    """The subscription that `az` is logged in to."""

    id: str
    name: str
    tenant_id: str
    state: str


class Repository(Shape):
    """A repository on GitHub."""

    name_with_owner: str
    visibility: str
    viewer_permission: str


@dataclass(frozen=True)
class Target:
    """One environment, and where it is made. The repository is only there where it is needed."""

    settings: Settings
    account: Account
    repository: Repository | None = None

    @property
    def environment(self) -> str:
        return self.settings.environment

    @property
    def location(self) -> str:
        return self.settings.location.name

    @property
    def scope(self) -> str:
        """What the identities have their roles on.

        Not a resource group: Terraform makes the environment's, and roles cannot be given before it is there.
        """
        return f"/subscriptions/{self.account.id}"

    @property
    def state_group(self) -> str:
        """The group of Terraform's state, apart from the environment's, which Terraform makes and may delete."""
        settings = self.settings
        return f"{PREFIX}-{settings.environment}-{settings.project}-state-rg-{settings.location.code}"

    @property
    def state_account(self) -> str:
        return Names(self.settings).storage_account

    @property
    def state_container(self) -> str:
        """The id of the container that Terraform's state is in."""
        return (
            f"{self.scope}/resourceGroups/{self.state_group}/providers/Microsoft.Storage/storageAccounts/"
            f"{self.state_account}/blobServices/default/containers/{CONTAINER}"
        )

    @property
    def tags(self) -> dict[str, str]:
        return {
            "environment": self.environment,
            "project": self.settings.project,
            "managed-by": "bootstrap",
        }

    @property
    def slug(self) -> str:
        """The repository as GitHub's addresses have it: OWNER/NAME."""
        if self.repository is None:
            raise LookupError("this target was found without its repository")
        return self.repository.name_with_owner

    def name_identity(self, purpose: str) -> str:
        """The name of the identity that plans or applies."""
        return f"{PREFIX}-{self.environment}-{self.settings.project}-{purpose}"

    def az(self, *arguments: str, right: str = _READ) -> Command:
        """A command about this subscription, whichever is `az`'s default by then."""
        return Command("az", (*arguments, "--subscription", self.account.id, "--output", "json"), right)


def find_target(root: Path, environment: str, variables: Mapping[str, str] = os.environ) -> Target:
    """The environment, and the subscription that `az` is logged in to.

    Raises AigatewayError when the settings cannot be used, nobody is logged in, or it is another subscription
    than ARM_SUBSCRIPTION_ID says.
    """
    settings = load_environment(root, environment)
    account: Account = ask(Command("az", ("account", "show", "--output", "json"), _READ), Account)
    wanted = variables.get(SUBSCRIPTION_VARIABLE, "")
    if wanted and wanted.lower() != account.id.lower():
        raise AigatewayError(
            f"az is logged in to the subscription {account.name} ({account.id}), and {SUBSCRIPTION_VARIABLE} is "
            f"{wanted}; run: az account set --subscription {wanted}"
        )
    if account.state != "Enabled":
        raise AigatewayError(
            f"the subscription {account.name} ({account.id}) is {account.state}; az account set chooses another"
        )
    return Target(settings, account)


def find_repository(name: str = "") -> Repository:
    """The repository `OWNER/NAME`, else the one of the folder that this runs in.

    Raises AigatewayError when `gh` finds none, or whoever is logged in cannot administer it.
    """
    chosen = (name,) if name else ()
    command = Command(
        "gh",
        ("repo", "view", *chosen, "--json", "nameWithOwner,visibility,viewerPermission"),
        _READ_REPOSITORY,
    )
    repository: Repository = ask(command, Repository)
    if repository.viewer_permission != "ADMIN":
        raise AigatewayError(
            f"whoever is logged in to gh may not administer {repository.name_with_owner} "
            f"(but {repository.viewer_permission or 'nothing'}); its environments take that"
        )
    return repository
