"""What a scan found, and in which forms it is written down."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal
from xml.etree import ElementTree as ET

from pydantic import BaseModel, ConfigDict, Field
from rich.markup import escape
from rich.table import Table

from aigateway.files import write_atomically
from aigateway.settings.values import Digest

Verdict = Literal["passed", "failed", "skipped"]

_SARIF = "https://json.schemastore.org/sarif-2.1.0.json"


RESULT_FILE = "result.json"


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Finding(_Frozen):
    """What one check says of one resource or line."""

    check: str = Field(description="the check's id: checkov's, or AIGATEWAY_… of infra/policies")
    title: str
    verdict: Verdict
    framework: str = Field(description="what was looked at: terraform, terraform_plan, secrets …")
    file: str = Field(description="from the checkout's root")
    line: int = Field(ge=1)
    resource: str
    reason: str = Field(default="", description="what is wrong, or why it was skipped")


class ScanResult(_Frozen):
    """One scan of one environment, and of what all environments share."""

    schema_version: Literal[1] = 1
    environment: str
    checkout: Digest = Field(description="of the files that were scanned: all that git has, or would take")
    plan: Digest | None = Field(
        description="of the file of the plan that was scanned as well; none without one"
    )
    checkov: str = Field(description="checkov's version")
    seconds: float = Field(ge=0)
    findings: tuple[Finding, ...]

    @property
    def clean(self) -> bool:
        """Whether no check failed."""
        return not self.failures

    @property
    def failures(self) -> tuple[Finding, ...]:
        """What failed."""
        return tuple(finding for finding in self.findings if finding.verdict == "failed")

    @property
    def summary(self) -> str:
        """The verdict in one line."""
        counts = Counter(finding.verdict for finding in self.findings)
        return (
            f"{self.environment}: {'clean' if self.clean else 'NOT clean'}, {counts['passed']} passed, "
            f"{counts['failed']} failed, {counts['skipped']} skipped with a reason, {self.seconds:.0f} s"
        )

    def write(self, folder: Path) -> None:
        """Write result.json, results.sarif and junit.xml."""
        write_atomically(folder / RESULT_FILE, self.model_dump_json(indent=2) + "\n")
        write_atomically(folder / "results.sarif", json.dumps(self._to_sarif(), indent=2) + "\n")
        write_atomically(folder / "junit.xml", self._to_junit())

    def _to_sarif(self) -> dict[str, Any]:
        """SARIF 2.1.0, as GitHub's code scanning takes it; what passed is not in it."""
        told = [finding for finding in self.findings if finding.verdict != "passed"]
        rules = {finding.check: finding.title for finding in told}
        driver = {
            "name": "aigateway scan",
            "version": self.checkov,
            "rules": [{"id": check, "shortDescription": {"text": title}} for check, title in rules.items()],
        }
        results = [_to_sarif_result(finding) for finding in told]
        return {
            "$schema": _SARIF,
            "version": "2.1.0",
            "runs": [{"tool": {"driver": driver}, "results": results}],
        }

    def _to_junit(self) -> str:
        suite = ET.Element("testsuite", name=f"scan {self.environment}", tests=str(len(self.findings)))
        for finding in self.findings:
            name = f"{finding.check} {finding.resource}"
            case = ET.SubElement(suite, "testcase", classname=finding.framework, name=name, file=finding.file)
            if finding.verdict == "failed":
                message = f"{finding.title}{f': {finding.reason}' if finding.reason else ''}"
                ET.SubElement(case, "failure", message=message).text = f"{finding.file}:{finding.line}"
            elif finding.verdict == "skipped":
                ET.SubElement(case, "skipped", message=finding.reason)
        counts = Counter(finding.verdict for finding in self.findings)
        suite.set("failures", str(counts["failed"]))
        suite.set("skipped", str(counts["skipped"]))
        return ET.tostring(suite, encoding="unicode", xml_declaration=True) + "\n"


def _to_sarif_result(finding: Finding) -> dict[str, Any]:
    place = {"artifactLocation": {"uri": finding.file}, "region": {"startLine": finding.line}}
    result: dict[str, Any] = {
        "ruleId": finding.check,
        "level": "error" if finding.verdict == "failed" else "note",
        "message": {"text": finding.reason or finding.title},
        "locations": [{"physicalLocation": place}],
    }
    if finding.verdict == "skipped":
        result["suppressions"] = [{"kind": "inSource", "justification": finding.reason}]
    return result


def locate_results(root: Path, environment: str) -> Path:
    """The folder of an environment's last scan."""
    return root / "build" / "scan" / environment


def tabulate(findings: Iterable[Finding]) -> Table:
    """What failed, and what was skipped and why, for people: a line for each check and file."""
    groups: dict[tuple[str, str, str, str], list[Finding]] = {}
    for finding in sorted(findings, key=lambda one: (one.verdict, one.file, one.line)):
        if finding.verdict != "passed":
            key = (finding.verdict, finding.check, finding.file, finding.reason)
            groups.setdefault(key, []).append(finding)
    table = Table("", "check", "where", "what", box=None, pad_edge=False)
    table.columns[2].overflow = "fold"
    for (verdict, check, file, reason), group in groups.items():
        lines = ", ".join(str(line) for line in dict.fromkeys(one.line for one in group))
        resources = "".join(f"\n{name}" for name in dict.fromkeys(one.resource for one in group) if name)
        said = f"{group[0].title}: {reason}" if reason else group[0].title
        style = "red" if verdict == "failed" else "dim"
        table.add_row(verdict, check, escape(f"{file}:{lines}{resources}"), escape(said), style=style)
    return table
