"""The summary for a job's page."""

from __future__ import annotations

import dataclasses
import errno
import os
from pathlib import Path

import pytest
from made_up import HOSTILE, make_findings

from aigateway.acceptance.findings import Findings
from aigateway.errors import AigatewayError
from aigateway.reporting.job_page import STEP_SUMMARY
from aigateway.reporting.summary import render_summary
from aigateway.reporting.writing import write_reports


def _make_flaky(findings: Findings) -> Findings:
    first, *others = findings.result.scenarios
    flaky = first.model_copy(update={"tries": 2, "earlier": ("ConnectError: no network",)})
    result = findings.result.model_copy(update={"scenarios": (flaky, *others)})
    return dataclasses.replace(findings, result=result)


def test_it_says_the_verdict_first() -> None:
    assert render_summary(make_findings()).startswith("## dev: not conformant\n\n3 of the 5 scenarios")
    assert render_summary(make_findings(conformant=True)).startswith("## dev: conformant\n")


def test_it_counts_by_requirement() -> None:
    rows = [line for line in render_summary(make_findings()).splitlines() if line.startswith("| FR5")]
    assert len(rows) == 1
    assert rows[0].endswith("| 3 | 2 | · | · | 1 | · |")


def test_each_failure_has_its_reason_and_the_command_that_repeats_it() -> None:
    summary = render_summary(make_findings())
    assert "#### Harness error: Answers: A second thought" in summary
    assert "```sh\n.venv/bin/pytest 'features/test_features.py::test_2' --environment dev\n```" in summary
    # The block of the reason is ended by nothing in it.
    assert f"````text\nAssertionError: {HOSTILE}\n````" in summary


def test_names_are_text_and_nothing_else() -> None:
    (title,) = (
        line for line in render_summary(make_findings()).splitlines() if line.startswith("#### Answers: ")
    )
    for character in "`|<[":
        assert character not in title.replace(f"\\{character}", "")


def test_it_lists_the_slowest_and_the_flaky() -> None:
    summary = render_summary(_make_flaky(make_findings()))
    assert "### Slowest" in summary
    assert summary.index("No Azure here | 5.5 s") < summary.index("A second thought | 4.5 s")
    assert "- Answers: An answer, at try 2: ConnectError: no network" in summary
    assert "### Flaky" not in render_summary(make_findings())


def test_many_failures_are_cut_short() -> None:
    findings = make_findings()
    scenarios = tuple([findings.result.scenarios[2]] * 5000)
    result = findings.result.model_copy(update={"scenarios": scenarios})
    summary = render_summary(dataclasses.replace(findings, result=result))
    assert "… and 4980 more." in summary
    assert len(summary) < 100_000


def test_an_aborted_run_says_why() -> None:
    summary = render_summary(make_findings(aborted="envoy died in the middle of the run"))
    assert summary.startswith("## dev: not finished\n")
    assert "```text\nenvoy died in the middle of the run\n```" in summary


# --- written


def test_every_report_is_written_and_the_summary_goes_to_the_jobs_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_page = tmp_path / "job.md"
    job_page.write_text("of the step before\n")
    monkeypatch.setenv(STEP_SUMMARY, str(job_page))
    write_reports(make_findings(tmp_path / "folder"))
    written = sorted(path.name for path in (tmp_path / "folder").iterdir())
    assert written == ["cucumber.json", "report.html", "summary.md"]
    assert job_page.read_text() == "of the step before\n" + (tmp_path / "folder/summary.md").read_text()


def test_no_job_no_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(STEP_SUMMARY, raising=False)
    write_reports(make_findings(tmp_path / "folder"))
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


def test_what_cannot_be_written_is_one_clear_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(
        AigatewayError, match=r"file/report.html: cannot be written: (Not a directory|File exists)"
    ):
        write_reports(make_findings(tmp_path / "file"))
    monkeypatch.setenv(STEP_SUMMARY, str(tmp_path))
    with pytest.raises(AigatewayError, match=f"{STEP_SUMMARY}=.*: cannot be written: Is a directory"):
        write_reports(make_findings(tmp_path / "folder"))


def test_a_full_disk_is_one_clear_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(AigatewayError, match=r"report\.html: cannot be written: the disk is full"):
        write_reports(make_findings(tmp_path))
    assert list(tmp_path.iterdir()) == []
