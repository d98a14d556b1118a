"""A real plan of a root passes the scan before each apply: the first one, and one of what is deployed already.

They differ in what a policy can read: ids are references in the first, and values in the second. The provider is never
logged in: where it is azurerm itself, it does not plan, and the plans that are scanned are those of plan.yml.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from terraforming import MODULE, ROOT, Terraform, prepare

from aigateway.scanning import run
from aigateway.scanning.checkov import ensure_checkov
from aigateway.scanning.run import Order
from aigateway.secret_values import list_secret_names
from aigateway.settings.loading import load_environment

ENVIRONMENT = "prod"
DIGEST = f"sha256:{'0' * 64}"

#: State beside the root, nothing to log in with, and no wait for a role that holds at once.
OVERRIDE = """
terraform {
  backend "local" {}
}
provider "azurerm" {
  subscription_id = "00000000-0000-0000-0000-000000000000"
  use_cli         = false
  use_oidc        = false
  use_msi         = false
}
module "gateway" {
  role_wait_seconds = 0
}
"""
_LOGIN = re.compile(r"authoriz|authenticat|credential", re.IGNORECASE)
_MOCK = re.compile(r'^mock_resource "(\w+)".*?\bid += "([^"]+)"', re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def plans(copy: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The JSON of both plans: of a first deployment, and of one that changes nothing."""
    own = tmp_path_factory.mktemp("deployed")
    shutil.copytree(copy / "infra", own / "infra", symlinks=True)
    root = own / "infra" / "env" / ENVIRONMENT
    (root / "offline_override.tf").write_text(OVERRIDE, encoding="utf-8")
    digests = {"litellm": DIGEST, "envoy": DIGEST}
    (root / "digests.auto.tfvars.json").write_text(json.dumps({"image_digests": digests}))
    terraform = prepare(root, backend=True)
    folder = tmp_path_factory.mktemp("plans")
    first = _plan(terraform, folder / "first")
    _apply(terraform, folder / "first")
    _rename_ids(root / "terraform.tfstate")
    return first, _plan(terraform, folder / "second")


def _plan(terraform: Terraform, out: Path) -> Path:
    done = terraform.run("plan", "-no-color", "-lock=false", f"-out={out}", secrets={})
    if done.returncode != 0 and _LOGIN.search(done.stderr):
        pytest.skip("this provider plans only where it is logged in to Azure; plan.yml scans its plans")
    assert done.returncode == 0, done.stderr
    shown = out.with_suffix(".json")
    shown.write_text(terraform.run("show", "-json", str(out)).stdout, encoding="utf-8")
    return shown


def _apply(terraform: Terraform, plan: Path) -> None:
    names = list_secret_names(load_environment(ROOT, ENVIRONMENT))
    secrets = {name: hashlib.sha256(name.encode()).hexdigest() for name in names}
    secrets["azure-openai-endpoint"] = "https://contoso.openai.azure.com"
    done = terraform.run("apply", "-no-color", str(plan), secrets=secrets)
    assert done.returncode == 0, done.stderr


def _rename_ids(state: Path) -> None:
    """Give what was made ids in Azure's form, those of the module's mocks; in small letters, as the workbook wants."""
    ids = dict(_MOCK.findall((ROOT / MODULE / "tests/mocks/azurerm.tfmock.hcl").read_text(encoding="utf-8")))
    text = state.read_text(encoding="utf-8")
    for resource in json.loads(text)["resources"]:
        if real := ids.get(resource["type"]):
            for instance in resource["instances"]:
                text = text.replace(instance["attributes"]["id"], real.lower())
    state.write_text(text, encoding="utf-8")


def _list_actions(plan: Path) -> set[str]:
    said: dict[str, Any] = json.loads(plan.read_text(encoding="utf-8"))
    return {action for one in said["resource_changes"] for action in one["change"]["actions"]}


def test_a_first_plan_and_one_of_what_is_deployed_pass_the_scan(plans: tuple[Path, Path]) -> None:
    assert [_list_actions(plan) for plan in plans] == [{"create"}, {"no-op"}]
    program = ensure_checkov(Console(stderr=True)) / "bin" / "checkov"
    settings = load_environment(ROOT, ENVIRONMENT)
    with ThreadPoolExecutor() as pool:
        source = pool.submit(run._scan_root, program, Order(ROOT, settings))
        scans = [pool.submit(run._scan_plan, program, Order(ROOT, settings, plan)) for plan in plans]
        # That each policy found something to judge, the scan itself sees to.
        for scan in scans:
            findings = run._take_over_skips(scan.result(), source.result()).findings
            assert [finding for finding in findings if finding.verdict == "failed"] == []
