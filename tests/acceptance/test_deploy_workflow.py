"""deploy.yml, walked through with stand-ins for GitHub, Azure and Terraform: from dev's apply to prod's gate."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import ROOT, make_machine
from fake_github import GitHub, Step
from repository import commit_all
from tiny_features import KEY, Run, serve_gateway

#: Wrong in the environment that a file outside of the checkouts names.
STEPS = """
from pathlib import Path

@given("a gateway as it should be")
def _(target):
    assert target.settings.environment != Path(os.environ["WRONG_IN"]).read_text(), "it is wrong here"
"""


@pytest.fixture
def github(tmp_path: Path) -> Iterator[GitHub]:
    machine = make_machine(tmp_path)
    wrong = tmp_path / "wrong"
    wrong.write_text("")
    machine.extra["WRONG_IN"] = str(wrong)
    with serve_gateway() as url:
        Run(machine, url, STEPS).write("a gateway as it should be", "nothing wrong")
        shutil.copy(ROOT / ".gitignore", machine.checkout)
        commit_all(machine.checkout)
        yield GitHub(machine, tmp_path / "github", url)
    assert machine.find_leftovers() == []


def break_in(github: GitHub, environment: str) -> None:
    Path(github.machine.extra["WRONG_IN"]).write_text(environment)


def find(github: GitHub, job: str, name: str) -> Step:
    (step,) = [step for step in github.steps if (step.job, step.name) == (job, name)]
    return step


def list_failures(github: GitHub) -> list[tuple[str, str]]:
    return [(step.job, step.name) for step in github.steps if step.outcome == "failure"]


def test_what_was_proven_gets_to_prod_and_what_was_not_is_taken_back(github: GitHub) -> None:
    assert github.push(), [step for step in github.steps if step.outcome == "failure"]
    assert "OPEN" in find(github, "plan prod", "Gate").said.upper()
    apps = github.state["apps"]
    assert {name: app["ready"] for name, app in apps.items()} == dict.fromkeys(apps, "app--1")
    (images,) = {tuple(sorted(app["images"].values())) for app in apps.values()}
    assert all("@sha256:" in image for image in images)
    for secret in (KEY, "the-key-of-azure"):
        for step in github.steps:
            assert secret not in step.said
    page = (github.folder / "page.md").read_text()
    assert "Plan of staging" in page

    # A second time nothing is new but the apply; and staging is wrong.
    break_in(github, "staging")
    assert not github.push()
    assert list_failures(github) == [("apply staging", "Try it")]
    assert find(github, "apply staging", "Roll back").outcome == "success"
    assert find(github, "apply staging", "Attest the evidence").outcome == "skipped"
    apps = github.state["apps"]
    assert apps["staging"]["ready"] == "app--1-again"
    assert (apps["dev"]["ready"], apps["prod"]["ready"]) == ("app--2", "app--1")
    assert not [step for step in github.steps if step.job.endswith("prod")]
    evidence = json.loads((github.artifacts / "evidence-dev/evidence.json").read_text())
    assert evidence["revision"] == "app--2"


def test_what_did_not_pass_its_checks_gets_nowhere(github: GitHub) -> None:
    github.ci = False
    assert not github.push()
    assert github.steps == []


def test_a_dev_that_is_wrong_gets_no_further_even_where_there_is_nothing_to_go_back_to(
    github: GitHub,
) -> None:
    break_in(github, "dev")
    assert not github.push()
    assert list_failures(github) == [("apply dev", "Try it"), ("apply dev", "Roll back")]
    assert "had no revision before this one" in find(github, "apply dev", "Roll back").said
    assert {step.job for step in github.steps} == {"plan dev", "apply dev"}


def test_evidence_that_was_changed_while_staging_waited_is_refused_after_the_approval(github: GitHub) -> None:
    evidence = github.artifacts / "evidence-dev/evidence.json"

    def tamper(environment: str) -> bool:
        if environment == "staging":
            evidence.write_text(evidence.read_text().replace('"environment": "dev"', '"environment": "dev" '))
        return True

    github.approve = tamper
    assert not github.push()
    assert list_failures(github) == [("apply staging", "Gate, again, since an approval can take days")]
    assert find(github, "apply staging", "Apply").outcome == "skipped"
    assert github.state["apps"]["staging"]["revisions"] == []
