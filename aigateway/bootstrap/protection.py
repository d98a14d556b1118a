"""GitHub's environments: who approves a deployment, from which branch it comes, and as whom its jobs log in."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from aigateway.bootstrap.directory import Registration
from aigateway.bootstrap.openai import OpenAIAccount
from aigateway.bootstrap.steps import Change, ConflictError, Note, Step
from aigateway.bootstrap.target import Repository, Target
from aigateway.commands import Command, ask
from aigateway.errors import AigatewayError

BRANCH = "main"
#: Where a person approves each deployment.
REVIEWED = {"staging", "prod"}
CLIENT_ID, TENANT_ID, SUBSCRIPTION_ID = "AZURE_CLIENT_ID", "AZURE_TENANT_ID", "AZURE_SUBSCRIPTION_ID"
#: By these an apply finds the endpoint and the key of Azure OpenAI (aigateway.delivery.rollout).
ACCOUNT, GROUP = "AZURE_OPENAI_ACCOUNT", "AZURE_OPENAI_GROUP"


class _Shape(BaseModel):
    model_config = ConfigDict(frozen=True)


class _Account(_Shape):
    id: int


class _Reviewer(_Shape):
    type: str
    reviewer: _Account


class _Rule(_Shape):
    type: str
    wait_timer: int = 0
    prevent_self_review: bool = False
    reviewers: list[_Reviewer] = Field(default_factory=list)


class _BranchPolicy(_Shape):
    protected_branches: bool
    custom_branch_policies: bool


class _Environment(_Shape):
    name: str
    protection_rules: list[_Rule] = Field(default_factory=list)
    deployment_branch_policy: _BranchPolicy | None = None


class _Page(_Shape):
    environments: list[_Environment]


class _Branch(_Shape):
    name: str
    type: str = "branch"


class _Branches(_Shape):
    branch_policies: list[_Branch]


class _Variable(_Shape):
    name: str
    value: str


Reviewer = tuple[str, int]
"""`User` or `Team`, and its id."""


def find_reviewers(names: Sequence[str]) -> tuple[Reviewer, ...]:
    """The people (`NAME`) and teams (`ORGANIZATION/NAME`) of these names.

    Raises AigatewayError where GitHub has none of that name.
    """
    reviewers: list[Reviewer] = []
    for name in names:
        organization, _, team = name.partition("/")
        path = f"orgs/{organization}/teams/{team}" if team else f"users/{name}"
        answer: _Account = ask(Command("gh", ("api", path), "to see that user or team"), _Account)
        reviewers.append(("Team" if team else "User", answer.id))
    return tuple(reviewers)


@dataclass
class GitHubEnvironment:
    """One environment of the repository."""

    target: Target
    repository: Repository
    name: str
    guarded: bool
    """Whether it may change Azure: then only `main` gets there."""
    reviewers: tuple[Reviewer, ...] = ()
    made: bool = False

    def list_protection_steps(self) -> tuple[Step, ...]:
        """The environment, and which branch it takes jobs of."""
        environment = Step(f"GitHub environment {self.name}{self._describe()}", self.inspect_environment)
        if not self.guarded:
            return (environment,)
        return (
            environment,
            Step(f"branches of GitHub environment {self.name}: {BRANCH}", self.inspect_branches),
        )

    def make_variable_step(self, registration: Registration) -> Step:
        """As whom the environment's jobs log in; no secret is among it."""
        names = f"{CLIENT_ID}, {TENANT_ID}, {SUBSCRIPTION_ID}"
        return Step(
            f"variables of GitHub environment {self.name}: {names}",
            lambda: self.inspect_variables(registration),
        )

    def make_account_step(self, account: OpenAIAccount | None) -> Step:
        """Which account of Azure OpenAI the environment's jobs ask for its endpoint and key."""
        return Step(
            f"variables of GitHub environment {self.name}: {ACCOUNT}, {GROUP}",
            lambda: self.inspect_account(account),
        )

    def inspect_environment(self) -> Sequence[Change]:
        found = self._find()
        self.made = found is not None
        present = _list_reviewers(found)
        if self.guarded and self._is_reviewed and not (present or self.reviewers):
            raise ConflictError(
                f"the GitHub environment {self.name} has nobody who approves its deployments; name them, at most six: "
                "--reviewer USER or --reviewer ORGANIZATION/TEAM"
            )
        missing = [one for one in self.reviewers if one not in present] if self.guarded else []
        if found is not None and not missing and (not self.guarded or _takes_named_branches(found)):
            return []
        what = f"GitHub environment {self.name}{self._describe()}"
        body = self._compose(found, (*present, *missing))
        command = self._api("--method", "PUT", f"environments/{self.name}", body=body)
        return [Change(what, command, differs=found is not None, learn=self._learn)]

    def inspect_branches(self) -> Sequence[Change]:
        path = f"environments/{self.name}/deployment-branch-policies"
        found: list[_Branch] = []
        if self.made:
            pages: list[_Branches] = ask(self._api("--paginate", "--slurp", path), list[_Branches])
            found = [branch for page in pages for branch in page.branch_policies]
        others = [branch.name for branch in found if (branch.name, branch.type) != (BRANCH, "branch")]
        if others:
            raise ConflictError(
                f"the GitHub environment {self.name} takes jobs of {', '.join(others)} too, and may take them of "
                f"{BRANCH} only; remove that in the repository's settings, under Environments"
            )
        if found:
            return []
        body = {"name": BRANCH, "type": "branch"}
        what = f"branches of GitHub environment {self.name}: {BRANCH}"
        return [Change(what, self._api("--method", "POST", path, body=body))]

    def inspect_variables(self, registration: Registration) -> Sequence[Change]:
        wanted = {
            CLIENT_ID: registration.client_id,
            TENANT_ID: self.target.account.tenant_id,
            SUBSCRIPTION_ID: self.target.account.id,
        }
        return self._compare_variables(self._find_variables(), wanted)

    def inspect_account(self, account: OpenAIAccount | None) -> Sequence[Change | Note]:
        """Without one it is the account that the variables name, which has to be there still."""
        found = self._find_variables()
        if account is None and not (found.get(ACCOUNT) and found.get(GROUP)):
            return [
                Note(
                    f"which account of Azure OpenAI {self.name} has is not known to GitHub, and its first apply asks "
                    f"for it; run: aigateway bootstrap github {self.target.environment} --openai-account NAME "
                    "--openai-group GROUP"
                )
            ]
        if account is None:
            account = OpenAIAccount(found[ACCOUNT], found[GROUP])
            account.require(self.target)
        return self._compare_variables(found, {ACCOUNT: account.name, GROUP: account.group})

    @property
    def _place(self) -> tuple[str, ...]:
        return ("--env", self.name, "--repo", self.repository.name_with_owner)

    def _find_variables(self) -> dict[str, str]:
        if not self.made:
            return {}
        command = self._gh("variable", "list", *self._place, "--json", "name,value")
        answer: list[_Variable] = ask(command, list[_Variable])
        return {one.name: one.value for one in answer}

    def _compare_variables(self, found: Mapping[str, str], wanted: Mapping[str, str]) -> list[Change]:
        return [
            Change(
                f"variable {name} of GitHub environment {self.name}",
                self._gh("variable", "set", name, *self._place, "--body", value),
                differs=name in found,
            )
            for name, value in wanted.items()
            if found.get(name) != value
        ]

    def _find(self) -> _Environment | None:
        pages: list[_Page] = ask(self._api("--paginate", "--slurp", "environments"), list[_Page])
        every = [environment for page in pages for environment in page.environments]
        return next((one for one in every if one.name.lower() == self.name), None)

    def _compose(self, found: _Environment | None, reviewers: Sequence[Reviewer]) -> dict[str, Any]:
        """All that an environment is: GitHub takes away what it is not told again."""
        if not self.guarded:
            return {}
        rules = found.protection_rules if found else []
        return {
            "wait_timer": max((rule.wait_timer for rule in rules), default=0),
            "prevent_self_review": any(rule.prevent_self_review for rule in rules),
            "reviewers": [{"type": kind, "id": identifier} for kind, identifier in reviewers] or None,
            "deployment_branch_policy": {"protected_branches": False, "custom_branch_policies": True},
        }

    @property
    def _is_reviewed(self) -> bool:
        return self.target.environment in REVIEWED

    def _describe(self) -> str:
        if not self.guarded:
            return ""
        return f" (approved by people, {BRANCH} only)" if self._is_reviewed else f" ({BRANCH} only)"

    def _learn(self, _said: str) -> None:
        self.made = True

    def _api(self, *arguments: str, body: dict[str, Any] | None = None) -> Command:
        *options, path = arguments
        full = f"repos/{self.repository.name_with_owner}/{path}"
        given = ("--input", "-") if body is not None else ()
        return Command(
            "gh",
            ("api", *options, full, *given),
            self._right,
            "" if body is None else json.dumps(body),
        )

    def _gh(self, *arguments: str) -> Command:
        return Command("gh", arguments, self._right)

    @property
    def _right(self) -> str:
        private = self.repository.visibility != "PUBLIC" and self._is_reviewed
        enterprise = (
            ", and people who approve in a repository that is not public take GitHub Enterprise"
            if private
            else ""
        )
        return f"to administer {self.repository.name_with_owner} (scope repo){enterprise}"


def require_application(registration: Registration) -> None:
    """See to it that the variables can name an app; raises AigatewayError when there is none yet."""
    registration.inspect_application()
    if not registration.app_id:
        raise AigatewayError(
            f"there is no app registration {registration.name} yet; first run: "
            f"aigateway bootstrap identity {registration.target.environment}"
        )


def _list_reviewers(found: _Environment | None) -> list[Reviewer]:
    rules = found.protection_rules if found else []
    return [(one.type, one.reviewer.id) for rule in rules for one in rule.reviewers]


def _takes_named_branches(found: _Environment) -> bool:
    policy = found.deployment_branch_policy
    return policy is not None and policy.custom_branch_policies
