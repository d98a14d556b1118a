"""What of a run becomes evidence, and what keeps a run from leaving any."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from proven import ROOT, settings_of

from aigateway.acceptance.results import DeployedGateway, RunResult
from aigateway.digests import hash_file
from aigateway.errors import AigatewayError
from aigateway.promotion.gathering import gather, observe
from aigateway.promotion.origin import Origin
from aigateway.scanning.checkout import hash_checkout
from aigateway.scanning.results import RESULT_FILE, Finding, ScanResult, locate_results

DIGEST = "sha256:" + "a" * 64


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    for name in ("templates", "infra"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns(".terraform*"))
    return tmp_path


def result_of(**images: str) -> RunResult:
    deployment = DeployedGateway(base_url="https://gateway.test", revision="r7", images=images)
    return RunResult(
        environment="dev",
        target="deployed",
        launcher=None,
        deployment=deployment,
        started_at="2026-11-23T00:00:00+00:00",
        seconds=1,
        conformant=True,
        scenarios=(),
    )


def test_a_checkout_that_changes_during_the_run_leaves_no_evidence(checkout: Path) -> None:
    before = observe(checkout, settings_of("dev"), None, None, Origin())
    evidence = gather(before, result_of())
    assert evidence.digest == evidence.compute_digest()
    (checkout / "templates" / "litellm.yaml.j2").write_text("other")
    with pytest.raises(AigatewayError, match="changed while the scenarios ran"):
        gather(before, result_of())


def test_what_terraform_runs_counts_for_more_than_what_the_settings_say(checkout: Path) -> None:
    before = observe(checkout, settings_of("dev"), None, None, Origin())
    ran = gather(before, result_of(litellm=f"ghcr.io/x/y:v9.8.7@{DIGEST}", envoy="a.test:5000/z:v1.0.0"))
    images = ran.release.images
    assert (str(images.litellm), images.litellm.version) == (f"ghcr.io/x/y:v9.8.7@{DIGEST}", "9.8.7")
    assert (images.envoy.repository, images.envoy.digest) == ("a.test:5000/z", None)
    for wrong in ({"litellm": "x:v1.0.0"}, {"litellm": "x", "envoy": "y:v1.0.0"}):
        with pytest.raises(AigatewayError):
            gather(before, result_of(**wrong))


def test_outside_of_git_a_release_has_no_commit_and_is_never_clean(checkout: Path) -> None:
    release = observe(checkout, settings_of("dev"), None, None, Origin()).release
    assert (release.commit, release.dirty) == ("", True)


# --- the scan


@pytest.fixture
def repository(checkout: Path) -> Path:
    """The checkout with a Git repository, which says what is scanned; results of commands are ignored as here."""
    shutil.copyfile(ROOT / ".gitignore", checkout / ".gitignore")
    subprocess.run(["git", "init", "--quiet"], cwd=checkout, check=True)
    return checkout


def scan_of(checkout: Path, plan: Path | None = None) -> Path:
    """The result of a scan of this moment, where the last one lies."""
    failed = Finding(
        check="C", title="t", verdict="failed", framework="terraform", file="f", line=1, resource="r"
    )
    folder = locate_results(checkout, "dev")
    ScanResult(
        environment="dev",
        checkout=hash_checkout(checkout),
        plan=hash_file(plan) if plan else None,
        checkov="3",
        seconds=1,
        findings=(failed,),
    ).write(folder)
    return folder / RESULT_FILE


def put_plan(checkout: Path, text: str) -> Path:
    plan = checkout / "build" / "plan.tfplan"
    plan.parent.mkdir(exist_ok=True)
    plan.write_text(text)
    return plan


def test_the_last_scan_of_the_checkout_is_taken_along(repository: Path) -> None:
    dev = settings_of("dev")
    nothing = observe(repository, dev, None, None, Origin())
    assert (nothing.scan, nothing.unscanned) == (None, "")
    scan_of(repository)
    found = observe(repository, dev, None, None, Origin())
    assert found.scan is not None
    assert not found.scan.passed
    assert found.scan.plan is None
    assert not found.unscanned


def test_the_scan_of_the_plan_that_was_applied_is_taken_along(repository: Path) -> None:
    plan = put_plan(repository, "one")
    scan_of(repository, plan)
    found = observe(repository, settings_of("dev"), plan, None, Origin())
    assert found.scan is not None
    assert found.scan.plan == found.plan == gather(found, result_of()).plan


def test_a_scan_of_what_has_changed_since_is_none(repository: Path) -> None:
    dev = settings_of("dev")
    path = scan_of(repository)
    (repository / "infra" / "modules" / "aigateway_aca" / "another.tf").write_text("# not scanned\n")
    found = observe(repository, dev, None, None, Origin())
    assert found.scan is None
    assert found.unscanned == f"{path}: is of files that have changed since; run: aigateway scan dev"
    assert gather(found, result_of()).scan is None
    # Who names it is told before anything is tried.
    with pytest.raises(AigatewayError, match="have changed since"):
        observe(repository, dev, None, path, Origin())


@pytest.mark.parametrize(("scanned", "said"), [("another", "another plan"), (None, "no plan")])
def test_a_scan_of_another_plan_or_of_none_is_none(repository: Path, scanned: str | None, said: str) -> None:
    scan_of(repository, put_plan(repository, scanned) if scanned else None)
    plan = put_plan(repository, "applied")
    found = observe(repository, settings_of("dev"), plan, None, Origin())
    assert found.scan is None
    assert f"is of {said}; run: aigateway scan dev --plan {plan}" in found.unscanned


def test_a_foreign_scan_is_refused(repository: Path) -> None:
    dev = settings_of("dev")
    path = scan_of(repository)
    path.write_text(path.read_text().replace('"dev"', '"prod"', 1))
    with pytest.raises(AigatewayError, match="is of prod; run: aigateway scan dev"):
        observe(repository, dev, None, path, Origin())
    path.write_text('{"clean": true}')
    with pytest.raises(AigatewayError, match="is no result of a scan"):
        observe(repository, dev, None, path, Origin())


def test_without_git_nothing_says_what_was_scanned(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(checkout.parent))
    path = checkout / "build" / "scan" / "dev" / RESULT_FILE
    ScanResult(environment="dev", checkout=DIGEST, plan=None, checkov="3", seconds=1, findings=()).write(
        path.parent
    )
    found = observe(checkout, settings_of("dev"), None, None, Origin())
    assert found.scan is None
    assert "only what git has counts" in found.unscanned
