"""What is imported is installed: by `scripts/install` alone, for whoever has none of what we develop with."""

from __future__ import annotations

import ast
import importlib.metadata
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import ROOT
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

#: Runs in Locust's own environment.
_ELSEWHERE = {ROOT / "aigateway/benchmarking/load.py"}

#: Only a command loads these modules, and it says which extra has what they import.
_EXTRAS = {"azure", "pathspec", "tree_sitter"}


def list_modules(*folders: str) -> set[Path]:
    return {path for folder in folders for path in (ROOT / folder).rglob("*.py")} - _ELSEWHERE


def find_imports(path: Path) -> set[str]:
    """What a module imports when it is imported itself: `a.b` and, for `from a import b`, `a.b` too."""
    return set(_find_imports(ast.parse(path.read_text()).body))


def _find_imports(statements: list[ast.stmt]) -> Iterator[str]:
    for statement in statements:
        if isinstance(statement, ast.Import):
            yield from (name.name for name in statement.names)
        elif isinstance(statement, ast.ImportFrom) and statement.module and not statement.level:
            yield statement.module
            yield from (f"{statement.module}.{name.name}" for name in statement.names)
        elif isinstance(statement, (ast.Try, ast.With)):
            yield from _find_imports(statement.body)


def find_packages(path: Path) -> set[str]:
    return {name.partition(".")[0] for name in find_imports(path)}


def follow(paths: set[Path]) -> set[Path]:
    """These modules and all of ours that they import."""
    found: set[Path] = set()
    waiting = set(paths)
    while waiting:
        found.add(path := waiting.pop())
        for name in find_imports(path):
            place = ROOT / name.replace(".", "/")
            waiting |= {
                one for one in (place.with_suffix(".py"), place / "__init__.py") if one.is_file()
            } - found
    return found


def close_over(names: set[str]) -> set[str]:
    """The distributions `names` and all that they require."""
    found: set[str] = set()
    waiting = set(names)
    while waiting:
        name = waiting.pop()
        found.add(name)
        try:
            requires = importlib.metadata.requires(name) or []
        except importlib.metadata.PackageNotFoundError:  # for another Python or system
            continue
        for text in requires:
            requirement = Requirement(text)
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                waiting |= {canonicalize_name(requirement.name)} - found
    return found


@pytest.fixture(scope="module")
def installed() -> set[str]:
    return close_over({"aigateway"})


@pytest.fixture(scope="module")
def others(installed: set[str]) -> set[str]:
    """The packages that are here and would not be."""
    return {
        package
        for package, distributions in importlib.metadata.packages_distributions().items()
        if not {canonicalize_name(name) for name in distributions} & installed
    }


def test_no_module_needs_more_than_is_installed(others: set[str]) -> None:
    needed = [
        f"{path.relative_to(ROOT)}: {package}"
        for path in sorted(list_modules("aigateway", "steps", "features"))
        for package in sorted(find_packages(path) & others - _EXTRAS)
    ]
    assert needed == []


def test_the_scenarios_need_no_extra() -> None:
    modules = follow(list_modules("steps", "features"))
    assert ROOT / "aigateway/launching/stack.py" in modules
    assert [path for path in sorted(modules) if find_packages(path) & _EXTRAS] == []
