"""GitHub Actions, as far as deploy.yml needs it: jobs on fresh checkouts, artifacts, approvals, attestations.

It reads the real workflow files and runs what their steps run. Azure and Terraform are one program, found under the
names `az`, `gh` and `terraform`, which keeps what they remember in a file (CLOUD). Not run are, since what they need is
no part of this project: the installation, the registries that `pin` asks for dev, and checkov.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from conftest import ROOT, Machine

from aigateway.delivery.planning import locate_plan
from aigateway.digests import hash_file
from aigateway.scanning.checkout import hash_checkout
from aigateway.scanning.results import Finding, ScanResult, locate_results

REPOSITORY = "pvc/gateway"
DIGESTS = {"litellm": "sha256:" + "a" * 64, "envoy": "sha256:" + "b" * 64}
PINS = "images.auto.tfvars.json"
WORKFLOWS = ROOT / ".github/workflows"

#: az, gh and terraform. Whatever it is asked that it does not know is an error.
CLOUD = """
import hashlib, json, os, pathlib, sys

state_file = pathlib.Path(os.environ["FAKE_CLOUD"])
state = json.loads(state_file.read_text())
program = pathlib.Path(sys.argv[0]).name
words = sys.argv[1:]
state["asked"].append([program, *words])

def save():
    state_file.write_text(json.dumps(state))

def option(name):
    return words[words.index(name) + 1]

def terraform():
    folder = pathlib.Path(words[0].removeprefix("-chdir="))
    environment = folder.name
    app = state["apps"].setdefault(environment, {"revisions": [], "ready": None, "secrets": []})
    command = words[1]
    if command == "init":
        (folder / ".terraform.lock.hcl").write_text("provider")
    elif command == "plan":
        assert os.environ["TF_VAR_secrets"] == "{}" and "-lock=false" in words
        variables = json.loads((folder / "terraform.tfvars.json").read_text())
        images = json.loads((folder / "images.auto.tfvars.json").read_text())["image_digests"]
        named = {part: f"{variables['images'][part]}@{images[part]}" for part in images}
        changes = [{"address": "module.gateway.azurerm_container_app.gateway", "type": "azurerm_container_app",
                    "change": {"actions": ["update"], "before": {}, "after": {"images": named}}}]
        for name in ("azure-openai-key", "litellm-master-key"):
            if name not in app["secrets"]:
                changes.append({"address": f'module.gateway.azurerm_key_vault_secret.gateway["{name}"]', "index": name,
                                "type": "azurerm_key_vault_secret", "change": {"actions": ["create"], "after": {}}})
        plan = {"variables": {"environment": {"value": environment}}, "resource_changes": changes}
        out = next(word for word in words if word.startswith("-out="))
        pathlib.Path(out.removeprefix("-out=")).write_bytes(b"PK" + json.dumps(plan).encode())
    elif command == "show":
        print(pathlib.Path(words[-1]).read_bytes()[2:].decode())
    elif command == "apply":
        assert (folder / ".terraform.lock.hcl").exists()
        plan = json.loads(pathlib.Path(words[-1]).read_bytes()[2:])
        wanted = [one["index"] for one in plan["resource_changes"] if "index" in one]
        assert sorted(json.loads(os.environ["TF_VAR_secrets"])) == sorted(wanted)
        app["secrets"] += wanted
        app["images"] = plan["resource_changes"][0]["change"]["after"]["images"]
        app["revisions"].append(f"app--{len(app['revisions']) + 1}")
        app["ready"] = app["revisions"][-1]
    elif command == "output":
        outputs = {"base_url": state["gateway"], "images": app["images"]}
        print(json.dumps({name: {"value": value} for name, value in outputs.items()} if app["revisions"] else {}))
    else:
        sys.exit(f"Error: terraform {command}?")

def find_app():
    return state["apps"][option("--resource-group" if "--resource-group" in words else "--name").split("-")[1]]

def az():
    if words[:2] == ["group", "exists"]:
        print("true" if find_app()["revisions"] else "false")
    elif words[:2] == ["containerapp", "list"]:
        print(json.dumps([state["app"].format(option("--resource-group").split("-")[1])]))
    elif words[:2] == ["containerapp", "show"]:
        app = find_app()
        print(json.dumps({"latestRevisionName": app["revisions"][-1], "latestReadyRevisionName": app["ready"]}))
    elif words[:3] == ["containerapp", "revision", "copy"]:
        app = find_app()
        assert option("--from-revision") in app["revisions"]
        app["revisions"].append(f"{option('--from-revision')}-again")
        app["ready"] = app["revisions"][-1]
    elif words[:3] == ["cognitiveservices", "account", "keys"]:
        print(json.dumps("the-key-of-azure"))
    else:
        sys.exit("ERROR: " + " ".join(words))

def gh():
    assert words[:2] == ["attestation", "verify"], words
    found = hashlib.sha256(pathlib.Path(words[2]).read_bytes()).hexdigest()
    if found not in state["attested"]:
        sys.exit("Error: no attestations found")

try:
    {"terraform": terraform, "az": az, "gh": gh}[program]()
finally:
    save()
"""


@dataclass(frozen=True)
class Step:
    """A step as it ended: passed, failed or skipped."""

    job: str
    name: str
    outcome: str
    said: str = ""


@dataclass
class GitHub:
    """Runs deploy.yml on a commit; `approve` is asked before a job of an environment that wants approval.

    `ci` is how ci.yml ends, which is not run.
    """

    machine: Machine
    folder: Path
    gateway: str
    approve: Callable[[str], bool] = lambda _: True
    ci: bool = True
    steps: list[Step] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.state_file = self.folder / "cloud.json"
        self.artifacts = self.folder / "artifacts"
        self.artifacts.mkdir(parents=True)
        app = json.loads((ROOT / "infra/env/dev/terraform.tfvars.json").read_text())["names"]["container_app"]
        state = {
            "gateway": self.gateway,
            "apps": {
                name: {"revisions": [], "ready": None, "secrets": []} for name in ("dev", "staging", "prod")
            },
            "app": app.replace("dev", "{}"),
            "attested": [],
            "asked": [],
        }
        self.state_file.write_text(json.dumps(state))
        programs = self.folder / "bin"
        programs.mkdir()
        for name in ("az", "gh", "terraform"):
            (programs / name).write_text(f"#!{sys.executable} -S\n{CLOUD}")
            (programs / name).chmod(0o755)

    @property
    def state(self) -> dict[str, Any]:
        """What Azure and GitHub know."""
        state: dict[str, Any] = json.loads(self.state_file.read_text())
        return state

    def push(self) -> bool:
        """Run deploy.yml on the machine's commit; whether every job passed."""
        shutil.rmtree(self.artifacts)
        self.artifacts.mkdir()
        self.steps.clear()
        done: dict[str, bool] = {}
        jobs = read_workflow("deploy.yml")["jobs"]
        for name, job in jobs.items():
            needed = job.get("needs", [])
            needed = [needed] if isinstance(needed, str) else needed
            done[name] = all(done[one] for one in needed) and self._call(job)
        return all(done.values())

    def _call(self, job: Mapping[str, Any]) -> bool:
        """A reusable workflow, whose jobs follow on each other."""
        name = Path(job["uses"]).name
        workflow = read_workflow(name)
        if name == "ci.yml":
            assert "workflow_call" in workflow[True]
            return self.ci
        inputs = {
            name: job["with"].get(name, one.get("default"))
            for name, one in workflow[True]["workflow_call"]["inputs"].items()
        }
        for name, one in workflow["jobs"].items():
            assert not permissions_beyond(one["permissions"], job["permissions"])
            environment = expand(one["environment"], {"inputs": inputs})
            if environment in ("staging", "prod") and not self.approve(environment):
                return False
            if not _Runner(self, f"{name} {inputs['environment']}", inputs).run(one):
                return False
        return True


def read_workflow(name: str) -> dict[Any, Any]:
    """A workflow; YAML takes its `on` for true."""
    found: dict[Any, Any] = yaml.safe_load((WORKFLOWS / name).read_text())
    return found


def permissions_beyond(inner: Mapping[str, str], outer: Mapping[str, str]) -> set[str]:
    """What a called job asks for and its caller does not give."""
    rank = {"none": 0, "read": 1, "write": 2}
    return {name for name, level in inner.items() if rank[level] > rank[outer.get(name, "none")]}


def expand(text: str, context: Mapping[str, Mapping[str, Any]]) -> str:
    """`text` with its expressions worked out; only names are known, as `inputs.before`."""

    def work_out(found: re.Match[str]) -> str:
        where, _, name = found[1].partition(".")
        return str(context[where][name])

    return re.sub(r"\$\{\{ *([a-z_.A-Z]+) *\}\}", work_out, text)


class _Runner:
    """One job on a machine of its own: a fresh checkout of the commit."""

    def __init__(self, github: GitHub, job: str, inputs: Mapping[str, Any]) -> None:
        self.github = github
        self.job = job
        self.context: dict[str, dict[str, Any]] = {
            "inputs": dict(inputs),
            "vars": {
                name: name
                for name in (
                    *("AZURE_CLIENT_ID", "AZURE_TENANT_ID", "AZURE_SUBSCRIPTION_ID"),
                    *("AZURE_OPENAI_ACCOUNT", "AZURE_OPENAI_GROUP"),
                )
            }
            | {"AZURE_OPENAI_KEY_NAME": ""},
            "github": {"token": "a-token"},
        }
        self.checkout = github.folder / job.replace(" ", "-")
        self.outcomes: dict[str, str] = {}
        self.failed = False

    def run(self, job: Mapping[str, Any]) -> bool:
        """Every step in its order; whether none failed."""
        variables = {name: expand(str(value), self.context) for name, value in job.get("env", {}).items()}
        for step in job["steps"]:
            name = step.get("name") or step.get("run") or step["uses"]
            outcome, said = "skipped", ""
            if self._is_wanted(step.get("if", "success()")):
                given = {key: expand(str(value), self.context) for key, value in step.get("env", {}).items()}
                passed, said = self._take(step, {**variables, **given})
                outcome = "success" if passed else "failure"
                self.failed |= not passed
            self.outcomes[step.get("id", name)] = outcome
            self.github.steps.append(Step(self.job, name, outcome, said))
        return not self.failed

    def _is_wanted(self, condition: str) -> bool:
        before = self.context["inputs"]["before"]
        known = {
            "success()": not self.failed,
            "success() || failure()": True,
            "inputs.before != ''": not self.failed and before != "",
            "inputs.before == ''": not self.failed and before == "",
            "(failure() || cancelled()) && steps.apply.outcome != 'skipped'": self.failed
            and self.outcomes.get("apply") != "skipped",
        }
        return known[condition]

    def _take(self, step: Mapping[str, Any], variables: Mapping[str, str]) -> tuple[bool, str]:
        if "run" in step:
            return self._run(step["run"], variables)
        action, _, _ = step["uses"].partition("@")
        options = {name: expand(str(value), self.context) for name, value in step.get("with", {}).items()}
        if action == "actions/checkout":
            source = self.github.machine.checkout
            shutil.rmtree(self.checkout, ignore_errors=True)
            subprocess.run(["git", "clone", "-q", source, self.checkout], check=True)
        elif action == "actions/upload-artifact":
            found = self._upload(options["name"], options["path"].split())
            return found or options.get("if-no-files-found") != "error", ""
        elif action == "actions/download-artifact":
            shutil.copytree(
                self.github.artifacts / options["name"],
                self.checkout / options.get("path", "."),
                dirs_exist_ok=True,
            )
        elif action == "actions/attest-build-provenance":
            content = (self.checkout / options["subject-path"]).read_bytes()
            state = self.github.state
            state["attested"].append(hashlib.sha256(content).hexdigest())
            self.github.state_file.write_text(json.dumps(state))
        else:
            assert action in {"actions/setup-python", "hashicorp/setup-terraform", "azure/login"}, action
        return True, ""

    def _upload(self, name: str, paths: list[str]) -> bool:
        """Of several paths the artifact has the tree, of one what is in it."""
        for path in paths:
            source = self.checkout / path
            target = self.github.artifacts / name / (path if len(paths) > 1 else "")
            if source.is_dir():
                shutil.copytree(source, target, dirs_exist_ok=True)
            elif source.is_file():
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(source, target)
            else:
                return False
        return True

    def _run(self, script: str, variables: Mapping[str, str]) -> tuple[bool, str]:
        assert "${{" not in script, "an expression in a script runs what others write"
        environment = variables["ENVIRONMENT"]
        if script == "scripts/install azure":
            return True, ""
        if script.startswith(".venv/bin/aigateway scan"):
            plan = shlex.split(script)[-1].replace("$ENVIRONMENT", environment)
            assert (self.checkout / plan).is_file()
            _write_scan(self.checkout, environment)
            return True, ""
        if script == '.venv/bin/aigateway pin "$ENVIRONMENT"':
            assert environment == "dev"
            pins = self.checkout / "infra/env/dev" / PINS
            pins.write_text(json.dumps({"image_digests": DIGESTS}))
            return True, ""
        program = Path(sys.executable).with_name("aigateway")
        done = subprocess.run(
            ["bash", "-e", "-c", script.replace(".venv/bin/aigateway", str(program))],
            cwd=self.checkout,
            env={
                **self.github.machine.environment,
                **variables,
                "PATH": f"{self.github.folder / 'bin'}{os.pathsep}{os.environ['PATH']}",
                "FAKE_CLOUD": str(self.github.state_file),
                "GITHUB_ACTIONS": "true",
                "GITHUB_REPOSITORY": REPOSITORY,
                "GITHUB_STEP_SUMMARY": str(self.github.folder / "page.md"),
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        return done.returncode == 0, done.stdout + done.stderr


def _write_scan(checkout: Path, environment: str) -> None:
    passed = Finding(
        check="C", title="t", verdict="passed", framework="terraform", file="f", line=1, resource="r"
    )
    result = ScanResult(
        environment=environment,
        checkout=hash_checkout(checkout),
        plan=hash_file(locate_plan(checkout, environment)),
        checkov="3",
        seconds=1,
        findings=(passed,),
    )
    result.write(locate_results(checkout, environment))
