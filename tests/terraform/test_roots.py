"""The environments' roots: one text, and a plan that has the committed files byte by byte."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from terraforming import MODULE, ROOT, Terraform, TestRun, prepare

from aigateway.costs import count_resources
from aigateway.deployed.deployment import BASE_URL_OUTPUT, WORKSPACE_OUTPUT
from aigateway.launching.commands import command_envoy, command_litellm
from aigateway.launching.keys import generate_keys
from aigateway.launching.stack import HEALTH_PATH, READY_SECONDS
from aigateway.names import Names
from aigateway.secret_values import list_secret_names
from aigateway.settings.loading import load_environment
from aigateway.settings.values import ENVIRONMENTS

APP = "module.gateway.azurerm_container_app.gateway"
FIRST = ENVIRONMENTS[0]


def _list_texts(environment: str) -> dict[str, bytes]:
    folder = ROOT / "infra" / "env" / environment
    files = [*folder.glob("*.tf"), *folder.glob("tests/*")]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@pytest.mark.parametrize("environment", ENVIRONMENTS[1:])
def test_the_roots_are_one_text(environment: str) -> None:
    assert _list_texts(environment) == _list_texts(FIRST)


@pytest.fixture(scope="module", params=ENVIRONMENTS)
def root(request: pytest.FixtureRequest, copy: Path) -> Terraform:
    return prepare(copy / "infra" / "env" / request.param)


@pytest.fixture(scope="module")
def planned(root: Terraform) -> TestRun:
    """The root's own test, which plans."""
    done = root.test()
    done.require_passed()
    return done


@pytest.fixture(scope="module")
def plan(planned: TestRun) -> dict[str, Any]:
    """What the environment would be: each resource's values by its address."""
    return planned.find_plan("plan")


@pytest.fixture
def containers(plan: dict[str, Any]) -> dict[str, Any]:
    return {container["name"]: container for container in plan[APP]["template"][0]["container"]}


def test_a_root_is_valid_without_a_warning(root: Terraform) -> None:
    said = json.loads(root.run("validate", "-json").stdout)
    assert said["valid"]
    assert said["diagnostics"] == []


def _list_variables(container: Mapping[str, Any]) -> dict[str, str]:
    """A container's variables: its value, or the secret behind it."""
    return {one["name"]: one["secret_name"] or one["value"] for one in container["env"]}


@pytest.mark.parametrize("part", ["litellm", "envoy"])
def test_the_plan_has_the_committed_files_byte_by_byte(
    root: Terraform, containers: dict[str, Any], part: str
) -> None:
    environment = root.folder.name
    config = (ROOT / "infra" / "env" / environment / f"{part}.yaml").read_bytes()
    script = (ROOT / MODULE / "start" / f"{part}.sh").read_bytes()
    assert _list_variables(containers[part])[f"{part.upper()}_CONFIG"].encode() == config
    assert containers[part]["command"] == ["/bin/sh", "-c"]
    assert [argument.encode() for argument in containers[part]["args"]] == [script]


def test_each_part_is_given_what_the_launchers_give_it(root: Terraform, containers: dict[str, Any]) -> None:
    """And no more than where to listen and how long to stop; so what the harness proved is what runs."""
    environment = root.folder.name
    settings = load_environment(ROOT, environment)
    keys = generate_keys(settings)
    folder = ROOT / "infra" / "env" / environment
    litellm = command_litellm(ROOT, (folder / "litellm.yaml").read_text(), "https://contoso.example", keys)
    envoy = command_envoy(ROOT, (folder / "envoy.yaml").read_text(), keys)
    assert set(_list_variables(containers["litellm"])) == {*litellm.environment, "SECRET_VERSIONS"}
    own = {"SECRET_VERSIONS", "EDGE_PORT", "TERMINATION_GRACE_SECONDS"}
    assert set(_list_variables(containers["envoy"])) == {*envoy.environment, *own}


def test_a_replica_may_take_as_long_to_start_as_it_may_here(containers: dict[str, Any]) -> None:
    (probe,) = containers["litellm"]["startup_probe"]
    assert probe["failure_count_threshold"] * probe["interval_seconds"] >= READY_SECONDS


def test_the_probes_ask_for_the_health_that_the_harness_asks_for(containers: dict[str, Any]) -> None:
    kinds = ("startup_probe", "readiness_probe", "liveness_probe")
    probes = [probe for one in containers.values() for kind in kinds for probe in one[kind]]
    asking = [probe for probe in probes if probe["transport"] == "HTTP"]
    (port,) = (int(one["value"]) for one in containers["envoy"]["env"] if one["name"] == "EDGE_PORT")
    assert {probe["port"] for probe in probes} == {port}
    assert {probe["path"] for probe in asking} == {HEALTH_PATH}
    assert len(asking) == 3


def test_a_stream_has_as_long_to_end_as_the_edge_takes_for_it(
    plan: dict[str, Any], containers: dict[str, Any]
) -> None:
    (seconds,) = (
        int(one["value"]) for one in containers["envoy"]["env"] if one["name"] == "TERMINATION_GRACE_SECONDS"
    )
    assert plan[APP]["template"][0]["termination_grace_period_seconds"] == seconds


def test_what_is_asked_of_a_deployment_is_put_out(planned: TestRun) -> None:
    assert {BASE_URL_OUTPUT, WORKSPACE_OUTPUT, "key_vault"} <= planned.list_outputs("plan")


def test_the_plan_has_the_size_that_the_page_about_costs_says(root: Terraform, plan: dict[str, Any]) -> None:
    assert len(plan) == count_resources(load_environment(ROOT, root.folder.name))


def test_every_secret_is_a_reference(root: Terraform, containers: dict[str, Any]) -> None:
    settings = load_environment(ROOT, root.folder.name)
    expected = {
        variable: secret
        for client in settings.clients
        for variable, secret in zip(client.key_variables, client.secret_names, strict=True)
    }
    named = {
        part: {one["name"]: one["secret_name"] for one in container["env"] if one["secret_name"]}
        for part, container in containers.items()
    }
    assert named["envoy"] == {**expected, "LITELLM_MASTER_KEY": "litellm-master-key"}
    assert set(named["litellm"]) == {
        "AZURE_OPENAI_ENDPOINT",
        "AZURE_OPENAI_KEY",
        "LITELLM_MASTER_KEY",
        "LITELLM_SALT_KEY",
    }


def test_the_vault_has_every_secret_and_no_other(root: Terraform, plan: dict[str, Any]) -> None:
    wanted = list_secret_names(load_environment(ROOT, root.folder.name))
    address = "module.gateway.azurerm_key_vault_secret.gateway"
    assert {key for key in plan if key.startswith(address)} == {f'{address}["{name}"]' for name in wanted}
    assert {secret["name"] for secret in plan[APP]["secret"]} == set(wanted)


def test_the_names_are_those_of_the_settings(root: Terraform, plan: dict[str, Any]) -> None:
    names = Names(load_environment(ROOT, root.folder.name))
    planned = {
        "resource_group": "azurerm_resource_group.gateway",
        "log_analytics_workspace": "azurerm_log_analytics_workspace.gateway",
        "container_app_environment": "azurerm_container_app_environment.gateway",
        "container_app": "azurerm_container_app.gateway",
        "key_vault": "azurerm_key_vault.gateway",
        "managed_identity": "azurerm_user_assigned_identity.gateway",
        "action_group": "azurerm_monitor_action_group.gateway",
    }
    for name, address in planned.items():
        assert plan[f"module.gateway.{address}"]["name"] == getattr(names, name)


def test_the_settings_are_what_is_planned(root: Terraform, plan: dict[str, Any]) -> None:
    settings = load_environment(ROOT, root.folder.name)
    template = plan[APP]["template"][0]
    assert (template["min_replicas"], template["max_replicas"]) == (
        settings.scale.min_replicas,
        settings.scale.max_replicas,
    )
    assert {
        container["name"]: (container["cpu"], container["memory"]) for container in template["container"]
    } == {
        "litellm": (settings.scale.litellm.cpu, f"{settings.scale.litellm.memory_gib:g}Gi"),
        "envoy": (settings.scale.envoy.cpu, f"{settings.scale.envoy.memory_gib:g}Gi"),
    }
    workspace = plan["module.gateway.azurerm_log_analytics_workspace.gateway"]
    assert workspace["retention_in_days"] == settings.observability.log_retention_days
    assert workspace["daily_quota_gb"] == settings.observability.daily_cap_gb
    budget = plan["module.gateway.azurerm_consumption_budget_resource_group.gateway[0]"]
    assert budget["amount"] == settings.observability.monthly_budget


# --- what Kubernetes, on which Container Apps runs, does to commands, arguments and values of variables


def _expand(text: str, variables: Mapping[str, str]) -> str:
    """`$(NAME)` becomes the variable's value where there is one, `$$` becomes `$`; all else stays.

    As k8s.io/kubernetes/third_party/forked/golang/expansion does it.
    """
    return "".join(_expand_parts(text, variables))


def _expand_parts(text: str, variables: Mapping[str, str]) -> Iterator[str]:
    for match in re.finditer(r"\$\$|\$\(([^)]*)\)|\$|[^$]+", text):
        name = match[1]
        if match[0] == "$$":
            yield "$"
        elif name is not None and name in variables:
            yield variables[name]
        else:
            yield match[0]


def test_kubernetes_changes_nothing_of_what_it_is_handed(containers: dict[str, Any]) -> None:
    for container in containers.values():
        variables = _list_variables(container)
        for text in (*container["args"], *(one["value"] for one in container["env"] if one["value"])):
            assert _expand(text, variables) == text


def test_what_kubernetes_would_change_is_seen() -> None:
    assert _expand("a $(KEY) $(date) $$ $! ${KEY}", {"KEY": "v"}) == "a v $(date) $ $! ${KEY}"
