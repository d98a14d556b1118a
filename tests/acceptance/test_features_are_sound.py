"""The features and their steps fit together: nothing is untagged, unused or ambiguous."""

from __future__ import annotations

import importlib
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pytest
from _pytest.fixtures import FixtureFunctionDefinition
from pytest_bdd.feature import get_features
from pytest_bdd.parser import Scenario, ScenarioTemplate
from pytest_bdd.steps import StepFunctionContext, step_function_context_registry

from aigateway.acceptance.profiles import CLIENT_PROFILES, SLOW
from aigateway.acceptance.results import list_requirements
from aigateway.acceptance.tags import ANOTHER_GATEWAY

ROOT = Path(__file__).parents[2]
FEATURES = get_features([str(ROOT / "features")], encoding="utf-8")
TEMPLATES = [template for feature in FEATURES for template in feature.scenarios.values()]
REQUIREMENTS = {
    f"{prefix}{n}"
    for prefix, count in (("FR", 6), ("NFR", 4), ("AC", 4), ("G", 6))
    for n in range(1, count + 1)
}


@dataclass(frozen=True)
class Pattern:
    """One pattern of one step definition."""

    module: str
    context: StepFunctionContext

    def fits(self, kind: str, text: str) -> bool:
        return self.context.type in (None, kind) and self.context.parser.is_matching(text)

    def __str__(self) -> str:
        return f"{self.module}: {self.context.type} {self.context.parser.name}"


def list_step_modules() -> Iterator[ModuleType]:
    for path in sorted((ROOT / "steps").glob("*.py")):
        if path.stem != "__init__":
            yield importlib.import_module(f"steps.{path.stem}")


def list_patterns() -> list[Pattern]:
    found = []
    for module in list_step_modules():
        for value in vars(module).values():
            if isinstance(value, FixtureFunctionDefinition):
                context = step_function_context_registry.get(value._get_wrapped_function())
                if context:
                    found.append(Pattern(module.__name__, context))
    return found


PATTERNS = list_patterns()


def tags_of(template: ScenarioTemplate) -> set[str]:
    rule = getattr(template, "rule", None)
    return template.tags | template.feature.tags | (rule.tags if rule else set())


def list_steps() -> Iterator[tuple[str, str, str]]:
    """Scenario, kind and text of every step, with the values of every example."""
    for template in TEMPLATES:
        contexts = [context for examples in template.examples for context in examples.as_contexts()] or [{}]
        for context in contexts:
            rendered: Scenario = template.render(context)
            for step in rendered.steps:
                yield template.name, step.type, step.name


def test_there_are_features_and_steps() -> None:
    assert len(TEMPLATES) > 20
    assert len(PATTERNS) > 40


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda template: template.name)
def test_a_scenario_says_what_it_proves_and_where_it_runs(template: ScenarioTemplate) -> None:
    tags = tags_of(template)
    assert list_requirements(tags), "no requirement"
    assert set(list_requirements(tags)) <= REQUIREMENTS, "a requirement that the PRD does not have"
    assert tags & {"local", "deployed"}, "nowhere to run"
    known = REQUIREMENTS | {"local", "deployed", "costs-tokens", SLOW, ANOTHER_GATEWAY, *CLIENT_PROFILES}
    assert tags <= known, "an unknown tag"


def test_the_requirements_are_those_of_the_prd() -> None:
    """It numbers its goals and acceptance criteria within their sections, and names the others."""
    prd = (ROOT / "docs/prd.md").read_text()
    named = set(re.findall(r"^(N?FR\d+) ", prd, re.MULTILINE))
    for prefix, title in (("G", "Goals"), ("AC", "Acceptance criteria")):
        section = re.split(rf"^\d+\) {title}$", prd, flags=re.MULTILINE)[1]
        section = re.split(r"^\d+\) ", section, flags=re.MULTILINE)[0]
        named |= {f"{prefix}{number}" for number in re.findall(r"^ +(\d+)\. ", section, re.MULTILINE)}
    assert named == REQUIREMENTS


def test_every_step_has_exactly_one_definition() -> None:
    for scenario, kind, text in list_steps():
        fitting = [str(pattern) for pattern in PATTERNS if pattern.fits(kind, text)]
        assert len(fitting) == 1, f"{scenario}: {kind} {text}: {fitting or 'no step'}"


def test_every_definition_is_used() -> None:
    steps = list(list_steps())
    unused = [str(p) for p in PATTERNS if not any(p.fits(kind, text) for _, kind, text in steps)]
    assert unused == []


def test_scenarios_have_names_of_their_own() -> None:
    seen: defaultdict[str, list[str]] = defaultdict(list)
    for template in TEMPLATES:
        seen[re.sub(r"\W", "_", template.name)].append(template.feature.name)
    assert {name: where for name, where in seen.items() if len(where) > 1} == {}


def test_every_module_of_steps_is_bound() -> None:
    conftest = (ROOT / "features/conftest.py").read_text()
    for module in list_step_modules():
        assert f'"{module.__name__}"' in conftest
