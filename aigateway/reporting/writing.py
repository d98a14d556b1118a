"""Writes every report of a run."""

from __future__ import annotations

import os
from pathlib import Path

from aigateway.acceptance.findings import CUCUMBER_FILE, PAGE_FILE, SUMMARY_FILE, Findings
from aigateway.errors import AigatewayError
from aigateway.files import write_atomically
from aigateway.reporting.cucumber import render_cucumber
from aigateway.reporting.page import render_page
from aigateway.reporting.summary import render_summary

#: Where GitHub Actions wants what the page of a job's is to show.
STEP_SUMMARY = "GITHUB_STEP_SUMMARY"


def write_reports(findings: Findings) -> None:
    """Write the reports into the run's folder, each whole or not at all, and the summary onto the job's page.

    Raises AigatewayError when one cannot be written.
    """
    summary = render_summary(findings)
    for name, text in (
        (PAGE_FILE, render_page(findings)),
        (SUMMARY_FILE, summary),
        (CUCUMBER_FILE, render_cucumber(findings)),
    ):
        # A client may have sent half a character (a lone surrogate), which no file can hold.
        write_atomically(findings.folder / name, text.encode(errors="backslashreplace").decode())
    job_page = os.environ.get(STEP_SUMMARY)
    if job_page:
        _append(Path(job_page), summary)


def _append(path: Path, text: str) -> None:
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise AigatewayError(f"{STEP_SUMMARY}={path}: cannot be written: {error.strerror}") from error
