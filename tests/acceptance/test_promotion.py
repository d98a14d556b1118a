"""From a run's evidence to the next environment's gate, by the command line, in a checkout of this test's own.

The features are tiny, the gateway is a stand-in, and so is gh.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from conftest import Machine, make_machine
from repository import commit_all
from tiny_features import KEY, Run, serve_gateway

from aigateway.digests import hash_file
from aigateway.scanning.checkout import hash_checkout
from aigateway.scanning.results import ScanResult, locate_results

DIGESTS = {"litellm": "sha256:" + "a" * 64, "envoy": "sha256:" + "b" * 64}
PINS = "images.auto.tfvars.json"
JOB = {
    "GITHUB_ACTIONS": "true",
    "GITHUB_REPOSITORY": "pvc/gate",
    "GITHUB_RUN_ID": "7",
    "GITHUB_ACTOR": "somebody",
}
#: Vouches for one file, as GitHub does: by what is in it.
GH = """
import sys
wanted = {wanted!r}
assert sys.argv[1:3] == ["attestation", "verify"] and "--repo=pvc/gate" in sys.argv, sys.argv
sys.exit(0 if open(sys.argv[3]).read() == open(wanted).read() else "Error: no attestations found")
"""


@dataclass(frozen=True)
class Promoted:
    """A dev that was tried, and its evidence."""

    machine: Machine
    evidence: Path
    done: subprocess.CompletedProcess[str]

    @property
    def data(self) -> dict[str, Any]:
        data: dict[str, Any] = json.loads(self.evidence.read_text())
        return data

    def gate(self, *arguments: str, evidence: Path | None = None) -> subprocess.CompletedProcess[str]:
        return self.machine.run("gate", "staging", "--evidence", str(evidence or self.evidence), *arguments)

    def as_job(self) -> Promoted:
        """The same in a job of GitHub Actions."""
        page = str(self.machine.temporary.parent / "page.md")
        extra = self.machine.extra | JOB | {"GITHUB_STEP_SUMMARY": page}
        return replace(self, machine=replace(self.machine, extra=extra))


def commit(machine: Machine) -> None:
    (machine.checkout / ".gitignore").write_text(f"build/\n__pycache__/\n{PINS}\n")
    commit_all(machine.checkout)


@pytest.fixture(scope="module")
def promoted(tmp_path_factory: pytest.TempPathFactory) -> Promoted:
    machine = make_machine(tmp_path_factory.mktemp("promoted"))
    checkout, programs = machine.checkout, machine.temporary.parent / "programs"
    with serve_gateway() as url:
        run = Run(machine, url)
        run.write("nothing wrong", "nothing wrong")
        commit(machine)
        (checkout / "infra/env/dev" / PINS).write_text(json.dumps({"image_digests": DIGESTS}))
        plan = machine.temporary.parent / "dev.tfplan"
        plan.write_bytes(b"a plan")
        scan = ScanResult(
            environment="dev",
            checkout=hash_checkout(checkout),
            plan=hash_file(plan),
            checkov="3",
            seconds=1,
            findings=(),
        )
        scan.write(locate_results(checkout, "dev"))
        job = replace(machine, extra=machine.extra | JOB)
        arguments = ("--base-url", url, "--revision", "dev--0000007", "--plan", str(plan))
        done = job.run("accept", "dev", "--target", "deployed", *arguments)
    evidence = run.folder / "evidence.json"
    programs.mkdir()
    gh = programs / "gh"
    gh.write_text(f"#!{sys.executable} -S\n{GH.format(wanted=str(evidence))}")
    gh.chmod(0o755)
    machine.extra["PATH"] = f"{programs}{os.pathsep}{os.environ['PATH']}"
    machine.extra["GITHUB_REPOSITORY"] = JOB["GITHUB_REPOSITORY"]
    return Promoted(machine, evidence, done)


def test_a_run_leaves_evidence_of_all_that_it_was(promoted: Promoted) -> None:
    assert promoted.done.returncode == 0, promoted.done.stderr
    data = promoted.data
    assert (data["environment"], data["target"], data["revision"]) == ("dev", "deployed", "dev--0000007")
    assert data["release"]["dirty"] is False
    assert len(data["release"]["commit"]) == 40
    assert data["release"]["images"]["litellm"]["digest"] == DIGESTS["litellm"]
    assert data["release"]["images"]["envoy"]["version"] == "1.40.0"
    assert data["scan"]["passed"] is True
    assert data["plan"].startswith("sha256:")
    assert data["origin"]["run_url"] == "https://github.com/pvc/gate/actions/runs/7/attempts/1"
    assert data["requirements"] == {"FR1": {"passed": 2}}
    assert [one["verdict"] for one in data["scenarios"]] == ["passed", "passed"]
    assert KEY not in promoted.evidence.read_text()
    assert promoted.machine.find_leftovers() == []


def test_it_opens_the_next_gate_once_the_digests_are_taken_over(promoted: Promoted) -> None:
    pins = promoted.machine.checkout / "infra/env/staging" / PINS
    pins.unlink(missing_ok=True)
    closed = promoted.gate("--explain")
    assert closed.returncode == 1, closed.stderr
    assert "✗ same images" in closed.stdout
    assert "→ run: aigateway pin ENV --evidence FILE" in closed.stdout
    assert "staging: CLOSED, 1 of " in closed.stdout

    pinned = promoted.machine.run("pin", "staging", "--evidence", str(promoted.evidence))
    assert pinned.returncode == 0, pinned.stderr
    assert json.loads(pins.read_text()) == {"image_digests": DIGESTS}

    job = promoted.as_job()
    opened = job.gate()
    assert opened.returncode == 0, opened.stdout + opened.stderr
    assert "staging: open, all " in opened.stdout
    assert "  scale.max_replicas: 1 → 2" in opened.stdout
    page = Path(job.machine.extra["GITHUB_STEP_SUMMARY"])
    assert page.read_text().startswith("## Gate of staging: open, all ")


def test_a_changed_file_is_refused(promoted: Promoted, tmp_path: Path) -> None:
    changed = tmp_path / "evidence.json"
    changed.write_text(promoted.evidence.read_text().replace("dev--0000007", "dev--0000008"))
    closed = promoted.gate(evidence=changed)
    assert closed.returncode == 1
    assert "✗ whole " in closed.stdout
    assert "gh attestation verify says: Error: no attestations found" in closed.stdout


def test_a_changed_checkout_is_refused(promoted: Promoted) -> None:
    feature = promoted.machine.checkout / "features/tiny.feature"
    config = promoted.machine.checkout / "infra/env/staging/envoy.yaml"
    texts = {path: path.read_text() for path in (feature, config)}
    feature.write_text(texts[feature] + "\n  @deployed\n  Scenario: New\n    Given nothing wrong\n")
    config.write_text(texts[config] + "# by hand\n")
    try:
        closed = promoted.gate()
    finally:
        for path, text in texts.items():
            path.write_text(text)
    assert closed.returncode == 1
    for said in (
        "no commit",
        "is of other features and steps",
        "Tiny: New did not pass there",
        "staging's envoy.yaml is not what its settings render",
    ):
        assert said in closed.stdout


def test_a_laptop_may_do_without_github_but_a_job_may_not(promoted: Promoted) -> None:
    opened = promoted.gate("--allow-unattested")
    assert "NOT ATTESTED" in opened.stdout
    assert opened.returncode == int("CLOSED" in opened.stdout)
    refused = promoted.as_job().gate("--allow-unattested")
    assert refused.returncode == 2
    assert "--allow-unattested is for a laptop" in refused.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("gate", "staging"), "--evidence"),
        (("gate", "dev", "--evidence", "x"), "dev is the first environment"),
        (("gate", "nowhere", "--evidence", "x"), "there is no environment 'nowhere'"),
        (("gate", "staging", "--evidence", "missing.json"), "missing.json: cannot be read: No such file"),
        (("gate", "staging", "--evidence", "infra"), "infra: cannot be read: Is a directory"),
        (("pin", "staging", "--evidence", "missing.json"), "missing.json: cannot be read: No such file"),
        (("pin", "staging", "--evidence", "README.md"), "README.md: is no evidence"),
        (("accept", "dev", "--plan", "missing.tfplan"), "missing.tfplan: cannot be read: No such file"),
        (("accept", "dev", "--scan", "infra/env/dev/terraform.tfvars.json"), "is no result of a scan"),
    ],
)
def test_what_cannot_be_asked_is_one_clear_line(
    arguments: tuple[str, ...], said: str, promoted: Promoted
) -> None:
    readme = promoted.machine.checkout / "README.md"
    readme.write_text("# no evidence\n")
    try:
        done = promoted.machine.run(*arguments)
    finally:
        readme.unlink()
    assert done.returncode == 2
    assert said in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr


def test_a_pin_is_of_what_was_tried(promoted: Promoted, tmp_path: Path) -> None:
    done = promoted.machine.run("pin", "dev", "--evidence", str(promoted.evidence))
    assert done.returncode == 2
    assert "is of dev, which is not before dev" in done.stderr
    changed = tmp_path / "evidence.json"
    changed.write_text(promoted.evidence.read_text().replace("a" * 64, "c" * 64))
    done = promoted.machine.run("pin", "staging", "--evidence", str(changed))
    assert done.returncode == 2
    assert "something was changed" in done.stderr
