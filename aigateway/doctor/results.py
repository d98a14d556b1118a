"""What `aigateway doctor` found; its JSON form is described by docs/doctor.schema.json."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from aigateway.doctor.catalogue import Check, Severity, Trouble

#: How a check ended.
Outcome = Literal["ok", "warning", "problem", "not checked"]


@dataclass(frozen=True)
class Complaint:
    """A trouble, as it was met: `said` is what was seen."""

    trouble: Trouble
    said: str


@dataclass(frozen=True)
class Found:
    """What a check came to: a line of text, and what is wrong."""

    said: str
    complaints: tuple[Complaint, ...] = ()
    checked: bool = True

    @property
    def outcome(self) -> Outcome:
        """The worst of it."""
        if not self.checked:
            return "not checked"
        severities = {complaint.trouble.severity for complaint in self.complaints}
        return "problem" if "problem" in severities else "warning" if severities else "ok"

    @property
    def blocks(self) -> bool:
        """Whether what needs this check need not be tried."""
        return not self.checked or any(complaint.trouble.blocks for complaint in self.complaints)


def complain(trouble: Trouble, said: str) -> Found:
    """One thing is wrong."""
    return Found(said, (Complaint(trouble, said),))


def leave_unchecked(reason: str) -> Found:
    """A check was not made."""
    return Found(reason, checked=False)


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Finding(_Frozen):
    """Something that is wrong."""

    id: str = Field(description="of a trouble in docs/doctor.md")
    severity: Severity
    title: str
    seen: str
    means: str
    advice: str


class CheckResult(_Frozen):
    """One line of the output."""

    id: str
    title: str
    outcome: Outcome
    said: str = Field(description="what was seen, or why it was not checked")
    seconds: float = Field(ge=0, description="that it took, without waiting for others")
    findings: tuple[Finding, ...] = ()

    @classmethod
    def of(cls, check: Check, found: Found, seconds: float) -> CheckResult:
        """What a check found, told."""
        return cls(
            id=check.id,
            title=check.title,
            outcome=found.outcome,
            said=found.said,
            seconds=round(seconds, 3),
            findings=tuple(
                Finding(
                    id=complaint.trouble.id,
                    severity=complaint.trouble.severity,
                    title=complaint.trouble.title,
                    seen=complaint.said,
                    means=complaint.trouble.means,
                    advice=complaint.trouble.advice,
                )
                for complaint in found.complaints
            ),
        )


class Diagnosis(_Frozen):
    """All of a run. It holds no key."""

    schema_version: Literal[1] = 1
    base_url: str = Field(description="the gateway's address without /v1")
    model: str
    embedding_model: str
    dimensions: int | None = Field(description="none: any length is right")
    client: str = Field(description="empty: none was named")
    seconds: float = Field(ge=0)
    token_budget: int
    tokens_at_most: int = Field(description="what the requests that were sent can have cost")
    tokens: int = Field(description="what they say that they cost; one that does not say counts in full")
    checks: tuple[CheckResult, ...]

    @property
    def findings(self) -> tuple[Finding, ...]:
        """All that is wrong, in the order of the checks."""
        return tuple(finding for check in self.checks for finding in check.findings)

    def count(self, outcome: Outcome) -> int:
        """How many checks ended so."""
        return sum(check.outcome == outcome for check in self.checks)

    @property
    def exit_code(self) -> int:
        """0: all is well, but for warnings; 1: something is wrong; 2: nothing is known to be, and not all was tried."""
        return 1 if self.count("problem") else 2 if self.count("not checked") else 0

    @property
    def summary(self) -> str:
        """The verdict in one line."""
        counts = ", ".join(
            f"{number} {word}"
            for number, word in (
                (self.count("ok"), "ok"),
                (self.count("warning"), "with a warning"),
                (self.count("problem"), "with a problem"),
                (self.count("not checked"), "not checked"),
            )
            if number
        )
        verdict = ("all is well", "something is wrong", "not all could be tried")[self.exit_code]
        return f"{verdict}: {counts}; {self.tokens:,} tokens, {self.seconds:.1f} s"


def list_lines(diagnosis: Diagnosis) -> list[str]:
    """The result for people: a line a check, then what is wrong, what it means and what to do."""
    width = max(len(check.title) for check in diagnosis.checks)
    lines = [
        f"{check.outcome:<11}  {check.title:<{width}}  {check.said}".rstrip() for check in diagnosis.checks
    ]
    for finding in diagnosis.findings:
        lines += [
            "",
            f"{finding.severity}: {finding.title} [{finding.id}]",
            f"  seen   {finding.seen}",
            f"  means  {finding.means}",
            f"  do     {finding.advice}",
        ]
    return lines
