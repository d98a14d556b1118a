"""What each scenario did, in the order in which it happened: its steps, and under each the faults and requests."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from aigateway.acceptance.features import ScenarioKey
from aigateway.acceptance.findings import Findings
from aigateway.acceptance.records import Excerpt, Exchange, Injection, Record, Step
from aigateway.acceptance.results import ScenarioResult
from aigateway.reporting.wording import find_outcome


@dataclass(frozen=True)
class Crowd:
    """Exchanges of which only the numbers are known."""

    count: int
    statuses: tuple[tuple[str, int], ...]
    median_seconds: float | None
    slowest_seconds: float | None


@dataclass(frozen=True)
class Scene:
    """A step and what happened in it; what happened before the first step has none."""

    step: Step | None
    injections: tuple[Injection, ...]
    exchanges: tuple[Exchange, ...]
    crowd: Crowd | None

    @property
    def empty(self) -> bool:
        """Whether there is nothing to tell."""
        return not (self.step or self.injections or self.exchanges or self.crowd)


@dataclass(frozen=True)
class Story:
    """A scenario as the page tells it; `anchor` is its place there, `sabotages` are titles of what turns it red."""

    anchor: str
    result: ScenarioResult
    outcome: str
    command: str
    record: Record | None
    scenes: tuple[Scene, ...]
    sabotages: tuple[str, ...] = ()

    @property
    def description(self) -> str:
        """What is written under the scenario's name."""
        return self.record.origin.description if self.record else ""


@dataclass(frozen=True)
class Chapter:
    """A feature."""

    name: str
    description: str
    stories: tuple[Story, ...]

    @property
    def passed(self) -> int:
        """How many of its scenarios did."""
        return sum(story.result.verdict == "passed" for story in self.stories)


def tell_stories(findings: Findings, sabotages: Mapping[ScenarioKey, tuple[str, ...]]) -> tuple[Story, ...]:
    """Every scenario, in the order of the result; `sabotages` are titles, by the scenario that they turn red."""
    return tuple(
        Story(
            anchor=f"s{number}",
            result=scenario,
            outcome=find_outcome(scenario),
            command=findings.commands.get(scenario.id, ""),
            record=findings.records.get(scenario.id),
            scenes=tuple(_split(findings.records.get(scenario.id))),
            sabotages=sabotages.get(ScenarioKey(scenario.scenario, scenario.example), ()),
        )
        for number, scenario in enumerate(findings.result.scenarios, start=1)
    )


def bind_chapters(stories: Iterable[Story]) -> tuple[Chapter, ...]:
    """The scenarios by feature."""
    groups: dict[str, list[Story]] = {}
    for story in stories:
        groups.setdefault(story.result.feature, []).append(story)
    return tuple(Chapter(name, _describe(group), tuple(group)) for name, group in groups.items())


def _describe(stories: Iterable[Story]) -> str:
    return next((story.record.origin.feature_description for story in stories if story.record), "")


def _split(record: Record | None) -> Iterator[Scene]:
    if record is None:
        return
    begun = [step for step in record.steps if step.verdict != "skipped" or step.started]
    bounds = [float("-inf"), *(step.started for step in begun), float("inf")]
    for number, (start, end) in enumerate(pairwise(bounds)):
        step = begun[number - 1] if number else None
        exchanges = [one for one in record.exchanges if start <= one.started < end]
        scene = Scene(
            step=step,
            injections=tuple(one for one in record.injections if start <= one.started < end),
            exchanges=tuple(one for one in exchanges if one.request),
            crowd=_count([one for one in exchanges if not one.request]),
        )
        if not scene.empty:
            yield scene
    yield from (Scene(step, (), (), None) for step in record.steps if step not in begun)


def _count(exchanges: Sequence[Exchange]) -> Crowd | None:
    if not exchanges:
        return None
    statuses = Counter("no answer" if one.status is None else str(one.status) for one in exchanges)
    seconds = [one.seconds for one in exchanges if one.seconds is not None]
    return Crowd(
        count=len(exchanges),
        statuses=tuple(statuses.most_common()),
        median_seconds=median(seconds) if seconds else None,
        slowest_seconds=max(seconds, default=None),
    )


def show_body(body: Excerpt) -> str:
    """A body as people read it: JSON in lines, what is missing counted."""
    if body.tail:
        missing = body.size - len(body.head.encode()) - len(body.tail.encode())
        return f"{body.head}\n\n… {max(missing, 0):,} bytes …\n\n{body.tail}"
    try:
        return json.dumps(json.loads(body.head), indent=2, ensure_ascii=False)
    except ValueError:
        return body.head
