"""The page: everything that a run found, in one file that needs nothing else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from jinja2 import Template

from aigateway.acceptance.features import ScenarioKey
from aigateway.acceptance.findings import Findings
from aigateway.acceptance.requirements import REQUIREMENTS, Requirement
from aigateway.reporting import wording
from aigateway.reporting.page_parts import Inline, load_template, read_text
from aigateway.reporting.stories import Story, bind_chapters, show_body, tell_stories
from aigateway.reporting.timeline import draw_timeline

#: What did not go as it should, the worst first.
_TROUBLE = ("failed", "error", "flaky")


@dataclass(frozen=True)
class Proof:
    """A requirement and the scenarios of this run that prove it."""

    requirement: Requirement
    stories: tuple[Story, ...]

    @property
    def passed(self) -> int:
        """How many of them did."""
        return sum(story.result.verdict == "passed" for story in self.stories)

    @property
    def outcome(self) -> str:
        """The worst that became of them; `open` when there are none."""
        found = {story.outcome for story in self.stories}
        return next((outcome for outcome in wording.OUTCOMES if outcome in found), "open")


def render_page(findings: Findings, sabotages: Mapping[ScenarioKey, tuple[str, ...]] = {}) -> str:
    """The page as HTML; `sabotages` are titles, by the scenario that they turn red."""
    stories = tell_stories(findings, sabotages)
    exchanges = sum(len(record.exchanges) + record.more_exchanges for record in findings.records.values())
    faults = sum(len(record.injections) + record.more_injections for record in findings.records.values())
    return _load_template().render(
        findings=findings,
        result=findings.result,
        headline=wording.say_headline(findings),
        sentence=wording.say_sentence(findings),
        outcomes=_count_outcomes(stories),
        names=wording.OUTCOMES,
        exchanges=exchanges,
        faults=faults,
        trouble=sorted(
            (story for story in stories if story.outcome in _TROUBLE),
            key=lambda story: _TROUBLE.index(story.outcome),
        ),
        proofs=_match_requirements(stories),
        timeline=draw_timeline(stories),
        chapters=bind_chapters(stories),
        requirements=_list_used(name for story in stories for name in story.result.requirements),
        profiles=sorted({name for story in stories for name in story.result.profiles}),
        style=_read_inline("page.css"),
        script=_read_inline("page.js"),
    )


@cache
def _load_template() -> Template:
    return load_template(
        "aigateway.reporting",
        {
            "seconds": wording.say_seconds,
            "bytes": wording.say_bytes,
            "date": wording.say_date,
            "fault": wording.say_fault,
            "end": wording.say_end,
            "body": show_body,
        },
    )


def _read_inline(name: str) -> Inline:
    return Inline.of(read_text("aigateway.reporting", name))


def _count_outcomes(stories: Iterable[Story]) -> dict[str, int]:
    counts = Counter(story.outcome for story in stories)
    return {outcome: counts[outcome] for outcome in ("passed", "failed", "error", "skipped", "flaky")}


def _match_requirements(stories: Sequence[Story]) -> tuple[Proof, ...]:
    return tuple(
        Proof(requirement, tuple(story for story in stories if requirement.id in story.result.requirements))
        for requirement in REQUIREMENTS
    )


def _list_used(names: Iterable[str]) -> list[str]:
    """The requirements that any scenario proves, in the order of the PRD."""
    used = set(names)
    return [requirement.id for requirement in REQUIREMENTS if requirement.id in used]
