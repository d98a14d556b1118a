"""The account of Azure OpenAI: made by others, and only looked at here."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from aigateway.bootstrap.steps import Change, ConflictError, Step
from aigateway.bootstrap.target import Target
from aigateway.commands import Shape, ask
from aigateway.errors import AigatewayError

#: The kinds of account that have OpenAI's models (learn.microsoft.com/azure/ai-services/multi-service-resource).
KINDS = ("OpenAI", "AIServices")

_MISSING = re.compile(r"\b(ResourceNotFound|ResourceGroupNotFound)\b")


class _Account(Shape):
    kind: str


@dataclass(frozen=True)
class OpenAIAccount:
    """An account by its name and its resource group, in the subscription that is deployed to."""

    name: str
    group: str

    def make_step(self, target: Target) -> Step:
        """That it is there; nothing here makes it."""

        def inspect() -> Sequence[Change]:
            self.require(target)
            return ()

        return Step(f"account {self.name} of Azure OpenAI in {self.group}", inspect)

    def require(self, target: Target) -> None:
        """Raises ConflictError when it is not there, or has no OpenAI; AigatewayError when Azure does not say."""
        where = ("--name", self.name, "--resource-group", self.group)
        try:
            account: _Account = ask(target.az("cognitiveservices", "account", "show", *where), _Account)
        except AigatewayError as error:
            if not _MISSING.search(str(error)):
                raise
            raise ConflictError(
                f"there is no account {self.name} in the group {self.group} of the subscription "
                f"{target.account.name}; which there are, says: az cognitiveservices account list --output table"
            ) from error
        if account.kind not in KINDS:
            raise ConflictError(
                f"the account {self.name} is of the kind {account.kind}, which has no OpenAI; "
                f"it takes one of the kind {' or '.join(KINDS)}"
            )


def read_account(name: str, group: str) -> OpenAIAccount | None:
    """The account that somebody gave, if one; raises AigatewayError when only half of it was given."""
    if bool(name) != bool(group):
        raise AigatewayError("--openai-account and --openai-group are of one account; give both")
    return OpenAIAccount(name, group) if name else None
