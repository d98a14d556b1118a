"""The module: its own tests pass, and each rule of it has one."""

from __future__ import annotations

import json
import re
from collections import Counter

import pytest
from terraforming import MODULE, ROOT, Terraform

TESTS = sorted(path.name for path in (ROOT / MODULE / "tests").glob("*.tftest.hcl"))
REFUSED_INPUTS = "refused_inputs.tftest.hcl"
REFUSED_CONFIGS = "refused_configs.tftest.hcl"


def _read(path: str) -> str:
    return (ROOT / MODULE / path).read_text(encoding="utf-8")


def test_everything_is_formatted(module: Terraform) -> None:
    done = Terraform(module.folder.parents[1]).run("fmt", "-check", "-recursive", "-diff")
    assert done.returncode == 0, done.stdout


def test_it_is_valid_without_a_warning(module: Terraform) -> None:
    said = json.loads(module.run("validate", "-json").stdout)
    assert said["valid"]
    assert said["diagnostics"] == []


@pytest.mark.parametrize("file", TESTS)
def test_its_own_tests_pass(module: Terraform, file: str) -> None:
    module.test(f"tests/{file}").require_passed()


def test_what_is_tried_apart_is_the_modules_own() -> None:
    for name in ("variables.tf", "parts.tf"):
        assert (ROOT / MODULE / "tests" / "inputs" / name).samefile(ROOT / MODULE / name)


def test_the_app_comes_after_all_by_which_it_reads_its_secrets(module: Terraform) -> None:
    """It reads them while it is made: identity, role, wait, app; and the private way to the vault before it."""
    edges = re.findall(r'"(\S+)" -> "(\S+)";', module.run("graph").stdout)
    after: dict[str, set[str]] = {}
    for later, earlier in edges:
        after.setdefault(later, set()).add(earlier)
    assert after["azurerm_container_app.gateway"] >= {
        "terraform_data.role_holds",
        "azurerm_key_vault_secret.gateway",
        "azurerm_private_endpoint.vault",
        "azurerm_private_dns_zone_virtual_network_link.vault",
    }
    assert "azurerm_role_assignment.read_secrets" in after["terraform_data.role_holds"]
    # The graph leaves out what follows from the rest: the role's identity is the vault's tenant's too.
    assert "azurerm_key_vault.gateway" in after["azurerm_role_assignment.read_secrets"]
    assert "azurerm_user_assigned_identity.gateway" in after["azurerm_key_vault.gateway"]


def test_every_validation_has_a_refusal() -> None:
    variables = re.split(r"^variable ", _read("variables.tf"), flags=re.MULTILINE)[1:]
    rules = {text.split('"')[1]: text.count("\n  validation {") for text in variables}
    refusals = Counter(re.findall(r"expect_failures = \[var\.(\w+)\]", _read(f"tests/{REFUSED_INPUTS}")))
    lacking = {name: count for name, count in rules.items() if refusals[name] < count}
    assert not lacking


def test_every_precondition_has_a_refusal() -> None:
    rules = sum(path.read_text().count("precondition {") for path in (ROOT / MODULE).glob("*.tf"))
    assert _read(f"tests/{REFUSED_CONFIGS}").count("expect_failures") == rules
