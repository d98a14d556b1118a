"""The page of a job of GitHub Actions."""

from __future__ import annotations

import os
from pathlib import Path

from aigateway.errors import AigatewayError

#: Where GitHub Actions wants what the page of a job's is to show.
STEP_SUMMARY = "GITHUB_STEP_SUMMARY"


def append_to_job_page(markdown: str) -> None:
    """Add to the page of the job that this is, if it is one. Raises AigatewayError when it cannot be written."""
    path = os.environ.get(STEP_SUMMARY)
    if not path:
        return
    try:
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(markdown)
    except OSError as error:
        raise AigatewayError(f"{STEP_SUMMARY}={path}: cannot be written: {error.strerror}") from error
