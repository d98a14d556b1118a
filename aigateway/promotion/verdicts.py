"""What the gate came to, in words: lines for a terminal, Markdown for a job's page."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from aigateway.promotion.gate import Finding, Judgement, Outcome
from aigateway.reporting.markdown import escape

_MARKS: dict[Outcome, str] = {"held": "✓", "refused": "✗", "waived": "!", "untried": "?"}
_UNATTESTED = "NOT ATTESTED, let through by --allow-unattested: anybody can have written this"
_MOST_COMPLAINTS = 10
_UNTRIED = "not tried: there is no evidence, or some cannot be read"


def summarize(judgement: Judgement) -> str:
    """The verdict in one line."""
    refused = sum(finding.outcome in {"refused", "untried"} for finding in judgement.findings)
    if not judgement.is_open:
        return f"{judgement.environment}: CLOSED, {refused} of {len(judgement.findings)} rules do not hold"
    if not judgement.is_attested:
        return f"{judgement.environment}: open, on evidence that NOBODY ATTESTED: for local use, never for a deployment"
    return f"{judgement.environment}: open, all {len(judgement.findings)} rules hold"


def list_findings(judgement: Judgement, *, explain: bool) -> Iterator[str]:
    """A line for each rule, those below it that say why; with `explain`, what to do about it."""
    width = max(len(finding.rule.name) for finding in judgement.findings)
    for finding in judgement.findings:
        first, *others = _say(finding)
        yield f"{_MARKS[finding.outcome]} {finding.rule.name:<{width}}  {first}"
        for other in others:
            yield f"  {'':<{width}}  {other}"
        if explain and finding.outcome == "refused":
            yield f"  {'':<{width}}  → {finding.rule.advice}"


def list_differences(judgement: Judgement) -> Iterator[str]:
    """A line for each setting that is not as in the environment before."""
    for one in judgement.differences:
        mark = " " if one.allowed else "✗"
        yield f"{mark} {one.key}: {_show(one.before)} → {_show(one.here)}"


def render_markdown(judgement: Judgement) -> str:
    """The same for a job's page, with what to do for each refusal."""
    return "\n".join(
        [
            f"## Gate of {escape(summarize(judgement))}",
            "",
            "| | Rule | |",
            "|---|---|---|",
            *(_render_row(finding) for finding in judgement.findings),
            "",
            "### Settings that differ from the environment before",
            "",
            *_render_differences(judgement),
            "",
        ]
    )


def _render_row(finding: Finding) -> str:
    said = "<br>".join(map(escape, _say(finding)))
    advice = f"<br>→ {escape(finding.rule.advice)}" if finding.outcome == "refused" else ""
    return f"| {_MARKS[finding.outcome]} | {finding.rule.name} | {said}{advice} |"


def _render_differences(judgement: Judgement) -> Iterator[str]:
    if not judgement.differences:
        yield "None."
        return
    yield from ("| Setting | Before | Here | |", "|---|---|---|---|")
    for one in judgement.differences:
        cells = (one.key, _show(one.before), _show(one.here), "" if one.allowed else "must not differ")
        yield f"| {' | '.join(map(escape, cells))} |"


def _say(finding: Finding) -> tuple[str, ...]:
    """What came of a rule, a line each; there is at least one."""
    complaints = finding.complaints
    if finding.outcome == "untried":
        return (_UNTRIED,)
    if finding.outcome == "waived":
        return (_UNATTESTED,)
    more = len(complaints) - _MOST_COMPLAINTS
    if more > 0:
        return (*complaints[:_MOST_COMPLAINTS], f"… and {more} more")
    return complaints or (finding.rule.statement,)


def _show(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
