"""Bootstrap makes what is missing, once; what is in its way it leaves alone, and says what to do."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path
from typing import Any

import fake_cloud
import pytest
from clouds import ROOT, Cloud, make_cloud_in
from fake_cloud import SUBSCRIPTION, State

from aigateway import commands
from aigateway.bootstrap import Part
from aigateway.bootstrap.openai import OpenAIAccount
from aigateway.bootstrap.parts import bootstrap
from aigateway.bootstrap.roles import CONDITION
from aigateway.bootstrap.steps import Mode, Outcome
from aigateway.errors import AigatewayError

ACCOUNT = "pvcdevaigatewaystsan"
GROUP = "pvc-dev-aigateway-state-rg-san"
PLAN, APPLY = "pvc-dev-aigateway-plan", "pvc-dev-aigateway-apply"


class _KilledError(BaseException):
    """Nothing catches it, as nothing catches SIGKILL."""


def use_in_process(cloud: Cloud, patch: pytest.MonkeyPatch) -> None:
    """Have commands run in this process: what is said to them and what they say is the same, and it takes no time."""

    def run(arguments: Sequence[str], *, input: str, **_: Any) -> subprocess.CompletedProcess[str]:  # noqa: A002
        code, said, complaint, kill = fake_cloud.serve(cloud.file, arguments[0], list(arguments[1:]), input)
        if kill:
            raise _KilledError
        return subprocess.CompletedProcess(arguments, code, said, complaint)

    patch.setattr(commands.subprocess, "run", run)
    patch.delenv("ARM_SUBSCRIPTION_ID", raising=False)


@pytest.fixture
def make_cloud(tmp_path: Path) -> Callable[[], Cloud]:
    """Makes empty ones."""
    numbers = count()
    return lambda: make_cloud_in(tmp_path / f"cloud-{next(numbers)}")


@pytest.fixture
def cloud(make_cloud: Callable[[], Cloud]) -> Cloud:
    """An empty one."""
    return make_cloud()


@pytest.fixture
def go(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[Outcome, list[str]]]:
    """Bootstraps in this process; gives the outcome and the lines."""
    use_in_process(cloud, monkeypatch)

    def run(
        part: Part = Part.ALL,
        mode: Mode = Mode.CHANGE,
        environment: str = "dev",
        reviewers: Sequence[str] = (),
        account: OpenAIAccount | None = None,
    ) -> tuple[Outcome, list[str]]:
        lines: list[str] = []
        outcome = bootstrap(ROOT, part, environment, mode, lines.append, reviewers=reviewers, account=account)
        return outcome, lines

    return run


Go = Callable[..., tuple[Outcome, list[str]]]


def refuse(cloud: Cloud, go: Go, *arguments: Any, **options: Any) -> str:
    """The message of a run that must change nothing."""
    before = cloud.made
    with pytest.raises(AigatewayError) as caught:
        go(*arguments, **options)
    assert cloud.made == before
    return str(caught.value)


# --- the command line -----------------------------------------------------------------------------------------


def test_a_second_run_changes_nothing(cloud: Cloud) -> None:
    first = cloud.succeed("all", "dev")
    assert "made         storage account pvcdevaigatewaystsan" in first
    after, changes = cloud.made, cloud.read()["changes"]
    second = cloud.succeed("all", "dev")
    assert cloud.made == after
    assert cloud.read()["changes"] == changes
    assert "made  " not in second
    assert "changed  " not in second
    assert second.splitlines()[-1] == "dev: 20 found, 0 made or changed"


def test_a_plan_changes_nothing_and_shows_each_command(cloud: Cloud) -> None:
    before = cloud.made
    planned = cloud.succeed("all", "dev", "--plan")
    assert cloud.made == before
    assert cloud.read()["changes"] == []
    made = cloud.succeed("all", "dev")
    wanted = [
        line.removeprefix("would make").strip() for line in planned.splitlines() if "would make" in line
    ]
    done = [line.split(maxsplit=1)[1] for line in made.splitlines() if line.startswith(("made", "changed"))]
    assert wanted == done
    shown = [line for line in planned.splitlines() if line.startswith("             ")]
    assert len(shown) == len(done) == len(cloud.read()["changes"])


def test_verify_says_what_is_missing_and_what_differs(cloud: Cloud) -> None:
    done = cloud.run("all", "dev", "--verify")
    assert done.returncode == 1
    assert f"missing      storage account {ACCOUNT}" in done.stdout
    assert cloud.read()["changes"] == []
    cloud.succeed("all", "dev")
    assert "20 found, 0 to make or change" in cloud.succeed("all", "dev", "--verify")
    accounts = cloud.read()["accounts"]
    accounts[0]["allowSharedKeyAccess"] = None
    cloud.edit(accounts=accounts)
    done = cloud.run("state", "dev", "--verify")
    assert done.returncode == 1
    assert f"differs      storage account {ACCOUNT}: takes shared keys" in done.stdout


@pytest.mark.parametrize("after", [8, 24])
def test_killed_and_run_again(cloud: Cloud, make_cloud: Callable[[], Cloud], after: int) -> None:
    whole = make_cloud()
    whole.succeed("all", "dev")
    cloud.edit(kill_after=after)
    killed = cloud.run("all", "dev")
    assert killed.returncode == -9
    assert len(cloud.read()["changes"]) == after
    cloud.edit(kill_after=None)
    cloud.succeed("all", "dev")
    assert cloud.made == whole.made


@pytest.mark.parametrize("missing", ["az", "gh"])
def test_not_installed(cloud: Cloud, missing: str) -> None:
    (cloud.programs / missing).unlink()
    said = cloud.refuse("all", "dev", path=str(cloud.programs))
    assert f"{missing} is not installed; https://" in said


def test_contradictory_questions(cloud: Cloud) -> None:
    assert "ask one of them" in cloud.refuse("all", "dev", "--plan", "--verify")
    assert cloud.read()["calls"] == []


def test_no_environment_of_that_name(cloud: Cloud) -> None:
    assert "there is no environment 'dve'; did you mean 'dev'" in cloud.refuse("state", "dve")
    assert cloud.read()["calls"] == []


# --- resuming ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("environment", "reviewers"), [("dev", ()), ("prod", ("ann", "octocat/keepers"))])
def test_killed_after_each_change_and_run_again(
    make_cloud: Callable[[], Cloud],
    environment: str,
    reviewers: Sequence[str],
) -> None:
    def run(cloud: Cloud) -> None:
        with pytest.MonkeyPatch.context() as patch:
            use_in_process(cloud, patch)
            bootstrap(ROOT, Part.ALL, environment, Mode.CHANGE, lambda _line: None, reviewers=reviewers)

    whole = make_cloud()
    run(whole)
    total = len(whole.read()["changes"])
    assert total > 30
    for after in range(1, total):
        cloud = make_cloud()
        cloud.edit(kill_after=after)
        with pytest.raises(_KilledError):
            run(cloud)
        cloud.edit(kill_after=None)
        run(cloud)
        assert cloud.made == whole.made, after
        # Nothing was made twice.
        assert sorted(cloud.read()["changes"]) == sorted(whole.read()["changes"]), after


def test_one_part_after_the_other_is_all_of_them(
    cloud: Cloud, make_cloud: Callable[[], Cloud], go: Go
) -> None:
    for part in (Part.STATE, Part.IDENTITY, Part.GITHUB):
        go(part)
    other = make_cloud()
    with pytest.MonkeyPatch.context() as patch:
        use_in_process(other, patch)
        bootstrap(ROOT, Part.ALL, "dev", Mode.CHANGE, lambda _line: None)
    assert cloud.made == other.made


def test_what_azure_does_not_know_yet_is_tried_again(go: Go, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "_SETTLING_PAUSE_SECONDS", 0.01)
    real, tries = commands.subprocess.run, []

    def run(arguments: Sequence[str], **options: Any) -> subprocess.CompletedProcess[str]:
        if list(arguments[1:4]) == ["ad", "sp", "create"] and len(tries) < 3:
            tries.append(arguments)
            return subprocess.CompletedProcess(
                arguments,
                1,
                "",
                "ERROR: The appId 'x' of the service principal does not reference a valid "
                "application object: NoBackingApplicationObject",
            )
        return real(arguments, **options)

    monkeypatch.setattr(commands.subprocess, "run", run)
    go()
    assert len(tries) == 3


def test_what_azure_never_knows_ends(cloud: Cloud, go: Go, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "_SETTLING_PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(commands, "_SETTLING_SECONDS", 0.05)
    cloud.edit(faults={"az role assignment create": [1, "ERROR: (PrincipalNotFound) no such principal"]})
    with pytest.raises(
        AigatewayError, match=r"az role assignment create failed: .*PrincipalNotFound.*run it all again"
    ):
        go()
    cloud.edit(faults={})
    go()


# --- what is made -----------------------------------------------------------------------------------------------


def test_the_account_of_the_state(cloud: Cloud, go: Go) -> None:
    go(Part.STATE)
    state = cloud.read()
    (account,) = state["accounts"]
    assert account == {
        "name": ACCOUNT,
        "resourceGroup": GROUP,
        "location": "southafricanorth",
        "kind": "StorageV2",
        "allowSharedKeyAccess": False,
        "minimumTlsVersion": "TLS1_2",
        "enableHttpsTrafficOnly": True,
        "allowBlobPublicAccess": False,
        "allowCrossTenantReplication": False,
    }
    assert state["blobs"][ACCOUNT]["isVersioningEnabled"] is True
    assert state["blobs"][ACCOUNT]["deleteRetentionPolicy"] == {"enabled": True, "days": 30}
    assert state["containers"] == [f"{ACCOUNT}/tfstate"]
    assert state["locks"] == [{"name": "nodelete", "group": GROUP, "level": "CanNotDelete"}]


def test_it_is_the_account_and_container_of_terraforms_root(cloud: Cloud, go: Go) -> None:
    go(Part.STATE)
    variables = json.loads((ROOT / "infra/env/dev/terraform.tfvars.json").read_text())
    root = (ROOT / "infra/env/dev/main.tf").read_text()
    (container,) = cloud.read()["containers"]
    account, _, name = container.partition("/")
    assert variables["names"]["storage_account"] == account
    assert f'container_name   = "{name}"' in root
    # Terraform makes a group of that name, and would stop at one that is there.
    assert variables["names"]["resource_group"] not in [group["name"] for group in cloud.read()["groups"]]


def test_each_provider_of_the_module_is_registered(cloud: Cloud, go: Go) -> None:
    go(Part.STATE)
    registered = {name for name, state in cloud.read()["providers"].items() if state == "Registered"}
    assert registered == {
        "Microsoft.App",
        "Microsoft.Consumption",
        "Microsoft.Insights",
        "Microsoft.KeyVault",
        "Microsoft.ManagedIdentity",
        "Microsoft.OperationalInsights",
        "Microsoft.Storage",
    }


def list_roles(state: State, name: str) -> dict[str, str]:
    (app,) = (app for app in state["apps"] if app["displayName"] == name)
    (principal,) = (one for one in state["principals"] if one["appId"] == app["appId"])
    return {
        one["roleDefinitionName"]: one["scope"]
        for one in state["assignments"]
        if one["principalId"] == principal["id"]
    }


def test_roles_are_the_least(cloud: Cloud, go: Go) -> None:
    go()
    state = cloud.read()
    subscription = f"/subscriptions/{SUBSCRIPTION}"
    container = (
        f"{subscription}/resourceGroups/{GROUP}/providers/Microsoft.Storage/storageAccounts/{ACCOUNT}"
        "/blobServices/default/containers/tfstate"
    )
    assert list_roles(state, PLAN) == {
        "Reader": subscription,
        f"pvc dev aigateway plan {SUBSCRIPTION}": subscription,
        "Key Vault Secrets User": subscription,
        "Storage Blob Data Reader": container,
    }
    assert list_roles(state, APPLY) == {
        "Contributor": subscription,
        "Key Vault Secrets Officer": subscription,
        "Role Based Access Control Administrator": subscription,
        "Storage Blob Data Contributor": container,
    }
    (role,) = state["definitions"]
    assert role["permissions"] == [{"actions": ["Microsoft.App/containerApps/listSecrets/action"]}]
    conditions = {
        one["roleDefinitionName"]: one["condition"] for one in state["assignments"] if one["condition"]
    }
    assert conditions == {"Role Based Access Control Administrator": CONDITION}
    assert CONDITION.count("4633458b-17de-408a-b874-0445c86b69e6") == 2
    assert CONDITION.count("(") == CONDITION.count(")")


@pytest.mark.parametrize(
    ("immutable", "prefix"), [(True, "repo:octocat@123/gateway@456"), (False, "repo:octocat/gateway")]
)
def test_the_subject_is_github_s(cloud: Cloud, go: Go, immutable: bool, prefix: str) -> None:
    subject = {**cloud.read()["subject"], "use_immutable_subject": immutable}
    cloud.edit(subject=subject)
    go()
    state = cloud.read()
    names = {app["appId"]: app["displayName"] for app in state["apps"]}
    logins = {names[app]: [one["subject"] for one in found] for app, found in state["credentials"].items()}
    assert logins == {PLAN: [f"{prefix}:environment:dev-plan"], APPLY: [f"{prefix}:environment:dev"]}
    assert {one["issuer"] for found in state["credentials"].values() for one in found} == {
        "https://token.actions.githubusercontent.com"
    }


def test_nobody_has_a_secret_and_no_secret_is_stored(cloud: Cloud, go: Go) -> None:
    go()
    assert all(not app["passwordCredentials"] and not app["keyCredentials"] for app in cloud.read()["apps"])
    assert not [call for call in cloud.read()["calls"] if "secret" in call[1:3] or "credential" in call[1:4]]


def test_environments_of_github(cloud: Cloud, go: Go) -> None:
    go(environment="staging", reviewers=("ann", "octocat/keepers"))
    state = cloud.read()
    environments = {one["name"]: one for one in state["environments"]}
    assert set(environments) == {"staging-plan", "staging"}
    (rule,) = environments["staging"]["protection_rules"]
    assert rule["reviewers"] == [
        {"type": "User", "reviewer": {"id": 7}},
        {"type": "Team", "reviewer": {"id": 8}},
    ]
    assert state["branches"] == {"staging": [{"name": "main", "type": "branch"}]}
    assert environments["staging-plan"]["deployment_branch_policy"] is None
    apps = {app["displayName"]: app["appId"] for app in state["apps"]}
    for name, purpose in (("staging-plan", "plan"), ("staging", "apply")):
        assert state["variables"][name] == {
            "AZURE_CLIENT_ID": apps[f"pvc-staging-aigateway-{purpose}"],
            "AZURE_TENANT_ID": state["account"]["tenantId"],
            "AZURE_SUBSCRIPTION_ID": SUBSCRIPTION,
        }


def test_who_may_deploy_is_settled_before_anybody_can_log_in(cloud: Cloud, go: Go) -> None:
    go()
    changes = [" ".join(change) for change in cloud.read()["changes"]]
    logins = [number for number, change in enumerate(changes) if "federated-credential create" in change]
    before = [
        number
        for number, change in enumerate(changes)
        if "/environments/" in change or "role assignment create" in change
    ]
    assert max(before) < min(logins)


# --- what differs is put right ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("allowSharedKeyAccess", None, "takes shared keys"),
        ("minimumTlsVersion", "TLS1_0", "takes TLS older than 1.2"),
        ("enableHttpsTrafficOnly", False, "takes plain HTTP"),
        ("allowBlobPublicAccess", True, "can be made public"),
        ("allowCrossTenantReplication", None, "can be copied to other tenants"),
    ],
)
def test_an_account_that_was_softened(cloud: Cloud, go: Go, name: str, value: Any, said: str) -> None:
    go(Part.STATE)
    good, accounts = cloud.made, cloud.read()["accounts"]
    accounts[0][name] = value
    cloud.edit(accounts=accounts)
    outcome, lines = go(Part.STATE)
    assert outcome.changes == 1
    assert f"changed      storage account {ACCOUNT}: {said}" in lines
    assert cloud.made == good


def find_login(state: State) -> State:
    app = next(app["appId"] for app in state["apps"] if app["displayName"] == APPLY)
    login: State = state["credentials"][app][0]
    return login


#: One thing undone, each.
UNDONE: dict[str, Callable[[State], Any]] = {
    "versions": lambda state: state["blobs"][ACCOUNT].update(isVersioningEnabled=False),
    "retention": lambda state: state["blobs"][ACCOUNT]["containerDeleteRetentionPolicy"].update(days=7),
    "lock": lambda state: state.update(locks=[]),
    "role": lambda state: state["definitions"][0].update(permissions=[{"actions": ["*"]}]),
    "assignment": lambda state: state["assignments"].pop(2),
    "old subject": lambda state: find_login(state).update(subject="repo:octocat/gateway:environment:dev"),
    "audience": lambda state: find_login(state).update(audiences=["api://other"]),
    "branches": lambda state: state.update(branches={}),
    "unprotected": lambda state: state["environments"][1].update(deployment_branch_policy=None),
    "variable": lambda state: state["variables"]["dev"].update(AZURE_CLIENT_ID="other"),
}


@pytest.mark.parametrize("place", UNDONE)
def test_what_was_undone_is_seen_and_put_right(cloud: Cloud, go: Go, place: str) -> None:
    go()
    good, state = cloud.made, cloud.read()
    UNDONE[place](state)
    cloud.write(state)
    assert cloud.made != good
    for mode in (Mode.VERIFY, Mode.PLAN):
        undone = cloud.made
        outcome, _ = go(mode=mode)
        assert (outcome.changes, outcome.conflicts) == (1, 0)
        assert outcome.good == (mode is Mode.PLAN)
        assert cloud.made == undone
    outcome, _ = go()
    assert outcome.changes == 1
    assert cloud.made == good


def test_what_people_set_of_an_environment_is_kept(cloud: Cloud, go: Go) -> None:
    go(environment="prod", reviewers=("ann",))
    state = cloud.read()
    prod = next(one for one in state["environments"] if one["name"] == "prod")
    prod["protection_rules"][0]["prevent_self_review"] = True
    prod["protection_rules"].append({"type": "wait_timer", "wait_timer": 30})
    prod["deployment_branch_policy"] = None
    cloud.write(state)
    go(environment="prod", reviewers=("octocat/keepers",))
    prod = next(one for one in cloud.read()["environments"] if one["name"] == "prod")
    reviewers, timer = prod["protection_rules"]
    assert [one["reviewer"]["id"] for one in reviewers["reviewers"]] == [7, 8]
    assert reviewers["prevent_self_review"] is True
    assert timer["wait_timer"] == 30
    assert prod["deployment_branch_policy"]["custom_branch_policies"] is True


# --- what is in the way is left alone ---------------------------------------------------------------------------


def test_a_name_taken_by_somebody_else(cloud: Cloud, go: Go) -> None:
    cloud.edit(taken=[ACCOUNT], providers=dict.fromkeys(PROVIDERS, "Registered"))
    said = refuse(cloud, go)
    assert f"the storage account name {ACCOUNT} is taken, by somebody else's subscription" in said
    assert "set names.storage_account in infra/env/dev/gateway.yaml, then run: aigateway render" in said


PROVIDERS = (
    *("Microsoft.App", "Microsoft.Consumption", "Microsoft.Insights", "Microsoft.KeyVault"),
    *("Microsoft.ManagedIdentity", "Microsoft.OperationalInsights", "Microsoft.Storage"),
)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"resourceGroup": "shop"}, "is in the resource group shop, not in"),
        ({"kind": "FileStorage"}, "is a FileStorage in southafricanorth"),
        ({"location": "westeurope"}, "is a StorageV2 in westeurope"),
    ],
)
def test_an_account_that_is_for_something_else(cloud: Cloud, go: Go, change: State, said: str) -> None:
    go(Part.STATE)
    accounts = cloud.read()["accounts"]
    accounts[0] |= change
    cloud.edit(accounts=accounts)
    assert said in refuse(cloud, go)


def test_a_group_elsewhere(cloud: Cloud, go: Go) -> None:
    go(Part.STATE)
    cloud.edit(groups=[{"name": GROUP, "location": "westeurope"}], accounts=[])
    assert "is in westeurope, and the settings say southafricanorth" in refuse(cloud, go)


def get_app(cloud: Cloud, name: str = APPLY) -> str:
    return next(str(app["appId"]) for app in cloud.read()["apps"] if app["displayName"] == name)


@pytest.mark.parametrize(
    "subject",
    [
        "repo:mallory/gateway:environment:dev",
        "repo:octocat@123/gateway@999:environment:dev",  # the same names, and another repository
        "repo:octocat@123/gateway@456:environment:prod",
        "repo:octocat@123/gateway@456:ref:refs/heads/main",
        "repo:octocat@123/gateway@456:pull_request",
    ],
)
def test_a_foreign_federated_credential(cloud: Cloud, go: Go, subject: str) -> None:
    go()
    credentials = cloud.read()["credentials"]
    credentials[get_app(cloud)][0]["subject"] = subject
    cloud.edit(credentials=credentials)
    said = refuse(cloud, go)
    assert "lets somebody else log in" in said
    assert subject in said
    assert "az ad app federated-credential delete --id" in said
    outcome, lines = go(mode=Mode.VERIFY)
    assert (outcome.conflicts, outcome.good) == (1, False)
    assert any(line.startswith("in the way") and subject in line for line in lines)


def test_a_foreign_issuer_and_a_second_credential(cloud: Cloud, go: Go) -> None:
    go()
    app, credentials = get_app(cloud), cloud.read()["credentials"]
    ours = credentials[app][0]
    cloud.edit(credentials={**credentials, app: [{**ours, "issuer": "https://evil.example"}]})
    assert "of https://evil.example" in refuse(cloud, go)
    older = {**ours, "id": "x", "name": "old", "subject": "repo:octocat/gateway:environment:dev"}
    cloud.edit(credentials={**credentials, app: [ours, older]})
    assert "has 2 federated credentials, and needs one" in refuse(cloud, go)


@pytest.mark.parametrize("kind", ["passwordCredentials", "keyCredentials"])
def test_an_app_with_a_secret(cloud: Cloud, go: Go, kind: str) -> None:
    go()
    apps = cloud.read()["apps"]
    apps[0][kind] = [{"keyId": "33333333-3333-4333-8333-333333333333"}]
    cloud.edit(apps=apps)
    said = refuse(cloud, go)
    assert "has 1 secrets or certificates" in said
    assert ("--cert" in said) == (kind == "keyCredentials")


def test_two_apps_of_one_name(cloud: Cloud, go: Go) -> None:
    go()
    apps = cloud.read()["apps"]
    cloud.edit(apps=[*apps, {**apps[0], "appId": "other"}])
    assert "there are 2 app registrations called" in refuse(cloud, go)


def test_a_role_too_many_and_a_condition_too_few(cloud: Cloud, go: Go) -> None:
    go()
    assignments = cloud.read()["assignments"]
    extra = {**assignments[0], "roleDefinitionName": "Owner"}
    cloud.edit(assignments=[*assignments, extra])
    said = refuse(cloud, go)
    assert "has a role that it does not need, Owner on" in said
    loose = [{**one, "condition": None} for one in assignments]
    cloud.edit(assignments=loose)
    said = refuse(cloud, go)
    assert "with another condition than it has to have (none)" in said
    assert "az role assignment delete --assignee" in said


def test_nobody_approves(cloud: Cloud, go: Go) -> None:
    go(Part.STATE, environment="staging")
    go(Part.IDENTITY, environment="staging")
    cloud.edit(environments=[{"name": "staging-plan"}])
    said = refuse(cloud, go, Part.GITHUB, environment="staging")
    assert "has nobody who approves its deployments" in said
    assert "--reviewer USER" in said


def test_a_branch_too_many(cloud: Cloud, go: Go) -> None:
    go()
    branches = cloud.read()["branches"]
    branches["dev"].append({"name": "release/*", "type": "branch"})
    cloud.edit(branches=branches)
    assert "takes jobs of release/* too" in refuse(cloud, go)


# --- Azure OpenAI


MODELS = OpenAIAccount("models", "ai")


def read_openai(cloud: Cloud, environment: str = "dev") -> list[str | None]:
    variables = cloud.read()["variables"].get(environment, {})
    return [variables.get("AZURE_OPENAI_ACCOUNT"), variables.get("AZURE_OPENAI_GROUP")]


def test_the_account_of_azure_openai(cloud: Cloud, make_cloud: Callable[[], Cloud]) -> None:
    given = ("--openai-account", "models", "--openai-group", "ai")
    assert "would make   variable AZURE_OPENAI_GROUP" in cloud.succeed("all", "dev", "--plan", *given)
    assert read_openai(cloud) == [None, None]
    said = cloud.succeed("all", "dev", *given)
    assert "found        account models of Azure OpenAI in ai" in said
    assert read_openai(cloud) == ["models", "ai"]
    # Only what applies writes the key.
    assert read_openai(cloud, "dev-plan") == [None, None]
    for arguments in (given, ()):
        assert "0 made or changed" in cloud.succeed("all", "dev", *arguments)
    assert "0 to make or change" in cloud.succeed("github", "dev", "--verify", *given)
    later = make_cloud()
    later.succeed("all", "dev")
    later.succeed("github", "dev", *given)
    assert later.made == cloud.made


def test_another_account_is_a_change(cloud: Cloud, go: Go) -> None:
    go(account=MODELS)
    other = OpenAIAccount("foundry", "ai")
    outcome, lines = go(mode=Mode.VERIFY, account=other)
    assert (outcome.changes, outcome.good) == (1, False)
    assert "differs      variable AZURE_OPENAI_ACCOUNT of GitHub environment dev" in lines
    go(account=other)
    assert read_openai(cloud) == ["foundry", "ai"]


@pytest.mark.parametrize("mode", Mode)
def test_without_an_account_it_is_said_what_to_do(cloud: Cloud, go: Go, mode: Mode) -> None:
    go()
    outcome, lines = go(mode=mode)
    assert (outcome.changes, outcome.good) == (0, True)
    (line,) = (line for line in lines if line.startswith("to do"))
    assert "aigateway bootstrap github dev --openai-account NAME --openai-group GROUP" in line
    # Half of it, set by hand, is as good as nothing.
    variables = cloud.read()["variables"]
    variables["dev"]["AZURE_OPENAI_ACCOUNT"] = "models"
    cloud.edit(variables=variables)
    assert any(line.startswith("to do") for line in go(mode=mode)[1])


@pytest.mark.parametrize(
    ("account", "said"),
    [
        (OpenAIAccount("nowhere", "ai"), "there is no account nowhere in the group ai"),
        (OpenAIAccount("models", "nowhere"), "there is no account models in the group nowhere"),
        (OpenAIAccount("eyes", "ai"), "is of the kind ComputerVision, which has no OpenAI"),
    ],
)
def test_an_account_that_is_none_is_told_before_anything_is_made(
    cloud: Cloud, go: Go, account: OpenAIAccount, said: str
) -> None:
    assert said in refuse(cloud, go, account=account)
    outcome, lines = go(mode=Mode.VERIFY, account=account)
    assert outcome.conflicts == 1
    assert any(said in line for line in lines if line.startswith("in the way"))


def test_an_account_that_is_gone(cloud: Cloud, go: Go) -> None:
    go(account=MODELS)
    cloud.edit(openai=[])
    outcome, _ = go(mode=Mode.VERIFY)
    assert outcome.conflicts == 1
    cloud.edit(faults={"az cognitiveservices": [1, "ERROR: (AuthorizationFailed) may not"]})
    assert "it takes the role Reader on the subscription" in refuse(cloud, go)
    cloud.edit(faults={}, answers={"az cognitiveservices": "{}"})
    assert "az cognitiveservices account show gave an unexpected answer (kind: " in refuse(cloud, go)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("github", "dev", "--openai-account", "models"), "are of one account; give both"),
        (("github", "dev", "--openai-group", "ai"), "are of one account; give both"),
        (
            ("state", "dev", "--openai-account", "models", "--openai-group", "ai"),
            "for the parts github and all",
        ),
    ],
)
def test_an_account_that_says_nothing(cloud: Cloud, arguments: tuple[str, ...], said: str) -> None:
    assert said in cloud.refuse(*arguments)
    assert cloud.read()["calls"] == []


def test_github_before_there_is_an_identity(cloud: Cloud, go: Go) -> None:
    assert "first run: aigateway bootstrap identity dev" in refuse(cloud, go, Part.GITHUB)


@pytest.mark.parametrize(
    ("subject", "said"),
    [
        ({"use_default": False}, "have subjects of its own making"),
        ({"sub_claim_prefix": None}, "begin with 'nothing'"),
        ({"sub_claim_prefix": "repo:mallory@1/gateway@2"}, "which is not this repository"),
    ],
)
def test_subjects_that_nothing_can_be_said_of(cloud: Cloud, go: Go, subject: State, said: str) -> None:
    cloud.edit(subject={**cloud.read()["subject"], **subject})
    assert said in refuse(cloud, go, Part.IDENTITY)


# --- who asks ---------------------------------------------------------------------------------------------------


def test_not_logged_in(cloud: Cloud, go: Go) -> None:
    state = cloud.read()
    cloud.edit(account=None)
    assert "az is not logged in, or its login has expired; run: az login" in refuse(cloud, go)
    cloud.write({**state, "repository": None})
    assert "gh is not logged in, or its login has expired; run: gh auth login" in refuse(cloud, go)


def test_another_subscription_than_was_meant(cloud: Cloud, go: Go, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARM_SUBSCRIPTION_ID", "other")
    assert "run: az account set --subscription other" in refuse(cloud, go)
    monkeypatch.delenv("ARM_SUBSCRIPTION_ID")
    cloud.edit(account={**cloud.read()["account"], "state": "Disabled"})
    assert "is Disabled" in refuse(cloud, go)


def test_no_administrator_of_the_repository(cloud: Cloud, go: Go) -> None:
    cloud.edit(repository={**cloud.read()["repository"], "viewerPermission": "WRITE"})
    assert "may not administer octocat/gateway (but WRITE)" in refuse(cloud, go)


@pytest.mark.parametrize(
    ("command", "message", "right"),
    [
        (
            "az storage account create",
            "(AuthorizationFailed) The client 'ann' does not have authorization",
            "Contributor",
        ),
        (
            "az role assignment create",
            "(AuthorizationFailed) The client 'ann' does not have authorization",
            "Owner",
        ),
        ("az ad app create", "Insufficient privileges to complete the operation.", "Application Developer"),
        (
            "gh api repos",
            "gh: Must have admin rights to Repository. (HTTP 403)",
            "administer octocat/gateway",
        ),
    ],
)
def test_a_missing_right_is_named_and_the_rest_can_be_done_later(
    cloud: Cloud, make_cloud: Callable[[], Cloud], go: Go, command: str, message: str, right: str
) -> None:
    cloud.edit(faults={command: [1, message if command.startswith("gh") else f"ERROR: {message}"]})
    with pytest.raises(AigatewayError) as caught:
        go()
    assert "was refused: whoever is logged in may not; it takes" in str(caught.value)
    assert right in str(caught.value)
    cloud.edit(faults={})
    go()
    whole = make_cloud()
    with pytest.MonkeyPatch.context() as patch:
        use_in_process(whole, patch)
        bootstrap(ROOT, Part.ALL, "dev", Mode.CHANGE, lambda _line: None)
    assert cloud.made == whole.made


ASKED = (
    *("az account show", "az provider list", "az group list", "az storage account list"),
    *("az storage account check-name", "az storage account blob-service-properties show"),
    *(
        "az storage container-rm exists",
        "az lock list",
        "az ad app list",
        "az ad app create",
        "az ad sp list",
    ),
    *("az ad app federated-credential list", "az role definition list", "az role assignment list"),
    *("gh repo view", "gh api repos", "gh variable list"),
)


@pytest.mark.parametrize("answer", ["", "<html>gateway timeout</html>", "{}", "[{}]"])
def test_an_unexpected_answer_ends_it_and_the_next_run_goes_on(
    make_cloud: Callable[[], Cloud], answer: str
) -> None:
    whole = make_cloud()
    with pytest.MonkeyPatch.context() as patch:
        use_in_process(whole, patch)
        bootstrap(ROOT, Part.ALL, "dev", Mode.CHANGE, lambda _line: None)
    for command in ASKED:
        cloud = make_cloud()
        with pytest.MonkeyPatch.context() as patch:
            use_in_process(cloud, patch)
            cloud.edit(answers={command: answer})
            with pytest.raises(AigatewayError, match="gave an unexpected answer"):
                bootstrap(ROOT, Part.ALL, "dev", Mode.CHANGE, lambda _line: None)
            assert len(cloud.read()["changes"]) <= len(whole.read()["changes"])
            cloud.edit(answers={})
            bootstrap(ROOT, Part.ALL, "dev", Mode.CHANGE, lambda _line: None)
            assert cloud.made == whole.made, command


def test_a_command_that_hangs(cloud: Cloud, monkeypatch: pytest.MonkeyPatch, go: Go) -> None:
    def run(arguments: Sequence[str], **_: Any) -> subprocess.CompletedProcess[str]:
        raise subprocess.TimeoutExpired(arguments, 900)

    monkeypatch.setattr(commands.subprocess, "run", run)
    assert "az account show did not end within 900 s; run it all again" in refuse(cloud, go)


def test_what_looks_like_a_secret_is_not_shown(cloud: Cloud, go: Go) -> None:
    cloud.edit(faults={"az provider list": [1, "ERROR: bad key sk-abcdefgh1234567890abcdefgh"]})
    said = refuse(cloud, go, Part.STATE)
    assert "az provider list failed: bad key [not shown]" in said


def test_the_script_is_thin() -> None:
    script = Path(ROOT / "scripts/bootstrap").read_text()
    assert 'exec .venv/bin/aigateway bootstrap "$@"' in script
