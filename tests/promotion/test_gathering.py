"""What of a run becomes evidence, and what keeps a run from leaving any."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from proven import ROOT, settings_of

from aigateway.acceptance.results import DeployedGateway, RunResult
from aigateway.errors import AigatewayError
from aigateway.promotion.gathering import gather, observe
from aigateway.promotion.origin import Origin
from aigateway.scanning.results import Finding, ScanResult

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


def test_the_last_scan_is_taken_along_and_a_foreign_one_refused(checkout: Path) -> None:
    dev = settings_of("dev")
    assert observe(checkout, dev, None, None, Origin()).scan is None
    path = checkout / "build/scan/dev/result.json"
    path.parent.mkdir(parents=True)
    failed = Finding(
        check="C", title="t", verdict="failed", framework="terraform", file="f", line=1, resource="r"
    )
    scan = ScanResult(environment="dev", plan=False, checkov="3", seconds=1, findings=(failed,))
    scan.write(path.parent)
    found = observe(checkout, dev, None, None, Origin()).scan
    assert found is not None
    assert not found.passed
    scan.model_copy(update={"environment": "prod", "findings": ()}).write(path.parent)
    with pytest.raises(AigatewayError, match="is of prod; run: aigateway scan dev"):
        observe(checkout, dev, None, path, Origin())
    path.write_text('{"clean": true}')
    with pytest.raises(AigatewayError, match="is no result of a scan"):
        observe(checkout, dev, None, path, Origin())
