"""What the two do otherwise: a pure function of what their runs left."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from aigateway.acceptance.results import RunResult, ScenarioResult
from aigateway.launching.app_routes import AppRoute
from aigateway.proving.results import ProofResult, SabotageResult
from aigateway.upgrading.results import (
    PackageChange,
    RouteChanges,
    SabotageChange,
    ScenarioChange,
    Slowed,
)

# What differs from run to run anyhow: ids and markers, ports, times. A status of three digits is no chance.
_CHANCE = re.compile(r"\b(?=[\w-]*\d)[\w-]{8,}\b|\b\d{4,}\b|\b\d+\.\d+\b|\b\d+(?= m?s\b)")
_MOST_REASON = 400
_MOST_SLOWED = 5
_SLOWER_BY_SECONDS = 1.0
_SLOWER_BY = 1.5


def compare_scenarios(present: RunResult, candidate: RunResult) -> Iterator[ScenarioChange]:
    """Each that did not end alike, and each that did not pass for a reason that it had not before."""
    ours, theirs = _index(present), _index(candidate)
    for key in dict.fromkeys((*ours, *theirs)):
        one, other = ours.get(key), theirs.get(key)
        known = other or one
        if known and not _ended_alike(one, other):
            yield ScenarioChange(
                feature=known.feature,
                name=known.name,
                core=known.core,
                present=one.verdict if one else "not run",
                candidate=other.verdict if other else "not run",
                present_reason=_explain(one),
                candidate_reason=_explain(other),
            )


def compare_sabotages(present: ProofResult, candidate: ProofResult) -> Iterator[SabotageChange]:
    """Each that was noticed with one of the two only."""
    before: Mapping[str, SabotageResult] = {one.sabotage: one for one in present.sabotages}
    for other in candidate.sabotages:
        one = before.get(other.sabotage)
        if one and one.killed != other.killed:
            yield SabotageChange(
                sabotage=other.sabotage,
                present=one.killed,
                candidate=other.killed,
                candidate_problem=(other.problem or "; ".join(other.unnoticed_by))[:_MOST_REASON],
            )


def find_slowed(present: RunResult, candidate: RunResult) -> tuple[Slowed, ...]:
    """Those that passed with both and took much longer with the candidate, the worst first."""
    before = _index(present)
    found = [
        Slowed(feature=other.feature, name=other.name, present=one.seconds, candidate=other.seconds)
        for key, other in _index(candidate).items()
        if (one := before.get(key))
        and one.verdict == other.verdict == "passed"
        and other.seconds > max(one.seconds + _SLOWER_BY_SECONDS, one.seconds * _SLOWER_BY)
    ]
    return tuple(sorted(found, key=lambda one: one.present - one.candidate)[:_MOST_SLOWED])


def compare_packages(present: Mapping[str, str], candidate: Mapping[str, str]) -> Iterator[PackageChange]:
    """Each package whose version is not the same; both by name."""
    for name in sorted({*present, *candidate}):
        one, other = present.get(name, ""), candidate.get(name, "")
        if one != other:
            yield PackageChange(package=name, present=one, candidate=other)


def compare_routes(present: Iterable[AppRoute], candidate: Iterable[AppRoute]) -> RouteChanges:
    """The routes that only one of the two has."""
    ours, theirs = set(present), set(candidate)
    return RouteChanges(
        present=len(ours),
        candidate=len(theirs),
        added=tuple(sorted(theirs - ours)),
        removed=tuple(sorted(ours - theirs)),
    )


def _index(result: RunResult) -> Mapping[tuple[str, ...], ScenarioResult]:
    return {(one.feature, one.scenario, *one.example): one for one in result.scenarios}


def _ended_alike(one: ScenarioResult | None, other: ScenarioResult | None) -> bool:
    if one is None or other is None:
        return False
    return one.verdict == other.verdict and _without_chance(one) == _without_chance(other)


def _without_chance(scenario: ScenarioResult) -> str:
    """Why it did not pass, and where, without what chance has put there."""
    return _CHANCE.sub("#", f"{scenario.step}\n{_explain(scenario)}")


def _explain(scenario: ScenarioResult | None) -> str:
    """The first line of why it did not pass; nothing where it did, even if not at once."""
    if scenario is None or scenario.verdict == "passed":
        return ""
    return scenario.reason.partition("\n")[0][:_MOST_REASON]
