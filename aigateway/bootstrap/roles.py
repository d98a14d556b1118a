"""What each identity may do: the least that a plan, and an apply, of `infra/env/ENV` takes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from aigateway.bootstrap.directory import Registration
from aigateway.bootstrap.steps import Change, ConflictError, Step
from aigateway.bootstrap.target import Target
from aigateway.commands import Command, Shape, ask
from aigateway.names import PREFIX

#: What Terraform gives the app's own identity, and the one role that an apply may give (Azure's built-in roles).
KEY_VAULT_SECRETS_USER = "4633458b-17de-408a-b874-0445c86b69e6"
#: To refresh an app, Terraform lists its secrets, and a Reader may not. They are references to the vault, no values.
LIST_SECRETS = "Microsoft.App/containerApps/listSecrets/action"

_RIGHT = "the role Owner or User Access Administrator on the subscription"
_CONDITION_VERSION = "2.0"


def _limit(action: str, source: str) -> str:
    attribute = f"@{source}[Microsoft.Authorization/roleAssignments"
    return (
        f"((!(ActionMatches{{'Microsoft.Authorization/roleAssignments/{action}'}})) OR "
        f"({attribute}:RoleDefinitionId] ForAnyOfAnyValues:GuidEquals {{{KEY_VAULT_SECRETS_USER}}} AND "
        f"{attribute}:PrincipalType] ForAnyOfAnyValues:StringEqualsIgnoreCase {{'ServicePrincipal'}}))"
    )


#: Only that role, only to service principals, to give and to take
#: (learn.microsoft.com/azure/role-based-access-control/delegate-role-assignments-examples).
CONDITION = f"{_limit('write', 'Request')} AND {_limit('delete', 'Resource')}"


@dataclass(frozen=True)
class Role:
    """A role on a scope, in Azure's own words."""

    name: str
    scope: str
    condition: str = ""


class _Assignment(Shape):
    role_definition_name: str
    scope: str
    condition: str | None = None


class _Permission(Shape):
    actions: list[str]


class _Definition(Shape):
    name: str
    role_name: str
    permissions: list[_Permission]
    assignable_scopes: list[str]


def list_roles(target: Target, purpose: str) -> tuple[Role, ...]:
    """The roles of the identity that plans, or of the one that applies."""
    scope, container = target.scope, target.state_container
    if purpose == "plan":
        return (
            Role("Reader", scope),
            Role(name_plan_role(target), scope),
            # Terraform reads what it wrote: that a secret is there, and which version.
            Role("Key Vault Secrets User", scope),
            # A plan takes no lock of the state: terraform plan -lock=false.
            Role("Storage Blob Data Reader", container),
        )
    return (
        Role("Contributor", scope),
        Role("Key Vault Secrets Officer", scope),
        Role("Role Based Access Control Administrator", scope, CONDITION),
        Role("Storage Blob Data Contributor", container),
    )


def name_plan_role(target: Target) -> str:
    """The custom role's name, which no other may have in the whole directory."""
    return f"{PREFIX} {target.environment} {target.settings.project} plan {target.account.id}"


def make_definition_step(target: Target) -> Step:
    """The custom role of the identity that plans."""
    name = name_plan_role(target)
    return Step(f"role '{name}'", lambda: _inspect_definition(target))


def make_role_step(registration: Registration) -> Step:
    """All roles of an identity: those that are missing are given, any other is in the way."""
    names = ", ".join(role.name for role in list_roles(registration.target, registration.purpose))
    return Step(f"roles of {registration.name}: {names}", lambda: _inspect_roles(registration))


def _inspect_definition(target: Target) -> Sequence[Change]:
    name = name_plan_role(target)
    found: list[_Definition] = ask(
        target.az("role", "definition", "list", "--custom-role-only", "true", "--name", name),
        list[_Definition],
    )
    wanted = {
        "Name": name,
        "Description": "What a plan of the gateway reads and a Reader may not",
        "Actions": [LIST_SECRETS],
        "AssignableScopes": [target.scope],
    }
    if not found:
        create = target.az(
            "role", "definition", "create", "--role-definition", json.dumps(wanted), right=_RIGHT
        )
        return [Change(f"role '{name}'", create)]
    (role, *_) = found
    actions = [action for permission in role.permissions for action in permission.actions]
    if actions == [LIST_SECRETS] and [_fold(scope) for scope in role.assignable_scopes] == [
        _fold(target.scope)
    ]:
        return []
    body = json.dumps({**wanted, "Id": role.name})
    update = target.az("role", "definition", "update", "--role-definition", body, right=_RIGHT)
    return [Change(f"role '{name}', which allows {', '.join(actions) or 'nothing'}", update, differs=True)]


def _inspect_roles(registration: Registration) -> Sequence[Change]:
    target = registration.target
    wanted = list_roles(target, registration.purpose)
    found: list[_Assignment] = []
    if registration.principal_id:
        found = ask(
            target.az(
                *("role", "assignment", "list", "--all", "--assignee-object-id", registration.principal_id),
                *("--fill-principal-name", "false"),
            ),
            list[_Assignment],
        )
    for assignment in found:
        _require_wanted(registration, assignment, wanted)
    held = {(one.role_definition_name, _fold(one.scope)) for one in found}
    return [
        Change(
            f"role {role.name} of {registration.name} on {_call_scope(target, role)}",
            _give(registration, role),
        )
        for role in wanted
        if (role.name, _fold(role.scope)) not in held
    ]


def _give(registration: Registration, role: Role) -> Command:
    condition = (
        ("--condition", role.condition, "--condition-version", _CONDITION_VERSION) if role.condition else ()
    )
    return registration.target.az(
        *("role", "assignment", "create", "--assignee-object-id", registration.assignee),
        *("--assignee-principal-type", "ServicePrincipal", "--role", role.name, "--scope", role.scope),
        *condition,
        right=_RIGHT,
    )


def _require_wanted(registration: Registration, assignment: _Assignment, wanted: Sequence[Role]) -> None:
    """Refuse a role that is not meant to be: more may be done with it than is thought."""
    remove = (
        f"az role assignment delete --assignee {registration.principal_id} "
        f"--role '{assignment.role_definition_name}' --scope {assignment.scope}"
    )
    for role in wanted:
        if (role.name, _fold(role.scope)) != (assignment.role_definition_name, _fold(assignment.scope)):
            continue
        if _squeeze(role.condition) == _squeeze(assignment.condition or ""):
            return
        raise ConflictError(
            f"{registration.name} has the role {role.name} on {role.scope} with another condition than it has to have "
            f"({assignment.condition or 'none'}); take it away and run this again: {remove}"
        )
    raise ConflictError(
        f"{registration.name} has a role that it does not need, {assignment.role_definition_name} on "
        f"{assignment.scope}; take it away: {remove}"
    )


def _call_scope(target: Target, role: Role) -> str:
    return "the subscription" if role.scope == target.scope else "the container of the state"


def _fold(scope: str) -> str:
    return scope.rstrip("/").lower()


def _squeeze(condition: str) -> str:
    """A condition without the white space that Azure's portal puts into it."""
    return "".join(condition.split())
