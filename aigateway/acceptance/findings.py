"""All that a run came to know, for those who report it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from aigateway.acceptance.records import Record
from aigateway.acceptance.results import RunResult, TargetName

PAGE_FILE = "report.html"
SUMMARY_FILE = "summary.md"
CUCUMBER_FILE = "cucumber.json"
#: Of a whole run only; `aigateway.promotion` makes it.
EVIDENCE_FILE = "evidence.json"

REPORT_FILES = (PAGE_FILE, SUMMARY_FILE, CUCUMBER_FILE, EVIDENCE_FILE)


def locate_run(root: Path, environment: str, target: TargetName) -> Path:
    """Where a run leaves its files; a deployed gateway's stand beside the local one's, to be compared."""
    name = environment if target == "local" else f"{environment}-{target}"
    return root / "build" / "accept" / name


@dataclass(frozen=True)
class Findings:
    """What a run found, without any secret; reports of it go into `folder`.

    `records` and `commands`, which repeat a scenario, are by the scenarios' ids. `aborted` says why the run did not
    come to its end, if it did not.
    """

    folder: Path
    result: RunResult
    records: Mapping[str, Record] = field(default_factory=dict)
    commands: Mapping[str, str] = field(default_factory=dict)
    aborted: str = ""
