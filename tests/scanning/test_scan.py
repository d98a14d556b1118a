"""Only a scan that saw everything can pass; what it found is written whole."""

from __future__ import annotations

import json
import shutil
import stat
import subprocess
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from rich.console import Console

from aigateway.errors import ScanError
from aigateway.scanning import run
from aigateway.scanning.checkout import hash_checkout
from aigateway.scanning.checkov import ensure_checkov
from aigateway.scanning.plans import prepare_plan
from aigateway.scanning.results import RESULT_FILE, Finding, ScanResult, locate_results, tabulate
from aigateway.scanning.run import Order, read_report, run_checkov
from aigateway.settings.loading import load_environment

ROOT = Path(__file__).parents[2]
DIGEST = f"sha256:{'a' * 64}"
SUMMARY = {"parsing_errors": 0, "checkov_version": "3"}


def make_report(**changes: object) -> str:
    record = {
        "check_id": "A",
        "check_name": "a title",
        "check_result": {},
        "details": [],
        "file_abs_path": "/base/main.tf",
        "file_line_range": [3, 4],
        "resource": "r",
    }
    results = {"passed_checks": [record], "failed_checks": [], "skipped_checks": [], "parsing_errors": []}
    return json.dumps({"check_type": "terraform", "results": {**results, **changes}, "summary": SUMMARY})


@pytest.fixture
def order() -> Order:
    return Order(ROOT, load_environment(ROOT, "dev"))


def make_program(folder: Path, script: str) -> Path:
    program = folder / "checkov"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return program


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "said nothing that can be read"),
        ('{"passed": 0, "failed": 0}', "found nothing to scan"),
        ("[]", "found nothing to scan"),
        (make_report(passed_checks=[]), "found nothing to scan"),
        (make_report(parsing_errors=["/base/app.tf"]), "cannot read /base/app.tf"),
    ],
    ids=["nothing", "empty", "no part", "no check", "unreadable"],
)
def test_what_is_no_whole_scan_is_no_pass(text: str, complaint: str) -> None:
    with pytest.raises(ScanError, match=complaint):
        read_report(text, "dev", Path("/base"))


@pytest.mark.parametrize(
    ("script", "complaint"),
    [
        ("echo Traceback >&2; exit 1", "checkov broke"),
        ("echo 'ERROR Cannot load external check' >&2; echo '{}'", "checkov broke"),
        ("exit 2", "checkov broke"),
        ("kill -9 $$", "checkov broke"),
    ],
)
def test_a_crash_is_no_pass(order: Order, tmp_path: Path, script: str, complaint: str) -> None:
    with pytest.raises(ScanError, match=complaint):
        run_checkov(make_program(tmp_path, script), order, (), tmp_path)


def test_a_file_that_is_no_terraform_is_no_pass(order: Order, tmp_path: Path) -> None:
    program = ensure_checkov(Console(stderr=True)) / "bin" / "checkov"
    shutil.copytree(ROOT / "infra" / "modules", tmp_path / "infra" / "modules")
    shutil.copytree(ROOT / "infra" / "env" / "dev", tmp_path / "infra" / "env" / "dev")
    with (tmp_path / "infra" / "modules" / "aigateway_aca" / "app.tf").open("a") as file:
        file.write('resource "azurerm_container_app" {{\n')
    options = ("--directory", str(tmp_path / "infra" / "env" / "dev"), "--framework", "terraform")
    with pytest.raises(ScanError, match=r"app\.tf"):
        run_checkov(program, order, options, tmp_path)


def test_a_scan_that_breaks_leaves_no_earlier_result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def break_down(_: Console) -> Path:
        raise ScanError("no checkov")

    monkeypatch.setattr(run, "ensure_checkov", break_down)
    shutil.copytree(ROOT / "infra" / "env", tmp_path / "infra" / "env")
    earlier = locate_results(tmp_path, "dev") / RESULT_FILE
    earlier.parent.mkdir(parents=True)
    earlier.write_text("{}")
    with pytest.raises(ScanError):
        run.scan(tmp_path, ["dev"], None, Console(stderr=True))
    assert not earlier.exists()


def test_files_that_change_while_they_are_scanned_leave_no_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(ROOT / "infra" / "env", tmp_path / "infra" / "env")
    shutil.copyfile(ROOT / ".gitignore", tmp_path / ".gitignore")
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)
    report = run.Report("3", (make_finding("passed"),))

    def look(*_: object) -> run.Report:
        (tmp_path / "infra" / "another.tf").touch()
        return report

    monkeypatch.setattr(run, "ensure_checkov", lambda _: tmp_path)
    monkeypatch.setattr(run, "_scan_checkout", lambda *_: report)
    monkeypatch.setattr(run, "_scan_root", look)
    with pytest.raises(ScanError, match="changed while they were scanned"):
        run.scan(tmp_path, ["dev"], None, Console(stderr=True))
    assert not (locate_results(tmp_path, "dev") / RESULT_FILE).exists()
    # Now it is there, and stays as it is.
    (result,) = run.scan(tmp_path, ["dev"], None, Console(stderr=True))
    assert result.checkout == hash_checkout(tmp_path)


def test_a_policy_that_found_nothing_to_judge_is_no_pass(order: Order) -> None:
    report = read_report(make_report(), "dev", Path("/base"))
    with pytest.raises(ScanError, match="AIGATEWAY_PROBES could judge"):
        run._require_policies(report, order, {"A", "AIGATEWAY_PROBES"})


@pytest.mark.parametrize("comment", ["", "No comment provided"])
def test_a_skip_without_a_reason_fails(comment: str) -> None:
    record = json.loads(make_report())["results"]["passed_checks"][0]
    record["check_result"] = {"suppress_comment": comment}
    (finding,) = read_report(
        make_report(passed_checks=[], skipped_checks=[record]), "dev", Path("/base")
    ).findings
    assert finding.verdict == "failed"
    assert "without a reason" in finding.reason


def test_what_the_source_skips_is_skipped_in_the_plan() -> None:
    source = make_finding("skipped", resource="module.gateway.v.x", reason="because")
    plan = [make_finding("failed", resource=f'module.gateway.v.x["{n}"]') for n in ("a.b", "c")]
    other = make_finding("failed", resource="module.gateway.v.y")
    report = run._take_over_skips(run.Report("3", (*plan, other)), run.Report("3", (source,)))
    assert [finding.verdict for finding in report.findings] == ["skipped", "skipped", "failed"]


def make_finding(verdict: str, *, resource: str = "r", reason: str = "") -> Finding:
    return Finding.model_validate(
        {
            "check": "A",
            "title": "a title",
            "verdict": verdict,
            "framework": "terraform",
            "file": "infra/main.tf",
            "line": 3,
            "resource": resource,
            "reason": reason,
        }
    )


def test_the_results_are_written_for_people_and_for_ci(tmp_path: Path) -> None:
    findings = (
        make_finding("passed"),
        make_finding("failed", reason="bad"),
        make_finding("skipped", reason="ok"),
    )
    result = ScanResult(
        environment="dev", checkout=DIGEST, plan=None, checkov="3", seconds=1, findings=findings
    )
    result.write(tmp_path)
    assert not result.clean
    assert json.loads((tmp_path / "result.json").read_text())["findings"][1]["verdict"] == "failed"
    (sarif,) = json.loads((tmp_path / "results.sarif").read_text())["runs"]
    assert [one["level"] for one in sarif["results"]] == ["error", "note"]
    assert sarif["results"][1]["suppressions"] == [{"kind": "inSource", "justification": "ok"}]
    suite = ET.parse(tmp_path / "junit.xml").getroot()  # noqa: S314 - written two lines above
    assert (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == ("3", "1", "1")
    assert tabulate(findings).row_count == 2


@pytest.mark.parametrize(
    ("plan", "complaint"),
    [
        ("no plan", "is no plan"),
        ('{"resource_changes": [], "variables": {"environment": {"value": "dev"}}}', "no resource"),
        ('{"resource_changes": [{}], "variables": {"environment": {"value": "prod"}}}', "a plan of prod"),
    ],
)
def test_what_is_no_plan_of_it_is_refused(tmp_path: Path, plan: str, complaint: str) -> None:
    (file := tmp_path / "given").write_text(plan)
    with pytest.raises(ScanError, match=complaint):
        prepare_plan(ROOT, "dev", file, tmp_path)


def test_a_checkout_without_git_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    with pytest.raises(ScanError, match="only what git has counts"):
        run.copy_checkout(tmp_path, tmp_path / "copy")


def test_only_what_git_has_or_would_take_is_copied(tmp_path: Path) -> None:
    root, copy = tmp_path / "root", tmp_path / "copy"
    root.mkdir()
    subprocess.run(["git", "init", "--quiet"], cwd=root, check=True)
    (root / ".gitignore").write_text("ignored\n")
    for name in ("ignored", "taken"):
        (root / name).write_text("x")
    frameworks = run.copy_checkout(root, copy)
    names = {str(path.relative_to(copy)) for path in copy.rglob("*") if path.is_file()}
    planted = {name for name in names if run.CANARY in name}
    assert names - planted == {".gitignore", "taken"}
    assert len(planted) == len(frameworks)
