"""How reports say things."""

from __future__ import annotations

import datetime

from aigateway.acceptance.findings import Findings
from aigateway.acceptance.records import Exchange, Injection
from aigateway.acceptance.results import RunResult, ScenarioResult

#: What becomes of a scenario, in the order of what has to be seen first.
OUTCOMES = {
    "failed": "failed",
    "error": "harness error",
    "flaky": "flaky",
    "skipped": "skipped",
    "passed": "passed",
}


def find_outcome(scenario: ScenarioResult) -> str:
    """A key of OUTCOMES: the verdict, or that it passed only when it was tried again."""
    return "flaky" if scenario.flaky else scenario.verdict


def say_headline(findings: Findings) -> str:
    """The verdict in a few words."""
    result = findings.result
    if findings.aborted:
        return "Not finished"
    if result.conformant:
        return "Conformant"
    if result.selection and not _has_failures(result):
        return "Only a part was tried"
    return "Not conformant"


def _has_failures(result: RunResult) -> bool:
    return bool(result.counts["failed"] or result.counts["error"])


def say_sentence(findings: Findings) -> str:
    """What the run came to, in a sentence."""
    result = findings.result
    core = [scenario for scenario in result.scenarios if scenario.core]
    passed = sum(scenario.verdict == "passed" for scenario in core)
    others = len(result.scenarios) - len(core)
    beside = f", and {others} that are no part of it ran or were skipped" if others else ""
    took = say_seconds(result.seconds)
    return f"{passed:,} of the {len(core):,} scenarios that promotion needs passed{beside}, in {took}."


def say_seconds(seconds: float | None) -> str:
    """A duration, as exactly as anybody wants to know it."""
    if seconds is None:
        return "–"
    if seconds < 0.001:
        return "under 1 ms"
    if seconds < 0.0995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if rest else f"{minutes} min"


def say_bytes(size: int) -> str:
    """A size."""
    if size < 1000:
        return f"{size} bytes"
    return f"{size / 1000:.1f} kB" if size < 1_000_000 else f"{size / 1_000_000:.1f} MB"


def say_date(iso: str) -> str:
    """When the run began, for people."""
    moment = datetime.datetime.fromisoformat(iso)
    return f"{moment.day} {moment:%B %Y, %H:%M} UTC"


def say_fault(injection: Injection) -> str:
    """A fault and what is special about it."""
    special = (f"{name.replace('_', ' ')} {value}" for name, value in injection.parameters.items())
    return ", ".join((injection.fault.replace("_", " "), *special))


def say_end(exchange: Exchange) -> str:
    """How an exchange ended, where it did not end as usual."""
    return {"whole": "", "left": "not read to its end", "broken": "broke off", "none": "no answer"}[
        exchange.end
    ]
