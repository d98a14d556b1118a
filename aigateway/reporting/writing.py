"""Writes every report of a run."""

from __future__ import annotations

from collections.abc import Mapping

from aigateway.acceptance.features import ScenarioKey
from aigateway.acceptance.findings import CUCUMBER_FILE, PAGE_FILE, SUMMARY_FILE, Findings
from aigateway.files import write_atomically
from aigateway.reporting.cucumber import render_cucumber
from aigateway.reporting.job_page import append_to_job_page
from aigateway.reporting.page import render_page
from aigateway.reporting.summary import render_summary


def write_reports(findings: Findings, sabotages: Mapping[ScenarioKey, tuple[str, ...]] = {}) -> None:
    """Write the reports into the run's folder, each whole or not at all, and the summary onto the job's page.

    `sabotages` are titles, by the scenario that they turn red.
    Raises AigatewayError when one cannot be written.
    """
    summary = render_summary(findings)
    for name, text in (
        (PAGE_FILE, render_page(findings, sabotages)),
        (SUMMARY_FILE, summary),
        (CUCUMBER_FILE, render_cucumber(findings)),
    ):
        # A client may have sent half a character (a lone surrogate), which no file can hold.
        write_atomically(findings.folder / name, text.encode(errors="backslashreplace").decode())
    append_to_job_page(summary)
