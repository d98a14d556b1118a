"""pytest's and pytest-bdd's hooks that tell the recorder what a scenario does, and how its record reaches the report.

It is a plugin of aigateway.acceptance.plugin's.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from pytest_bdd.parser import ScenarioTemplate
from pytest_bdd.parser import Step as WrittenStep

from aigateway.acceptance.recording import RECORDER
from aigateway.acceptance.records import Origin, Record, Step

_RECORD_PROPERTY = "aigateway_record"


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """A scenario begins, or is tried once more."""
    RECORDER.begin()


def pytest_bdd_before_step() -> None:
    """A step begins."""
    RECORDER.begin_step()


def pytest_bdd_after_step() -> None:
    """A step has done what it should."""
    RECORDER.end_step(failed=False)


def pytest_bdd_step_error() -> None:
    """A step has not."""
    RECORDER.end_step(failed=True)


def pytest_bdd_step_func_lookup_error() -> None:
    """Nobody has written what the step should do."""
    RECORDER.begin_step()
    RECORDER.end_step(failed=True)


def attach_record(
    report: pytest.TestReport, item: pytest.Item, scenario: ScenarioTemplate, example: Mapping[str, Any]
) -> None:
    """Give a scenario's report the record of what it did, secrets and all, in a form that travels from a worker."""
    steps = tuple(_describe_step(step) for step in scenario.render(example).steps)
    record = RECORDER.write(_describe_origin(scenario, item.config.rootpath), steps)
    setattr(report, _RECORD_PROPERTY, record.model_dump_json())


def read_record(report: pytest.TestReport) -> Record | None:
    """The record that `report` carries, if it does."""
    text = getattr(report, _RECORD_PROPERTY, None)
    return Record.model_validate_json(text) if text else None


def _describe_step(step: WrittenStep) -> Step:
    rows = step.datatable.raw() if step.datatable else ()
    return Step(
        keyword=step.keyword.strip(),
        text=step.name,
        line=step.line_number,
        table=tuple(tuple(map(str, row)) for row in rows),
        docstring=step.docstring or "",
    )


def _describe_origin(scenario: ScenarioTemplate, root: Path) -> Origin:
    feature = scenario.feature
    rule_tags = scenario.rule.tags if scenario.rule else set()
    return Origin(
        uri=Path(os.path.relpath(feature.filename, root)).as_posix(),
        feature=feature.name,
        feature_line=feature.line_number,
        feature_description=feature.description or "",
        keyword=scenario.keyword,
        line=scenario.line_number,
        description=scenario.description or "",
        tags=tuple(sorted(feature.tags | rule_tags | scenario.tags)),
    )
