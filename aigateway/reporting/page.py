"""The page: everything that a run found, in one file that needs nothing else."""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Self

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

from aigateway.acceptance.features import ScenarioKey
from aigateway.acceptance.findings import Findings
from aigateway.acceptance.requirements import REQUIREMENTS, Requirement
from aigateway.reporting import wording
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


@dataclass(frozen=True)
class Inline:
    """A style or script that stands in the page, and the hash by which the page's policy lets it in."""

    text: Markup
    hash: str

    @classmethod
    def of(cls, text: str) -> Self:
        """`text`, which is ours and goes into the page as it is."""
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        return cls(Markup(text), f"sha256-{digest}")  # noqa: S704 - it is ours


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
    environment = Environment(
        loader=PackageLoader("aigateway.reporting", "."),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    environment.filters |= {
        "seconds": wording.say_seconds,
        "bytes": wording.say_bytes,
        "date": wording.say_date,
        "fault": wording.say_fault,
        "end": wording.say_end,
        "body": show_body,
    }
    return environment.get_template("page.html.j2")


def _read_inline(name: str) -> Inline:
    return Inline.of(files("aigateway.reporting").joinpath(name).read_text(encoding="utf-8"))


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
