"""`az` and `gh` with a small Azure and GitHub behind them, which are a JSON file: FAKE_CLOUD.

A program is either, by the name that it is started under. It answers as the real ones do, as far as bootstrap asks;
what it does not know it refuses, as they do. It takes orders in the file: `faults`, a command's exit code and
message; `answers`, what a command prints instead; `kill_after`, how many changes are made until what runs it is
killed.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import re
import signal
import sys
from pathlib import Path
from typing import Any

State = dict[str, Any]
Options = dict[str, list[str]]

SUBSCRIPTION = "11111111-1111-4111-8111-111111111111"
TENANT = "22222222-2222-4222-8222-222222222222"

#: An Azure and a GitHub in which nothing was made yet.
EMPTY: State = {
    "account": {
        "id": SUBSCRIPTION,
        "name": "Gateways",
        "tenantId": TENANT,
        "state": "Enabled",
        "user": {"name": "ann@example.com", "type": "user"},
    },
    "taken": [],
    "providers": {"Microsoft.Storage": "Registered", "Microsoft.App": "NotRegistered"},
    "groups": [],
    "accounts": [],
    "openai": [
        {"name": "models", "resourceGroup": "ai", "kind": "OpenAI"},
        {"name": "foundry", "resourceGroup": "ai", "kind": "AIServices"},
        {"name": "eyes", "resourceGroup": "ai", "kind": "ComputerVision"},
    ],
    "blobs": {},
    "containers": [],
    "locks": [],
    "apps": [],
    "principals": [],
    "credentials": {},
    "definitions": [],
    "assignments": [],
    "repository": {"nameWithOwner": "octocat/gateway", "visibility": "PUBLIC", "viewerPermission": "ADMIN"},
    "subject": {
        "use_default": True,
        "use_immutable_subject": True,
        "sub_claim_prefix": "repo:octocat@123/gateway@456",
    },
    "users": {"users/ann": 7, "orgs/octocat/teams/keepers": 8},
    "environments": [],
    "branches": {},
    "variables": {},
    "faults": {},
    "answers": {},
    "kill_after": None,
    "changes": [],
    "calls": [],
}


class RefusedError(Exception):
    """The command fails: exit code and message."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


def serve(file: Path, program: str, arguments: list[str], body: str) -> tuple[int, str, str, bool]:
    """Run a command on the cloud in `file`: exit code, what it prints and what it complains of, and whether to kill."""
    with file.open("r+") as opened:
        fcntl.flock(opened, fcntl.LOCK_EX)
        state: State = json.load(opened)
        before = picture(state)
        state["calls"].append([program, *arguments])
        code, said, complaint, kill = 0, "", "", False
        try:
            said = respond(state, program, arguments, body)
        except RefusedError as refusal:
            code, complaint = refusal.code, f"{refusal}\n"
        if picture(state) != before:
            state["changes"].append([program, *arguments])
            kill = state["kill_after"] is not None and len(state["changes"]) >= state["kill_after"]
        opened.seek(0)
        opened.truncate()
        opened.write(json.dumps(state))
    return code, said, complaint, kill


def picture(state: State) -> str:
    """All that there is, as text."""
    return json.dumps({name: state[name] for name in EMPTY if name not in {"changes", "calls"}})


def main() -> int:
    code, said, complaint, kill = serve(
        Path(os.environ["FAKE_CLOUD"]), Path(sys.argv[0]).name, sys.argv[1:], sys.stdin.read()
    )
    if kill:
        os.kill(os.getppid(), signal.SIGKILL)
    sys.stderr.write(complaint)
    sys.stdout.write(said)
    return code


def respond(state: State, program: str, arguments: list[str], body: str) -> str:
    """What a program prints; raises RefusedError."""
    words, options = parse(arguments)
    name = " ".join([program, *words])
    for start, (code, message) in state["faults"].items():
        if name.startswith(start):
            raise RefusedError(code, message)
    for start, answer in state["answers"].items():
        if name.startswith(start):
            return str(answer)
    if program == "gh":
        return json.dumps(ask_github(state, words, options, body))
    if "--subscription" in options and options.pop("--subscription") != [state["account"]["id"]]:
        raise RefusedError(1, "ERROR: The subscription doesn't exist in cloud 'AzureCloud'.")
    if options.pop("--output", None) != ["json"]:
        raise RefusedError(2, "ERROR: the test wants --output json everywhere")
    handler = AZURE.get(" ".join(words))
    if handler is None:
        raise RefusedError(2, f"ERROR: '{' '.join(words)}' is misspelled or not recognized by the system.")
    return json.dumps(handler(state, options))


def parse(arguments: list[str]) -> tuple[list[str], Options]:
    """Words before the first option; each option with what follows it."""
    words: list[str] = []
    options: Options = {}
    current = words
    for argument in arguments:
        # gh's flags without a value stand before its words.
        if argument in {"--paginate", "--slurp"}:
            options[argument] = []
        elif argument.startswith("--"):
            current = options.setdefault(argument, [])
        else:
            current.append(argument)
    if "--method" in options and len(options["--method"]) > 1:
        words += options["--method"][1:]
        options["--method"] = options["--method"][:1]
    return words, options


def take(options: Options, *names: str) -> list[str]:
    """The values of exactly these options; a name with `?` may be missing."""
    values = []
    for name in names:
        option = f"--{name.rstrip('?')}"
        if option not in options and not name.endswith("?"):
            raise RefusedError(2, f"ERROR: the following arguments are required: {option}")
        values.append(" ".join(options.pop(option, [])))
    if options:
        raise RefusedError(2, f"ERROR: unrecognized arguments: {' '.join(options)}")
    return values


def make_id(*parts: str) -> str:
    digest = hashlib.sha256("/".join(parts).encode()).hexdigest()
    return f"{digest[:8]}-{digest[8:12]}-4{digest[13:16]}-8{digest[17:20]}-{digest[20:32]}"


def find(items: list[State], key: str, value: str) -> State:
    for item in items:
        if item[key] == value:
            return item
    raise RefusedError(3, f"ERROR: (ResourceNotFound) {value} was not found.")


# --- Azure --------------------------------------------------------------------------------------------------


def show_account(state: State, options: Options) -> Any:
    take(options)
    if state["account"] is None:
        raise RefusedError(1, "ERROR: Please run 'az login' to setup account.")
    return state["account"]


def list_providers(state: State, options: Options) -> Any:
    take(options)
    return [{"namespace": name, "registrationState": value} for name, value in state["providers"].items()]


def register_provider(state: State, options: Options) -> Any:
    name, _ = take(options, "namespace", "wait")
    state["providers"][name] = "Registered"
    return None


def create_group(state: State, options: Options) -> Any:
    name, location, _ = take(options, "name", "location", "tags")
    state["groups"].append({"name": name, "location": location})
    return state["groups"][-1]


def show_openai(state: State, options: Options) -> Any:
    name, group = take(options, "name", "resource-group")
    if all(one["resourceGroup"] != group for one in state["openai"]):
        raise RefusedError(3, f"ERROR: (ResourceGroupNotFound) Resource group '{group}' could not be found.")
    return find([one for one in state["openai"] if one["resourceGroup"] == group], "name", name)


def check_name(state: State, options: Options) -> Any:
    (name,) = take(options, "name")
    taken = name in state["taken"] or any(one["name"] == name for one in state["accounts"])
    return {"nameAvailable": not taken, "reason": "AlreadyExists" if taken else None}


_SWITCHES = (
    "allow-shared-key-access?",
    "min-tls-version?",
    "https-only?",
    "allow-blob-public-access?",
    "allow-cross-tenant-replication?",
)


def set_switches(account: State, values: list[str]) -> None:
    names = (
        "allowSharedKeyAccess",
        "minimumTlsVersion",
        "enableHttpsTrafficOnly",
        "allowBlobPublicAccess",
        "allowCrossTenantReplication",
    )
    for name, value in zip(names, values, strict=True):
        if value:
            account[name] = {"true": True, "false": False}.get(value, value)


def create_account(state: State, options: Options) -> Any:
    name, group, location, kind, _, _, *switches = take(
        options, "name", "resource-group", "location", "kind", "sku", "tags", *_SWITCHES
    )
    find(state["groups"], "name", group)
    if name in state["taken"]:
        raise RefusedError(
            1, f"ERROR: (StorageAccountAlreadyTaken) The storage account named {name} is already taken."
        )
    account = {"name": name, "resourceGroup": group, "location": location, "kind": kind}
    set_switches(account, switches)
    state["accounts"].append(account)
    return account


def update_account(state: State, options: Options) -> Any:
    name, _, *switches = take(options, "name", "resource-group", *_SWITCHES)
    account = find(state["accounts"], "name", name)
    set_switches(account, switches)
    return account


def show_blobs(state: State, options: Options) -> Any:
    name, _ = take(options, "account-name", "resource-group")
    find(state["accounts"], "name", name)
    unset = {"isVersioningEnabled": None, "deleteRetentionPolicy": {"enabled": False}}
    return {"name": "default", **state["blobs"].get(name, unset)}


def update_blobs(state: State, options: Options) -> Any:
    name, _, versions, blobs, blob_days, containers, container_days = take(
        options,
        *("account-name", "resource-group", "enable-versioning", "enable-delete-retention"),
        *("delete-retention-days", "enable-container-delete-retention", "container-delete-retention-days"),
    )
    find(state["accounts"], "name", name)
    state["blobs"][name] = {
        "isVersioningEnabled": versions == "true",
        "deleteRetentionPolicy": {"enabled": blobs == "true", "days": int(blob_days)},
        "containerDeleteRetentionPolicy": {"enabled": containers == "true", "days": int(container_days)},
    }
    return state["blobs"][name]


def exists_container(state: State, options: Options) -> Any:
    name, account, _ = take(options, "name", "storage-account", "resource-group")
    find(state["accounts"], "name", account)
    return {"exists": f"{account}/{name}" in state["containers"]}


def create_container(state: State, options: Options) -> Any:
    name, account, _ = take(options, "name", "storage-account", "resource-group")
    find(state["accounts"], "name", account)
    state["containers"].append(f"{account}/{name}")
    return {"name": name}


def list_locks(state: State, options: Options) -> Any:
    (group,) = take(options, "resource-group")
    find(state["groups"], "name", group)
    return [lock for lock in state["locks"] if lock["group"] == group]


def create_lock(state: State, options: Options) -> Any:
    name, group, level = take(options, "name", "resource-group", "lock-type")
    find(state["groups"], "name", group)
    state["locks"].append({"name": name, "group": group, "level": level})
    return state["locks"][-1]


def read_filter(options: Options, key: str) -> str:
    (text,) = take(options, "filter")
    match = re.fullmatch(rf"{key} eq '([^']*)'", text)
    if match is None:
        raise RefusedError(1, "ERROR: Invalid filter clause")
    return match[1]


def list_apps(state: State, options: Options) -> Any:
    wanted = read_filter(options, "displayName")
    return [app for app in state["apps"] if app["displayName"] == wanted]


def create_app(state: State, options: Options) -> Any:
    name, audience = take(options, "display-name", "sign-in-audience")
    app = {"appId": make_id("app", name), "displayName": name, "signInAudience": audience}
    state["apps"].append({**app, "passwordCredentials": [], "keyCredentials": []})
    return state["apps"][-1]


def list_principals(state: State, options: Options) -> Any:
    wanted = read_filter(options, "appId")
    return [one for one in state["principals"] if one["appId"] == wanted]


def create_principal(state: State, options: Options) -> Any:
    (app,) = take(options, "id")
    find(state["apps"], "appId", app)
    state["principals"].append({"appId": app, "id": make_id("principal", app)})
    return state["principals"][-1]


def list_credentials(state: State, options: Options) -> Any:
    (app,) = take(options, "id")
    find(state["apps"], "appId", app)
    return state["credentials"].get(app, [])


def create_credential(state: State, options: Options) -> Any:
    app, body = take(options, "id", "parameters")
    find(state["apps"], "appId", app)
    credential = {**json.loads(body), "id": make_id("credential", app)}
    state["credentials"].setdefault(app, []).append(credential)
    return credential


def update_credential(state: State, options: Options) -> Any:
    app, identifier, body = take(options, "id", "federated-credential-id", "parameters")
    find(state["credentials"][app], "id", identifier).update(json.loads(body))
    return None


def list_definitions(state: State, options: Options) -> Any:
    name, _ = take(options, "name", "custom-role-only")
    return [one for one in state["definitions"] if one["roleName"] == name]


def write_definition(state: State, options: Options) -> Any:
    (body,) = take(options, "role-definition")
    given = json.loads(body)
    name = given.get("Id") or make_id("role", given["Name"])
    state["definitions"] = [one for one in state["definitions"] if one["name"] != name]
    state["definitions"].append(
        {
            "name": name,
            "roleName": given["Name"],
            "permissions": [{"actions": given["Actions"]}],
            "assignableScopes": given["AssignableScopes"],
        }
    )
    return state["definitions"][-1]


def list_assignments(state: State, options: Options) -> Any:
    _, assignee, _ = take(options, "all", "assignee-object-id", "fill-principal-name")
    return [one for one in state["assignments"] if one["principalId"] == assignee]


def create_assignment(state: State, options: Options) -> Any:
    assignee, kind, role, scope, condition, version = take(
        options,
        "assignee-object-id",
        "assignee-principal-type",
        "role",
        "scope",
        "condition?",
        "condition-version?",
    )
    if kind != "ServicePrincipal" or bool(condition) != (version == "2.0"):
        raise RefusedError(1, "ERROR: bad assignment")
    find(state["principals"], "id", assignee)
    if role.startswith("pvc "):
        find(state["definitions"], "roleName", role)
    state["assignments"].append(
        {"principalId": assignee, "roleDefinitionName": role, "scope": scope, "condition": condition or None}
    )
    return state["assignments"][-1]


AZURE = {
    "account show": show_account,
    "cognitiveservices account show": show_openai,
    "provider list": list_providers,
    "provider register": register_provider,
    "group list": lambda state, options: take(options) or state["groups"],
    "group create": create_group,
    "storage account list": lambda state, options: take(options) or state["accounts"],
    "storage account check-name": check_name,
    "storage account create": create_account,
    "storage account update": update_account,
    "storage account blob-service-properties show": show_blobs,
    "storage account blob-service-properties update": update_blobs,
    "storage container-rm exists": exists_container,
    "storage container-rm create": create_container,
    "lock list": list_locks,
    "lock create": create_lock,
    "ad app list": list_apps,
    "ad app create": create_app,
    "ad sp list": list_principals,
    "ad sp create": create_principal,
    "ad app federated-credential list": list_credentials,
    "ad app federated-credential create": create_credential,
    "ad app federated-credential update": update_credential,
    "role definition list": list_definitions,
    "role definition create": write_definition,
    "role definition update": write_definition,
    "role assignment list": list_assignments,
    "role assignment create": create_assignment,
}


# --- GitHub -------------------------------------------------------------------------------------------------


def ask_github(state: State, words: list[str], options: Options, body: str) -> Any:
    if state["repository"] is None:
        raise RefusedError(4, "To get started with GitHub CLI, please run:  gh auth login")
    if words[:2] == ["repo", "view"]:
        return state["repository"]
    if words[:2] == ["variable", "list"]:
        held = state["variables"].get(options["--env"][0], {})
        return [{"name": name, "value": value} for name, value in held.items()]
    if words[:2] == ["variable", "set"]:
        find(state["environments"], "name", options["--env"][0])
        state["variables"].setdefault(options["--env"][0], {})[words[2]] = options["--body"][0]
        return None
    if words[:1] != ["api"]:
        raise RefusedError(1, f'unknown command "{words[0]}" for "gh"')
    slug = state["repository"]["nameWithOwner"]
    path = words[1]
    if path in state["users"]:
        return {"id": state["users"][path]}
    if not path.startswith(f"repos/{slug}/"):
        raise RefusedError(1, "gh: Not Found (HTTP 404)")
    return ask_repository(state, path.removeprefix(f"repos/{slug}/"), options, body)


def ask_repository(state: State, path: str, options: Options, text: str) -> Any:
    method = options.get("--method", ["GET"])[0]
    body = json.loads(text) if "--input" in options else {}
    if path == "actions/oidc/customization/sub":
        if options.get("--header") != ["X-GitHub-Api-Version: 2026-03-10"]:
            return {"use_default": state["subject"]["use_default"]}
        return state["subject"]
    if path == "environments":
        return [{"total_count": len(state["environments"]), "environments": state["environments"]}]
    _, name, *rest = path.split("/")
    if not rest and method == "PUT":
        with contextlib.suppress(RefusedError):
            state["environments"].remove(find(state["environments"], "name", name))
        reviewers = [
            {"type": one["type"], "reviewer": {"id": one["id"]}} for one in body.get("reviewers") or []
        ]
        rules = [{"type": "required_reviewers", "reviewers": reviewers, "prevent_self_review": False}]
        rules[0]["prevent_self_review"] = body.get("prevent_self_review", False)
        if body.get("wait_timer"):
            rules.append({"type": "wait_timer", "wait_timer": body["wait_timer"]})
        state["environments"].append(
            {
                "name": name,
                "protection_rules": rules if body else [],
                "deployment_branch_policy": body.get("deployment_branch_policy"),
            }
        )
        return state["environments"][-1]
    find(state["environments"], "name", name)
    if rest == ["deployment-branch-policies"] and method == "POST":
        state["branches"].setdefault(name, []).append(body)
        return body
    if rest == ["deployment-branch-policies"]:
        return [{"branch_policies": state["branches"].get(name, [])}]
    raise RefusedError(1, "gh: Not Found (HTTP 404)")


if __name__ == "__main__":
    sys.exit(main())
