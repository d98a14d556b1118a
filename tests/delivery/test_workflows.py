"""The workflows hold to the project's own rules for them, past what zizmor and actionlint see."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from repository import commit_all

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / ".github/workflows").glob("*.yml"))
_COMMIT = re.compile(r"[0-9a-f]{40}")


def read(path: Path) -> dict[Any, Any]:
    found: dict[Any, Any] = yaml.safe_load(path.read_text())
    return found


def list_scripts(job: dict[str, Any], after: str = "") -> list[str]:
    """What the steps of a job run, from the one after the step that runs `after`."""
    scripts = [step["run"] for step in job["steps"] if "run" in step]
    return scripts[scripts.index(after) + 1 :] if after else scripts


def list_steps() -> list[dict[str, Any]]:
    jobs = [job for path in FILES for job in read(path)["jobs"].values()]
    return [step for job in jobs for step in job.get("steps", ())]


def list_actions() -> set[str]:
    return {step["uses"] for step in list_steps() if "uses" in step}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_nothing_is_allowed_but_what_a_job_says(path: Path) -> None:
    workflow = read(path)
    assert workflow["permissions"] == {}
    for job in workflow["jobs"].values():
        assert job["permissions"]
        assert "uses" in job or job["timeout-minutes"] <= 90


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_script_is_one_command_without_expressions_and_no_secret_is_kept(path: Path) -> None:
    assert "secrets." not in path.read_text()
    for job in read(path)["jobs"].values():
        for step in job.get("steps", ()):
            assert "${{" not in step.get("run", "")
            assert "\n" not in step.get("run", "").strip(), "a workflow has no logic of its own"


def test_what_waits_for_an_approval_keeps_nothing_from_dev() -> None:
    workflow = read(ROOT / ".github/workflows/deploy.yml")
    # A run that waits is one in progress, and would hold a group of the whole workflow.
    assert "concurrency" not in workflow
    # ci.yml, which comes first, waits for nobody and has a group of its own.
    for name, job in workflow["jobs"].items():
        if name != "ci":
            assert job["concurrency"] == {"group": f"deploy-{name}", "cancel-in-progress": False}


#: Stands in for `aigateway upgrade --write`: changes a file, and leaves what the real one leaves.
UPGRADE = """#!/bin/sh
test -e ../nothing-new && exit 0
echo 2 >version
for side in present candidate; do
  mkdir -p build/upgrade/1.2.3/$side/accept/dev
  echo 'of a run' >build/upgrade/1.2.3/$side/accept/dev/summary.md
done
echo 'the comparison' >build/upgrade/1.2.3/summary.md
"""
PROPOSE = '#!/bin/sh\ntest -s "$1" || exit 0\ncat "$1" "$2" >../proposed\ntest $# = 2\n'


@pytest.mark.parametrize("new", [True, False])
def test_what_upgrade_yml_proposes_is_the_change_and_the_comparison(tmp_path: Path, new: bool) -> None:
    """The real steps of both jobs, in two checkouts, with what the one leaves for the other."""
    jobs = read(ROOT / ".github/workflows/upgrade.yml")["jobs"]
    first, second = tmp_path / "first", tmp_path / "second"
    for name, text in {".venv/bin/aigateway": UPGRADE, "scripts/propose": PROPOSE, "version": "1\n"}.items():
        (first / name).parent.mkdir(parents=True, exist_ok=True)
        (first / name).write_text(text)
        (first / name).chmod(0o755)
    commit_all(first)
    if not new:
        (tmp_path / "nothing-new").touch()
    shutil.copytree(first, second)

    def run(scripts: list[str], folder: Path) -> None:
        for script in scripts:
            subprocess.run(
                ["bash", "-e", "-c", script], cwd=folder, check=True, env={**os.environ, "VERSION": "x"}
            )

    run(list_scripts(jobs["try"], after="scripts/install"), first)
    (upload,) = [step["with"] for step in jobs["try"]["steps"] if "upload-artifact" in step.get("uses", "")]
    (download,) = [
        step["with"] for step in jobs["propose"]["steps"] if "download-artifact" in step.get("uses", "")
    ]
    assert upload["name"] == download["name"]
    for path in upload["path"].split():
        source, target = first / path, second / download["path"] / path
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target)
        elif source.exists():
            shutil.copy(source, target)
    run(list_scripts(jobs["propose"], after="gh auth setup-git"), second)
    proposed = tmp_path / "proposed"
    assert proposed.exists() == new
    if new:
        assert proposed.read_text().endswith("-1\n+2\nthe comparison\n")


def test_once_an_action_is_pinned_by_its_commit_all_are_and_zizmor_sees_to_it() -> None:
    pinned = {use for use in list_actions() if _COMMIT.fullmatch(use.partition("@")[2])}
    lenient = "unpinned-uses" in (ROOT / ".github/zizmor.yml").read_text()
    assert pinned in (set(), list_actions()), "pin the others too: docs/pinning.md"
    assert lenient == (not pinned), "all are pinned: take unpinned-uses out of .github/zizmor.yml"


def test_each_action_has_one_version() -> None:
    names = [use.partition("@")[0] for use in list_actions()]
    assert sorted(names) == sorted(set(names))


def test_each_terraform_has_one_version() -> None:
    """Terraform applies no plan of another version's, and between the two may lie days."""
    versions = {
        step["with"].get("terraform_version")
        for step in list_steps()
        if step.get("uses", "").startswith("hashicorp/setup-terraform@")
    }
    (version,) = versions
    assert re.fullmatch(r"\d+\.\d+\.\d+", version)
