"""Which steps a command takes, in order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from aigateway.bootstrap import Part
from aigateway.bootstrap.directory import Registration, read_subject_prefix
from aigateway.bootstrap.openai import OpenAIAccount
from aigateway.bootstrap.protection import GitHubEnvironment, find_reviewers, require_application
from aigateway.bootstrap.roles import make_definition_step, make_role_step
from aigateway.bootstrap.state import list_state_steps
from aigateway.bootstrap.steps import Mode, Outcome, Step, take_steps
from aigateway.bootstrap.target import Target, find_repository, find_target
from aigateway.errors import AigatewayError


def bootstrap(
    root: Path,
    part: Part,
    environment: str,
    mode: Mode,
    say: Callable[[str], None],
    *,
    repository: str = "",
    reviewers: Sequence[str] = (),
    account: OpenAIAccount | None = None,
) -> Outcome:
    """Make what is missing of an environment's state, identities and GitHub environments, or only say what is.

    `repository` is OWNER/NAME, by default that of the folder this runs in; `account` what the environment's
    GitHub jobs are told of Azure OpenAI. Raises AigatewayError as `take_steps` does.
    """
    if account and part not in {Part.GITHUB, Part.ALL}:
        raise AigatewayError(f"--openai-account is for the parts github and all; {part} has no use for it")
    target = find_target(root, environment)
    if part is not Part.STATE:
        target = replace(target, repository=find_repository(repository))
    place = f" and {target.slug}" if target.repository else ""
    say(f"{environment} in the subscription {target.account.name} ({target.account.id}){place}")
    return take_steps(list_steps(target, part, reviewers, account), mode, say)


def list_steps(
    target: Target, part: Part, reviewers: Sequence[str] = (), account: OpenAIAccount | None = None
) -> tuple[Step, ...]:
    """The steps of a part; GitHub is asked what the others build on.

    With all of them, who may deploy is settled before anything can be deployed with: GitHub's environments are
    protected, and identities have their rights, before anybody can log in as one.
    """
    if part is Part.STATE:
        return list_state_steps(target)
    planner = Registration(target, "plan", f"{target.environment}-plan")
    applier = Registration(target, "apply", target.environment)
    if part is Part.IDENTITY:
        return _list_identity_steps(target, planner, applier)
    # First, so that nothing is made for an account that is another.
    there = (account.make_step(target),) if account else ()
    protection, variables = _list_github_steps(target, planner, applier, reviewers, account)
    if part is Part.GITHUB:
        for registration in (planner, applier):
            require_application(registration)
        return (*there, *protection, *variables)
    return (
        *there,
        *list_state_steps(target),
        *protection,
        *_list_identity_steps(target, planner, applier),
        *variables,
    )


def _list_identity_steps(target: Target, *registrations: Registration) -> tuple[Step, ...]:
    prefix = read_subject_prefix(target.slug)
    return (
        *(step for one in registrations for step in one.list_steps()),
        make_definition_step(target),
        *(make_role_step(one) for one in registrations),
        *(step for one in registrations for step in one.list_login_steps(prefix)),
    )


def _list_github_steps(
    target: Target,
    planner: Registration,
    applier: Registration,
    reviewers: Sequence[str],
    account: OpenAIAccount | None,
) -> tuple[tuple[Step, ...], tuple[Step, ...]]:
    """How the environments are protected, and their variables."""
    if target.repository is None:
        raise LookupError("this target was found without its repository")
    people = find_reviewers(reviewers)
    plans = GitHubEnvironment(target, target.repository, planner.github_environment, guarded=False)
    applies = GitHubEnvironment(
        target, target.repository, applier.github_environment, guarded=True, reviewers=people
    )
    return (
        (*plans.list_protection_steps(), *applies.list_protection_steps()),
        (
            plans.make_variable_step(planner),
            applies.make_variable_step(applier),
            applies.make_account_step(account),
        ),
    )
