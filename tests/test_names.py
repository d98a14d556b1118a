"""Names of Azure resources, for every environment and every legal project."""

from __future__ import annotations

import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from aigateway.names import RESOURCES, IllegalNameError, Names
from aigateway.settings.locations import CODES
from aigateway.settings.model import Settings
from aigateway.settings.values import ENVIRONMENTS

# Written from Azure's documentation, apart from the rules under test.
LEGAL = {
    "resource_group": r"[\w.()-]{1,89}[\w()-]",
    "log_analytics_workspace": r"[a-z0-9][a-z0-9-]{2,61}[a-z0-9]",
    "container_app_environment": r"[a-z0-9][a-z0-9-]{0,58}[a-z0-9]",
    "container_app": r"(?!.*--)[a-z][a-z0-9-]{0,30}[a-z0-9]",
    "key_vault": r"(?!.*--)[a-z][a-z0-9-]{1,22}[a-z0-9]",
    "storage_account": r"[a-z0-9]{3,24}",
    "application_insights": r"[a-z0-9-]{1,254}[a-z0-9]",
    "managed_identity": r"[a-z0-9][a-z0-9_-]{2,127}",
    "action_group": r"[a-z0-9-]{1,259}[a-z0-9]",
    "action_group_short_name": r"[a-z0-9-]{1,12}",
    "workbook": r"[a-z0-9-]+",
    "front_door_profile": r"[a-z0-9][a-z0-9-]{0,88}[a-z0-9]",
    "front_door_endpoint": r"[a-z0-9][a-z0-9-]{0,44}[a-z0-9]",
    "waf_policy": r"[a-z][a-z0-9]{0,127}",
    "virtual_network": r"[a-z0-9][a-z0-9-]{0,62}[a-z0-9]",
    "network_security_group": r"[a-z0-9][a-z0-9-]{0,78}[a-z0-9]",
    "private_endpoint": r"[a-z0-9][a-z0-9-]{0,62}[a-z0-9]",
}


def make_projects(longest: int) -> st.SearchStrategy[str]:
    return st.text("az09-", max_size=longest - 1).map(lambda text: re.sub("-+", "-", f"p{text}").rstrip("-"))


# With the shortest words for environments a Key Vault leaves nine characters.
projects = make_projects(9)
locations = st.sampled_from(sorted(CODES))


def name(
    environment: str, project: str = "aigateway", location: str = "southafricanorth", **overrides: str
) -> Names:
    data = {
        "environment": environment,
        "project": project,
        "location": {"name": location},
        "clients": [{"name": "roo"}],
        "names": overrides,
    }
    return Names(Settings.model_validate(data))


def test_every_name_has_a_rule_of_its_own_here() -> None:
    assert set(RESOURCES) == set(LEGAL)


@given(project=projects, location=locations)
def test_every_name_is_legal_and_keeps_its_location(project: str, location: str) -> None:
    for environment in ENVIRONMENTS:
        for resource, text in name(environment, project, location).to_dict().items():
            assert re.fullmatch(LEGAL[resource], text, re.ASCII), (resource, text)
            if resource != "action_group_short_name":
                assert text.endswith(CODES[location])
                assert project.replace("-", "") in text.replace("-", "")


@given(project=projects, location=locations)
def test_no_two_environments_share_a_name(project: str, location: str) -> None:
    named = [name(environment, project, location).to_dict() for environment in ENVIRONMENTS]
    for resource in RESOURCES:
        assert len({names[resource] for names in named}) == len(ENVIRONMENTS), resource


@given(one=projects, other=projects, environment=st.sampled_from(ENVIRONMENTS))
def test_no_two_projects_share_a_name(one: str, other: str, environment: str) -> None:
    # Where Azure takes no hyphens, what differs by them alone is the same.
    assume(one.replace("-", "") != other.replace("-", ""))
    ours, theirs = (name(environment, project).to_dict() for project in (one, other))
    # That one is what an e-mail calls the alert, and need not be unique.
    assert {key for key in ours if ours[key] == theirs[key]} <= {"action_group_short_name"}


@given(project=projects)
def test_the_conventions_name_stands_literally_where_it_is_legal(project: str) -> None:
    codes = {
        "resource_group": "rg",
        "container_app": "ca",
        "key_vault": "kv",
        "log_analytics_workspace": "law",
    }
    for environment in ENVIRONMENTS:
        names = name(environment, project).to_dict()
        for resource, code in codes.items():
            literal = f"pvc-{environment}-{project}-{code}-san"
            assert (names[resource] == literal) == bool(re.fullmatch(LEGAL[resource], literal))


def find_refusal(names: Names, resource: str) -> str:
    """Why there is no such name, or nothing; checks the name that there is."""
    try:
        text = getattr(names, resource)
    except IllegalNameError as error:
        return str(error)
    assert re.fullmatch(LEGAL[resource], text, re.ASCII)
    return ""


@given(project=make_projects(30), environment=st.sampled_from(ENVIRONMENTS))
def test_what_cannot_be_legal_is_refused_with_what_to_write_instead(project: str, environment: str) -> None:
    names = name(environment, project)
    illegal = {resource: find_refusal(names, resource) for resource in RESOURCES}
    illegal = {resource: refusal for resource, refusal in illegal.items() if refusal}
    for resource, refusal in illegal.items():
        shorter = re.search(r"make project (\d+) characters? shorter", refusal)
        assert shorter
        if "-" not in project:
            assert getattr(name(environment, project[: len(project) - int(shorter[1])]), resource)
    assert len(list(names.find_problems())) == len(illegal)
    # What the message offers works, and only these can be too long.
    set_by_hand = {
        resource: "chosen-app" if resource != "storage_account" else "chosen" for resource in illegal
    }
    assert not list(name(environment, project, **set_by_hand).find_problems())


def test_the_conventions_examples() -> None:
    names = name("dev")
    assert names.resource_group == "pvc-dev-aigateway-rg-san"
    assert names.log_analytics_workspace == "pvc-dev-aigateway-law-san"
    assert names.container_app_environment == "pvc-dev-aigateway-cae-san"
    assert names.container_app == "pvc-dev-aigateway-ca-san"
    assert names.key_vault == "pvc-dev-aigateway-kv-san"
    assert names.application_insights == "pvc-dev-aigateway-ai-san"


def test_where_the_convention_is_illegal_the_environment_is_shortened() -> None:
    assert name("staging").key_vault == "pvc-stg-aigateway-kv-san"
    assert name("prod").key_vault == "pvc-prd-aigateway-kv-san"
    assert name("staging").container_app == "pvc-staging-aigateway-ca-san"
    assert name("dev").storage_account == "pvcdevaigatewaystsan"
    assert name("staging").storage_account == "pvcstagingaigatewaystsan"
    assert name("staging", "aigateways").storage_account == "pvcstgaigatewaysstsan"
    assert name("prod").waf_policy == "pvcprodaigatewaywafsan"


@pytest.mark.parametrize(
    ("project", "expected"),
    [
        ("aigateway", "aigw-stg"),
        ("chat", "chat-stg"),
        ("code-gateway", "code-gw-stg"),
        ("abcdefg-x", "abcdefg-stg"),
    ],
)
def test_the_short_name_of_the_action_group(project: str, expected: str) -> None:
    assert name("staging", project).action_group_short_name == expected


def test_an_override_is_taken_as_it_is() -> None:
    names = name("dev", key_vault="contoso-kv", storage_account="contosostate", container_app="gateway")
    assert (names.key_vault, names.storage_account, names.container_app) == (
        "contoso-kv",
        "contosostate",
        "gateway",
    )


@pytest.mark.parametrize(
    ("resource", "text"),
    [
        ("key_vault", "ab"),
        ("key_vault", "a" * 25),
        ("key_vault", "1vault"),
        ("key_vault", "my--vault"),
        ("key_vault", "vault-"),
        ("key_vault", "vault_1"),
        ("key_vault", "vault\n"),
        ("storage_account", "my-state"),
        ("storage_account", "State"),
        ("storage_account", "st"),
        ("storage_account", "s" * 25),
        ("container_app", "Gateway"),
        ("container_app", "a--b"),
        ("container_app", "9gateway"),
        ("container_app", "a" * 33),
        ("container_app", "gateway-"),
        ("container_app", ""),
    ],
)
def test_an_override_that_azure_would_refuse_is_refused(resource: str, text: str) -> None:
    with pytest.raises(IllegalNameError) as caught:
        getattr(name("dev", **{resource: text}), resource)
    assert caught.value.problem.keys == (("names", resource),)
