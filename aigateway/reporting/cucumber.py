"""Cucumber's JSON, as other programs that show test results read it.

The fields are those of https://github.com/cucumber/cucumber-json-schema, of which every implementation writes a part.
pytest-bdd's own `--cucumberjson` writes nothing of what ran in a worker, and secrets as they are.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import groupby
from typing import Literal

from pydantic import BaseModel, ConfigDict, TypeAdapter

from aigateway.acceptance.findings import Findings
from aigateway.acceptance.records import Origin, Record, Step
from aigateway.acceptance.results import ScenarioResult

_NANOSECONDS = 1_000_000_000

Status = Literal["passed", "failed", "skipped", "undefined", "pending"]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Tag(_Frozen):
    """A tag, with its @."""

    name: str


class Row(_Frozen):
    """A row of a step's table."""

    cells: tuple[str, ...]


class DocString(_Frozen):
    """A text that belongs to a step."""

    line: int
    value: str


class Result(_Frozen):
    """How a step ended; `duration` is in nanoseconds."""

    status: Status
    duration: int = 0
    error_message: str | None = None


class StepElement(_Frozen):
    """A step; its keyword ends with a space, as Cucumber's do."""

    keyword: str
    name: str
    line: int
    result: Result
    rows: tuple[Row, ...] | None = None
    doc_string: DocString | None = None


class Hook(_Frozen):
    """What was done before or after the steps, and failed."""

    result: Result


class Element(_Frozen):
    """A scenario, or one example of an outline."""

    type: Literal["scenario"] = "scenario"
    id: str
    keyword: str
    name: str
    description: str
    line: int
    tags: tuple[Tag, ...]
    steps: tuple[StepElement, ...]
    after: tuple[Hook, ...] | None = None


class FeatureElement(_Frozen):
    """A feature."""

    uri: str
    id: str
    keyword: str = "Feature"
    name: str
    description: str
    line: int
    elements: tuple[Element, ...]


_FEATURES: TypeAdapter[tuple[FeatureElement, ...]] = TypeAdapter(tuple[FeatureElement, ...])


def render_cucumber(findings: Findings) -> str:
    """The features that were run, as JSON."""
    told = [
        (one, findings.records[one.id]) for one in findings.result.scenarios if one.id in findings.records
    ]
    by_file = groupby(sorted(told, key=lambda pair: pair[1].origin.uri), key=lambda pair: pair[1].origin.uri)
    features = tuple(_describe_feature(list(group)) for _, group in by_file)
    return _FEATURES.dump_json(features, indent=2, exclude_none=True).decode() + "\n"


def _describe_feature(scenarios: Sequence[tuple[ScenarioResult, Record]]) -> FeatureElement:
    origin = scenarios[0][1].origin
    return FeatureElement(
        uri=origin.uri,
        id=_identify(origin.feature),
        name=origin.feature,
        description=origin.feature_description,
        line=origin.feature_line,
        elements=tuple(
            _describe_scenario(number, result, record)
            for number, (result, record) in enumerate(scenarios, start=1)
        ),
    )


def _describe_scenario(number: int, result: ScenarioResult, record: Record) -> Element:
    origin = record.origin
    failing = result.verdict in {"failed", "error"}
    steps = tuple(_describe_step(step, result) for step in record.steps)
    shown = any(step.result.status == "failed" for step in steps)
    # What failed in a fixture failed in no step.
    hook = Hook(result=Result(status="failed", error_message=result.reason))
    return Element(
        id=f"{_identify(origin.feature)};{_identify(result.name)};{number}",
        keyword=origin.keyword,
        name=result.name,
        description=origin.description,
        line=origin.line,
        tags=_list_tags(origin),
        steps=steps,
        after=(hook,) if failing and not shown else None,
    )


def _describe_step(step: Step, result: ScenarioResult) -> StepElement:
    return StepElement(
        keyword=f"{step.keyword} ",
        name=step.text,
        line=step.line,
        result=Result(
            status=step.verdict,
            duration=round(step.seconds * _NANOSECONDS),
            error_message=result.reason if step.verdict == "failed" else None,
        ),
        rows=tuple(Row(cells=row) for row in step.table) or None,
        doc_string=DocString(line=step.line + 1, value=step.docstring) if step.docstring else None,
    )


def _list_tags(origin: Origin) -> tuple[Tag, ...]:
    return tuple(Tag(name=f"@{tag}") for tag in origin.tags)


def _identify(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
