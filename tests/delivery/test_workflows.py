"""The workflows hold to the project's own rules for them, past what zizmor and actionlint see."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / ".github/workflows").glob("*.yml"))
_COMMIT = re.compile(r"[0-9a-f]{40}")


def read(path: Path) -> dict[Any, Any]:
    found: dict[Any, Any] = yaml.safe_load(path.read_text())
    return found


def list_actions() -> set[str]:
    jobs = [job for path in FILES for job in read(path)["jobs"].values()]
    steps = [step for job in jobs for step in job.get("steps", ())]
    return {step["uses"] for step in steps if "uses" in step}


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


def test_once_an_action_is_pinned_by_its_commit_all_are_and_zizmor_sees_to_it() -> None:
    pinned = {use for use in list_actions() if _COMMIT.fullmatch(use.partition("@")[2])}
    lenient = "unpinned-uses" in (ROOT / ".github/zizmor.yml").read_text()
    assert pinned in (set(), list_actions()), "pin the others too: docs/pinning.md"
    assert lenient == (not pinned), "all are pinned: take unpinned-uses out of .github/zizmor.yml"


def test_each_action_has_one_version() -> None:
    names = [use.partition("@")[0] for use in list_actions()]
    assert sorted(names) == sorted(set(names))
