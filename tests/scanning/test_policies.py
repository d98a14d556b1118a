"""Each policy of infra/policies refuses what it is there for, and nothing else: tried by the real checkov."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from aigateway.scanning.checkov import ensure_checkov
from aigateway.scanning.results import Finding
from aigateway.scanning.run import Order, list_policies, run_checkov
from aigateway.settings.loading import load_environment

ROOT = Path(__file__).parents[2]
DIGEST = f"@sha256:{'0' * 64}"

REFERENCE = """secret {
  name                = "key"
  key_vault_secret_id = azurerm_key_vault_secret.key.versionless_id
  identity            = azurerm_user_assigned_identity.gateway.id
}"""
PROBES = """startup_probe {
  transport = "TCP"
  port = 1
}
liveness_probe {
  transport = "TCP"
  port = 1
}
"""
READY = """readiness_probe {
  transport = "HTTP"
  port = 1
}
"""
ENVIRONMENT_ID = '"/subscriptions/s/resourceGroups/g/providers/Microsoft.App/managedEnvironments/e"'
CATEGORIES = ("ContainerAppConsoleLogs", "ContainerAppHTTPLogs", "ContainerAppSystemLogs")


@dataclass(frozen=True)
class Fixture:
    """A resource that fails a policy, as source, and one that passes it."""

    fails: str
    says: str
    passes: str


def resource(kind: str, body: str) -> str:
    return f'resource "{kind}" "gateway" {{\n{body}\n}}\n'


def app(body: str) -> str:
    return resource("azurerm_container_app", body)


def container(body: str) -> str:
    return app(f'template {{\n container {{\n name = "envoy"\n{body}\n }}\n}}')


def variable(name: str, value: str) -> str:
    return container(f'env {{\n name = "{name}"\n value = "{value}"\n}}')


def setting(*categories: str, target: str = "azurerm_container_app_environment.gateway.id") -> str:
    logs = "\n".join(f'enabled_log {{\n category = "{category}"\n}}' for category in categories)
    return resource("azurerm_monitor_diagnostic_setting", f"target_resource_id = {target}\n{logs}")


def vault(body: str) -> str:
    return resource("azurerm_key_vault", body)


FIXTURES = {
    "AIGATEWAY_SECRET_REFERENCES": [
        Fixture(
            app('secret {\n name = "key"\n value = var.key\n}'), "secret key has a value", app(REFERENCE)
        ),
        Fixture(app(REFERENCE.replace("identity ", "other ")), "secret key has no identity", app(REFERENCE)),
    ],
    "AIGATEWAY_PLAIN_VARIABLES": [
        Fixture(
            variable("CONFIG", f"key: sk-{secrets.token_urlsafe(32)}"),
            "looks like a key",
            variable("PORT", "1"),
        ),
        Fixture(variable("CONFIG", secrets.token_hex(16)), "looks like a key", variable("CONFIG", "a: b")),
        Fixture(
            variable("CLIENT_KEY_ROO_A", "x"),
            "is a secret by its name",
            container('env {\n name = "CLIENT_KEY_ROO_A"\n secret_name = "client-roo-a"\n}'),
        ),
    ],
    "AIGATEWAY_IMAGE_DIGEST": [
        Fixture(
            container('image = "envoyproxy/envoy:v1.40.0"'),
            "container envoy runs envoyproxy/envoy:v1.40.0; must have @sha256:",
            container(f'image = "envoyproxy/envoy{DIGEST}"'),
        )
    ],
    "AIGATEWAY_SECURE_INGRESS": [
        Fixture(
            app("ingress {\n allow_insecure_connections = true\n}"),
            "allow_insecure_connections is True; must be false",
            app('ingress {\n allow_insecure_connections = false\n transport = "http"\n}'),
        ),
        Fixture(app('ingress {\n transport = "tcp"\n}'), "ingress.transport is tcp", app("ingress {\n}")),
    ],
    "AIGATEWAY_RESOURCE_NAMES": [
        Fixture(
            vault('name = "my-vault"'),
            "name is my-vault; must be pvc-prd-aigateway-kv-san",
            vault('name = "pvc-prd-aigateway-kv-san"'),
        )
    ],
    "AIGATEWAY_PRINCIPAL_TYPE": [
        Fixture(
            resource("azurerm_role_assignment", "scope = azurerm_key_vault.gateway.id"),
            "principal_type is not set",
            resource("azurerm_role_assignment", 'principal_type = "ServicePrincipal"'),
        )
    ],
    "AIGATEWAY_DIAGNOSTIC_CATEGORIES": [
        Fixture(setting(*CATEGORIES[1:]), "enabled_log has no ContainerAppConsoleLogs", setting(*CATEGORIES)),
        # A plan of what is deployed already has the environment's id, and no reference.
        Fixture(
            setting(*CATEGORIES[:2], target=ENVIRONMENT_ID),
            "enabled_log has no ContainerAppSystemLogs",
            setting(*CATEGORIES, target=ENVIRONMENT_ID),
        ),
    ],
    "AIGATEWAY_PROBES": [
        Fixture(container(READY), "container envoy has no startup_probe", container(PROBES + READY)),
        Fixture(container(PROBES), "no container has a readiness_probe", container(PROBES + READY)),
    ],
    "AIGATEWAY_VAULT_ROLES": [
        Fixture(
            vault("rbac_authorization_enabled = false"),
            "rbac_authorization_enabled is not true",
            vault("rbac_authorization_enabled = true"),
        ),
        Fixture(
            vault("rbac_authorization_enabled = true\naccess_policy {\n tenant_id = var.tenant\n}"),
            "access_policy gives rights beside the roles",
            vault("rbac_authorization_enabled = true"),
        ),
    ],
}
CASES = [(policy, number) for policy, fixtures in FIXTURES.items() for number in range(len(fixtures))]


@pytest.fixture(scope="module")
def order() -> Order:
    return Order(ROOT, load_environment(ROOT, "prod"))


@pytest.fixture(scope="module")
def program() -> Path:
    return ensure_checkov(Console(stderr=True)) / "bin" / "checkov"


@pytest.fixture(scope="module")
def found(
    program: Path, order: Order, tmp_path_factory: pytest.TempPathFactory
) -> dict[tuple[str, str], Finding]:
    """What checkov says of all fixtures in one run, by policy and folder."""
    base = tmp_path_factory.mktemp("fixtures")
    for policy, number in CASES:
        fixture = FIXTURES[policy][number]
        for name, text in (("fails", fixture.fails), ("passes", fixture.passes)):
            folder = base / f"{policy}-{number}-{name}"
            folder.mkdir()
            (folder / "main.tf").write_text(text)
    report = run_checkov(program, order, ("--directory", str(base), "--framework", "terraform"), base)
    return {(finding.check, Path(finding.file).parts[0]): finding for finding in report.findings}


def test_every_policy_has_fixtures() -> None:
    assert set(FIXTURES) == list_policies(ROOT)


@pytest.mark.parametrize(("policy", "number"), CASES)
def test_a_policy_refuses_what_it_is_there_for(
    found: dict[tuple[str, str], Finding], policy: str, number: int
) -> None:
    finding = found[policy, f"{policy}-{number}-fails"]
    assert finding.verdict == "failed"
    assert FIXTURES[policy][number].says in finding.reason


@pytest.mark.parametrize(("policy", "number"), CASES)
def test_a_policy_passes_what_is_right(
    found: dict[tuple[str, str], Finding], policy: str, number: int
) -> None:
    assert found[policy, f"{policy}-{number}-passes"].verdict == "passed"


def make_plan(block: dict[str, Any]) -> dict[str, Any]:
    """A plan as Terraform writes it, of one app."""
    return {
        "format_version": "1.2",
        "terraform_version": "1.13.0",
        "variables": {"environment": {"value": "prod"}},
        "planned_values": {"root_module": {"resources": [_describe(block)]}},
        "resource_changes": [
            {
                **_describe(block),
                "change": {"actions": ["create"], "before": None, "after": block, "after_unknown": {}},
            }
        ],
        "configuration": {"root_module": {"resources": []}},
    }


def _describe(values: dict[str, Any]) -> dict[str, Any]:
    return {
        "address": "azurerm_container_app.gateway",
        "mode": "managed",
        "type": "azurerm_container_app",
        "name": "gateway",
        "provider_name": "registry.terraform.io/hashicorp/azurerm",
        "schema_version": 0,
        "values": values,
    }


def test_on_a_plan_images_variables_and_secrets_are_judged(
    program: Path, order: Order, tmp_path: Path
) -> None:
    key = {"name": "CONFIG", "value": secrets.token_hex(16)}
    bad = {
        "name": "pvc-prod-aigateway-ca-san",
        "secret": [{"name": "key", "key_vault_secret_id": None}],
        "template": [{"container": [{"name": "envoy", "image": "envoyproxy/envoy:v1", "env": [key]}]}],
    }
    good = {
        "name": "pvc-prod-aigateway-ca-san",
        # What is known after the apply only is left out by Terraform.
        "secret": [{"name": "key", "value": None}],
        "template": [{"container": [{"name": "envoy", "image": f"envoyproxy/envoy{DIGEST}", "env": []}]}],
    }
    verdicts = []
    for number, values in enumerate((bad, good)):
        plan = make_plan(values)
        file = tmp_path / f"{number}.json"
        file.write_text(json.dumps(plan))
        options = ("--file", str(file), "--framework", "terraform_plan")
        report = run_checkov(program, order, options, tmp_path)
        verdicts.append({finding.check: finding.verdict for finding in report.findings})
    for policy in ("IMAGE_DIGEST", "PLAIN_VARIABLES", "SECRET_REFERENCES"):
        assert [one[f"AIGATEWAY_{policy}"] for one in verdicts] == ["failed", "passed"], policy
    assert verdicts[1]["AIGATEWAY_RESOURCE_NAMES"] == "passed"
