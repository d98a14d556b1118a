"""The summary in Markdown, for the page of a CI job."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from aigateway.acceptance.findings import Findings
from aigateway.acceptance.requirements import REQUIREMENTS
from aigateway.acceptance.results import ScenarioResult
from aigateway.reporting.markdown import escape
from aigateway.reporting.wording import find_outcome, say_date, say_headline, say_seconds, say_sentence

# A job's page takes 1 MiB in all.
_MOST_FAILURES = 20
_MOST_REASON = 600
_SLOWEST = 5

_COLUMNS = ("passed", "failed", "error", "skipped", "flaky")


def render_summary(findings: Findings) -> str:
    """The page."""
    scenarios = findings.result.scenarios
    sections = (
        _render_head(findings),
        _render_failures(findings),
        _render_requirements(scenarios),
        _render_flaky(scenarios),
        _render_slowest(scenarios),
    )
    return "\n".join(line for section in sections for line in section)


def _render_head(findings: Findings) -> Iterator[str]:
    result = findings.result
    yield f"## {result.environment}: {say_headline(findings).lower()}"
    yield ""
    yield say_sentence(findings)
    if findings.aborted:
        yield from ("", "The run ended before its time:", "", *_quote(findings.aborted))
    chosen = f", only `{result.selection}`" if result.selection else ""
    ran = {"process": " as processes", "container": " as containers", None: ""}[result.launcher]
    yield ""
    yield f"{say_date(result.started_at)}, {result.target}{ran}, profile {result.profile}{chosen}."


def _render_failures(findings: Findings) -> Iterator[str]:
    failed = [one for one in findings.result.scenarios if one.verdict in {"failed", "error"}]
    if not failed:
        return
    yield from ("", "### What went wrong")
    for scenario in failed[:_MOST_FAILURES]:
        outcome = "Harness error: " if scenario.verdict == "error" else ""
        yield from (
            "",
            f"#### {outcome}{escape(scenario.feature)}: {escape(scenario.name)}",
            "",
        )
        if scenario.step:
            yield from (escape(scenario.step), "")
        yield from _quote(scenario.reason[:_MOST_REASON])
        yield from ("", "Again:", "", *_quote(findings.commands.get(scenario.id, ""), "sh"))
    if len(failed) > _MOST_FAILURES:
        yield from ("", f"… and {len(failed) - _MOST_FAILURES} more.")


def _render_requirements(scenarios: Iterable[ScenarioResult]) -> Iterator[str]:
    yield from ("", "### Requirements", "")
    yield "| | Requirement | Scenarios | Passed | Failed | Harness errors | Skipped | Flaky |"
    yield "|---|---|---:|---:|---:|---:|---:|---:|"
    for requirement in REQUIREMENTS:
        outcomes = [find_outcome(one) for one in scenarios if requirement.id in one.requirements]
        if outcomes:
            counts = " | ".join(str(outcomes.count(name) or "·") for name in _COLUMNS)
            yield f"| {requirement.id} | {escape(requirement.statement)} | {len(outcomes)} | {counts} |"


def _render_flaky(scenarios: Iterable[ScenarioResult]) -> Iterator[str]:
    flaky = [one for one in scenarios if one.flaky]
    if flaky:
        yield from ("", "### Flaky", "")
        for scenario in flaky:
            why = "; ".join(scenario.earlier)[:_MOST_REASON]
            yield f"- {escape(scenario.feature)}: {escape(scenario.name)}, at try {scenario.tries}: {escape(why)}"


def _render_slowest(scenarios: Iterable[ScenarioResult]) -> Iterator[str]:
    slowest = sorted(scenarios, key=lambda one: one.seconds, reverse=True)[:_SLOWEST]
    if slowest:
        yield from ("", "### Slowest", "", "| Scenario | Time |", "|---|---:|")
        for one in slowest:
            yield f"| {escape(one.feature)}: {escape(one.name)} | {say_seconds(one.seconds)} |"
    yield ""


def _quote(text: str, language: str = "text") -> Iterator[str]:
    """A block of code that nothing in `text` ends."""
    fence = "```"
    while fence in text:
        fence += "`"
    yield from (f"{fence}{language}", text, fence)
