"""The scenarios as they are written, read without running them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pytest_bdd.exceptions import FeatureError
from pytest_bdd.feature import get_features
from pytest_bdd.parser import ScenarioTemplate

from aigateway.acceptance.profiles import CLIENT_PROFILES, SLOW
from aigateway.acceptance.results import list_requirements
from aigateway.errors import AigatewayError


@dataclass(frozen=True, order=True)
class ScenarioKey:
    """One scenario, or one row of an outline: the name as it is written, and the row's cells."""

    scenario: str
    example: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.scenario} [{' | '.join(self.example)}]" if self.example else self.scenario


@dataclass(frozen=True)
class WrittenScenario:
    """A scenario of a feature; `path` is the feature's file, `tags` are its own, its rule's and its feature's."""

    key: ScenarioKey
    feature: str
    path: Path
    tags: frozenset[str]

    @property
    def requirements(self) -> tuple[str, ...]:
        """The requirements of the PRD that it proves."""
        return list_requirements(self.tags)

    @property
    def profiles(self) -> tuple[str, ...]:
        """The clients whose behaviour it is about."""
        return tuple(sorted(self.tags & set(CLIENT_PROFILES)))

    @property
    def slow(self) -> bool:
        """Whether the core profile leaves it out."""
        return SLOW in self.tags


def list_scenarios(root: Path) -> tuple[WrittenScenario, ...]:
    """Every scenario, each row of an outline by itself, in the order of the files.

    Raises AigatewayError where a feature cannot be read.
    """
    try:
        features = get_features([str(root / "features")], encoding="utf-8")
    except FeatureError as error:
        raise AigatewayError(f"a feature cannot be read: {error}") from error
    return tuple(
        written
        for feature in sorted(features, key=lambda feature: feature.filename)
        for template in feature.scenarios.values()
        for written in _read(template, feature.name or "", Path(feature.filename))
    )


def hash_features(root: Path) -> str:
    """A text that changes with any feature, and with the place of none."""
    digest = hashlib.sha256()
    for path in sorted((root / "features").rglob("*.feature")):
        digest.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def _read(template: ScenarioTemplate, feature: str, path: Path) -> Iterator[WrittenScenario]:
    rule = getattr(template, "rule", None)
    tags = frozenset(template.tags | template.feature.tags | (rule.tags if rule else set()))
    rows = [tuple(row.values()) for examples in template.examples for row in examples.as_contexts()]
    for row in rows or [()]:
        yield WrittenScenario(ScenarioKey(template.name, tuple(map(str, row))), feature, path, tags)
