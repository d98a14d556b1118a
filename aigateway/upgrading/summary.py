"""The comparison in Markdown, for the page of a CI job and for the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from aigateway.launching.app_routes import AppRoute
from aigateway.reporting.markdown import escape
from aigateway.upgrading.candidate import Version
from aigateway.upgrading.results import End, ScenarioChange, Side, UpgradeResult

# A job's page takes 1 MiB in all.
_MOST_SCENARIOS = 60
_MOST_ROUTES = 40
_MOST_SIDES = 200

_MARKS: dict[End, str] = {
    "passed": "✓ passed",
    "failed": "✗ failed",
    "error": "! harness error",
    "skipped": "– skipped",
    "not run": "not run",
}


def render_summary(result: UpgradeResult) -> str:
    """The page."""
    sections = (
        _render_head(result),
        _render_scenarios(result),
        _render_sabotages(result),
        _render_slowed(result),
        _render_routes(result),
        _render_packages(result),
        _render_files(result),
    )
    return "\n".join(line for section in sections for line in section) + "\n"


def render_abort(present: Version, candidate: Version, environment: str, reason: str) -> str:
    """The page where the comparison did not come to its end."""
    head = f"## {environment}: LiteLLM {present} → {candidate}: could not be tried"
    return "\n".join((head, "", *(f"    {line}" for line in reason.splitlines()), ""))


def _render_head(result: UpgradeResult) -> Iterator[str]:
    one, other = result.present, result.candidate
    verdict = "conforms" if result.conformant else "does not conform"
    yield f"## {result.environment}: LiteLLM {one.version} → {other.version}: {verdict}"
    yield ""
    for objection in result.objections:
        yield f"- {escape(objection)}"
    yield f"- {escape(str(result.signature))}"
    chosen = f", only `{result.selection}`" if result.selection else ""
    yield f"- profile {result.profile}{chosen}, as processes, with PyPI's packages"
    yield ""
    yield f"| | {one.version} | {other.version} |"
    yield "|---|---|---|"
    yield from _render_rows(one, other)


def _render_rows(one: Side, other: Side) -> Iterator[str]:
    for name in ("passed", "failed", "error", "skipped"):
        counts = (one.counts.get(name, 0), other.counts.get(name, 0))
        if any(counts):
            yield f"| {_MARKS[name]} | {counts[0]} | {counts[1]} |"
    yield f"| time of the scenarios | {one.seconds:.0f} s | {other.seconds:.0f} s |"
    yield f"| conformant | {_say(one.conformant)} | {_say(other.conformant)} |"
    if one.proof or other.proof:
        yield f"| sabotages | {escape(one.proof)} | {escape(other.proof)} |"


def _render_scenarios(result: UpgradeResult) -> Iterator[str]:
    changes = result.scenarios
    yield from ("", "### Scenarios that ended otherwise", "")
    if not changes:
        yield "None."
        return
    yield f"| Scenario | {result.present.version} | {result.candidate.version} |"
    yield "|---|---|---|"
    # What was good and is not any more comes first.
    for one in sorted(changes, key=lambda one: one.candidate == "passed")[:_MOST_SCENARIOS]:
        yield _render_scenario(one)
    if len(changes) > _MOST_SCENARIOS:
        yield from ("", f"… and {len(changes) - _MOST_SCENARIOS} more.")


def _render_scenario(one: ScenarioChange) -> str:
    name = f"{escape(one.feature)}: {escape(one.name)}{'' if one.core else ' (no part of the core)'}"
    before = ": ".join(filter(None, (_MARKS[one.present], escape(one.present_reason[:_MOST_SIDES]))))
    after = ": ".join(filter(None, (_MARKS[one.candidate], escape(one.candidate_reason))))
    return f"| {name} | {before} | {after} |"


def _render_sabotages(result: UpgradeResult) -> Iterator[str]:
    if not result.sabotages:
        return
    yield from ("", "### Sabotages that were noticed with one of them only", "")
    yield f"| Sabotage | {result.present.version} | {result.candidate.version} | Why |"
    yield "|---|---|---|---|"
    for one in result.sabotages:
        problem = escape(one.candidate_problem)
        yield f"| {escape(one.sabotage)} | {_say(one.present)} | {_say(one.candidate)} | {problem} |"


def _render_slowed(result: UpgradeResult) -> Iterator[str]:
    if not result.slowed:
        return
    yield from ("", "### Much slower, on this machine and this once", "")
    yield f"| Scenario | {result.present.version} | {result.candidate.version} |"
    yield "|---|---:|---:|"
    for one in result.slowed:
        yield f"| {escape(one.feature)}: {escape(one.name)} | {one.present:.1f} s | {one.candidate:.1f} s |"


def _render_routes(result: UpgradeResult) -> Iterator[str]:
    routes = result.routes
    yield from ("", "### Routes of LiteLLM's app", "")
    if routes.problem:
        yield f"They could not be compared: {escape(routes.problem)}"
        return
    yield (
        f"{routes.present} → {routes.candidate}: {len(routes.added)} added, {len(routes.removed)} removed. "
        "The edge refuses all but the few that it serves."
    )
    yield from _list_routes("Added", routes.added)
    yield from _list_routes("Removed", routes.removed)


def _list_routes(title: str, routes: Sequence[AppRoute]) -> Iterator[str]:
    if routes:
        named = ", ".join(f"`{route.method} {route.path}`" for route in routes[:_MOST_ROUTES])
        more = f" and {len(routes) - _MOST_ROUTES} more" if len(routes) > _MOST_ROUTES else ""
        yield from ("", f"{title}: {named}{more}")


def _render_packages(result: UpgradeResult) -> Iterator[str]:
    yield from ("", "### Packages that change", "")
    yield from _list_or_none(
        f"{one.package} {one.present or 'none'} → {one.candidate or 'none'}" for one in result.packages
    )


def _render_files(result: UpgradeResult) -> Iterator[str]:
    told = "What was changed in the checkout" if result.written else "What has to change in the checkout"
    yield from ("", f"### {told}", "")
    yield from _list_or_none(f"`{name}`" for name in result.files)


def _list_or_none(items: Iterable[str]) -> Iterator[str]:
    yield from [f"- {item}" for item in items] or ["None."]


def _say(good: bool) -> str:
    return "yes" if good else "no"
