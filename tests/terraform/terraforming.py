"""Terraform on a copy of the infrastructure: nothing is written into the checkout, and nobody is logged in to Azure.

The provider comes from the registry, or from where the person's own Terraform configuration says.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
MODULE = Path("infra/modules/aigateway_aca")

#: Set where a skipped test of Terraform must not pass for a good one.
_REQUIRE = "AIGATEWAY_REQUIRE_TERRAFORM"
_SECONDS = 300
#: Who is logged in to Azure, which is nothing to these tests; and variables of somebody's own.
_OF_AZURE = ("ARM_", "AZURE_", "TF_VAR_")


@dataclass(frozen=True)
class Terraform:
    """Terraform's command line in one folder of the copy."""

    folder: Path

    def run(
        self, *arguments: str, secrets: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """`terraform arguments`, with these secrets for an apply, whatever comes of it."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(_OF_AZURE)}
        given = {} if secrets is None else {"TF_VAR_secrets": json.dumps(dict(secrets))}
        own = {"TF_INPUT": "0", "TF_IN_AUTOMATION": "1", "CHECKPOINT_DISABLE": "1"}
        return subprocess.run(
            ["terraform", *arguments],
            cwd=self.folder,
            env={**kept, **own, **given},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )

    def init(self, *, backend: bool = False) -> subprocess.CompletedProcess[str]:
        """Install the provider; the state stays out of it, unless `backend`."""
        return self.run("init", f"-backend={str(backend).lower()}", "-no-color")

    def test(self, *files: str) -> TestRun:
        """`terraform test` of these files, or of all."""
        chosen = [f"-filter={file}" for file in files]
        done = self.run("test", "-json", "-verbose", *chosen)
        return TestRun([json.loads(line) for line in done.stdout.splitlines()], done.stderr)


@dataclass(frozen=True)
class TestRun:
    """What `terraform test` said, message by message."""

    __test__ = False

    messages: Sequence[dict[str, Any]]
    errors: str

    @cached_property
    def statuses(self) -> dict[tuple[str, str], str]:
        """By file and run: pass, fail, error or skip."""
        ended = [
            m["test_run"] for m in self.messages if m["type"] == "test_run" and "status" in m["test_run"]
        ]
        return {(run["path"], run["run"]): run["status"] for run in ended}

    @cached_property
    def complaints(self) -> dict[str, str]:
        """By file: every error of Terraform's, in one text."""
        found: dict[str, str] = {}
        for message in self.messages:
            if message["type"] == "diagnostic" and message["diagnostic"]["severity"] == "error":
                file = message.get("@testfile", "")
                found[file] = found.get(file, "") + message["diagnostic"].get("detail", "") + "\n"
        return found

    @property
    def warnings(self) -> list[str]:
        """What Terraform warned of."""
        told = [m["diagnostic"] for m in self.messages if m["type"] == "diagnostic"]
        return [one["summary"] for one in told if one["severity"] == "warning"]

    def find_plan(self, run: str) -> dict[str, Any]:
        """What a run planned: each resource's values by its address."""
        changes = self._read_plan(run)["resource_changes"]
        return {change["address"]: change["change"]["after"] for change in changes}

    def list_outputs(self, run: str) -> set[str]:
        """The names of what a run would put out."""
        return set(self._read_plan(run)["output_changes"])

    def _read_plan(self, run: str) -> dict[str, Any]:
        plan: dict[str, Any]
        (plan,) = [m["test_plan"] for m in self.messages if m["type"] == "test_plan" and m["@testrun"] == run]
        return plan

    def require_passed(self) -> None:
        """Fail with what Terraform said unless every run passed, and there was one."""
        bad = {run: status for run, status in self.statuses.items() if status != "pass"}
        assert self.statuses, self.errors
        assert not bad, f"{bad}\n{json.dumps(self.complaints, indent=1)}"
        assert not self.warnings


def give_up(reason: str) -> None:
    """Skip, or fail where a skipped test would be taken for a passed one."""
    if os.environ.get(_REQUIRE) == "1":
        pytest.fail(f"{reason}, and {_REQUIRE}=1 says that the infrastructure has to be tested")
    pytest.skip(reason)


def prepare(folder: Path, *, backend: bool = False) -> Terraform:
    """Terraform in a folder of the copy, with its provider."""
    terraform = Terraform(folder)
    done = terraform.init(backend=backend)
    if done.returncode != 0:
        give_up(f"azurerm cannot be installed: {done.stderr.strip()[-800:]}")
    return terraform
