"""Cucumber's JSON: the fields that other programs read. That there are no others is seen to by its types."""

from __future__ import annotations

import json
from typing import Any

import pytest
from made_up import HOSTILE, make_findings

from aigateway.reporting.cucumber import render_cucumber

Json = dict[str, Any]


@pytest.fixture(scope="module")
def features() -> list[Json]:
    found: list[Json] = json.loads(render_cucumber(make_findings()))
    return found


def find(features: list[Json], name: str) -> Json:
    (element,) = (one for feature in features for one in feature["elements"] if one["name"] == name)
    return element


def test_features_and_scenarios_have_what_programs_need(features: list[Json]) -> None:
    for feature in features:
        assert feature.keys() >= {"uri", "id", "keyword", "name", "description", "line", "elements"}
        for element in feature["elements"]:
            assert element.keys() >= {"type", "id", "keyword", "name", "description", "line", "tags", "steps"}
            assert element["type"] == "scenario"
            assert element["tags"] == [{"name": "@FR1"}, {"name": "@local"}]
    assert features[0]["uri"] == "features/answers.feature"


def test_ids_are_different(features: list[Json]) -> None:
    ids = [element["id"] for feature in features for element in feature["elements"]]
    assert len(set(ids)) == len(ids) == 6


def test_a_step_has_its_status_and_its_nanoseconds(features: list[Json]) -> None:
    steps = find(features, "An answer")["steps"]
    assert [step["result"]["status"] for step in steps] == ["passed", "passed", "passed", "skipped"]
    assert steps[1]["result"]["duration"] == 300_000_000
    assert steps[1]["keyword"] == "When "
    assert steps[1]["rows"] == [{"cells": ["a", HOSTILE]}, {"cells": ["b", "2"]}]
    assert steps[1]["doc_string"] == {"line": 6, "value": HOSTILE}


def test_a_failed_step_says_why(features: list[Json]) -> None:
    element = find(features, HOSTILE)
    failed = [step for step in element["steps"] if step["result"]["status"] == "failed"]
    assert [step["result"]["error_message"] for step in failed] == [f"AssertionError: {HOSTILE}"]
    assert "after" not in element


def test_what_failed_in_no_step_fails_the_scenario_nevertheless() -> None:
    findings = make_findings()
    broken = next(one for one in findings.result.scenarios if one.verdict == "error")
    record = findings.records[broken.id]
    whole = tuple(step.model_copy(update={"verdict": "passed"}) for step in record.steps)
    records = {**findings.records, broken.id: record.model_copy(update={"steps": whole})}
    features = json.loads(render_cucumber(type(findings)(findings.folder, findings.result, records)))
    element = find(features, broken.name)
    assert [hook["result"]["status"] for hook in element["after"]] == ["failed"]


def test_a_skipped_scenario_has_skipped_steps(features: list[Json]) -> None:
    element = find(features, "No Azure here")
    assert {step["result"]["status"] for step in element["steps"]} == {"skipped"}


def test_a_run_of_nothing_is_an_empty_list() -> None:
    findings = make_findings()
    assert json.loads(render_cucumber(type(findings)(findings.folder, findings.result))) == []
