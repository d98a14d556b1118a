"""The scenarios as they are written, read without running them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# Not pytest-bdd, which reads with it too: to import pytest takes half of the time that the gate has.
from gherkin.errors import CompositeParserException
from gherkin.parser import Parser

from aigateway.acceptance.profiles import CLIENT_PROFILES, SLOW
from aigateway.acceptance.results import list_requirements
from aigateway.errors import AigatewayError

#: A scenario, a rule or a feature, as Gherkin's parser gives it.
_Node = dict[str, Any]


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
    parser = Parser()
    return tuple(
        written
        for path in _list_files(root)
        for feature in [_parse(parser, path, root)]
        for scenario, tags in _find_scenarios(feature).values()
        for written in _read(scenario, tags, feature["name"], path)
    )


def hash_features(root: Path) -> str:
    """A text that changes with any feature, and with the place of none."""
    digest = hashlib.sha256()
    for path in sorted((root / "features").rglob("*.feature")):
        digest.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def _list_files(root: Path) -> list[Path]:
    """The features that pytest-bdd finds: an editor's hidden files are none."""
    folder = root.absolute() / "features"
    return sorted(
        path
        for path in folder.rglob("*.feature")
        if not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )


def _parse(parser: Parser, path: Path, root: Path) -> _Node:
    name = path.relative_to(root.absolute())
    try:
        document: _Node = dict(parser.parse(path.read_text("utf-8")))
    except CompositeParserException as error:
        first = error.errors[0]
        said = str(first).partition("): ")[2]
        raise AigatewayError(f"{name}:{first.location['line']}: is no feature: {said}") from error
    except UnicodeDecodeError as error:
        raise AigatewayError(f"{name}: is not UTF-8; save the file as UTF-8") from error
    feature: _Node | None = document.get("feature")
    if feature is None:
        raise AigatewayError(f"{name}: is empty; a feature begins with `Feature:` and its name")
    return feature


def _find_scenarios(feature: _Node) -> dict[str, tuple[_Node, frozenset[str]]]:
    """Each scenario by its name, of which pytest-bdd knows one, with its own tags, its rule's and its feature's."""
    found: dict[str, tuple[_Node, frozenset[str]]] = {}

    def collect(group: _Node, above: frozenset[str]) -> None:
        tags = above | _list_tags(group)
        for child in group["children"]:
            if "rule" in child:
                collect(child["rule"], tags)
            elif "scenario" in child:
                scenario = child["scenario"]
                found[scenario["name"]] = scenario, tags | _list_tags(scenario)

    collect(feature, frozenset())
    return found


def _list_tags(node: _Node) -> frozenset[str]:
    return frozenset(tag["name"].lstrip("@") for tag in node["tags"])


def _read(scenario: _Node, tags: frozenset[str], feature: str, path: Path) -> Iterator[WrittenScenario]:
    rows = [
        tuple(cell["value"] for cell in row["cells"])
        for examples in scenario["examples"]
        for row in examples.get("tableBody", ())
    ]
    for row in rows or [()]:
        yield WrittenScenario(ScenarioKey(scenario["name"], row), feature, path, tags)
