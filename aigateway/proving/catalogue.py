"""The sabotages: ways to break the gateway, and the scenarios that have to notice.

They stand beside the features, in `features/NAME.sabotage.yaml`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from aigateway.acceptance.features import ScenarioKey, WrittenScenario
from aigateway.errors import AigatewayError
from aigateway.launching.edits import Edit
from aigateway.settings.document import DocumentError, read_document
from aigateway.settings.problems import suggest, write_key
from aigateway.simulator.defects import DEFECTS

SUFFIX = ".sabotage.yaml"


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _Examples(_Frozen):
    """Some rows of an outline, the cells of each joined by ` | `."""

    scenario: str
    examples: tuple[str, ...] = Field(min_length=1)


class _Entry(_Frozen):
    sabotage: str = Field(min_length=1)
    how: str = Field(min_length=1)
    edits: tuple[Edit, ...] = ()
    azure: str | None = None
    turns_red: tuple[str | _Examples, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _breaks_something(self) -> _Entry:
        if not self.edits and self.azure is None:
            raise ValueError("changes nothing; give `edits`, `azure` or both")
        if self.azure is not None and self.azure not in DEFECTS:
            raise ValueError(
                f"there is no defect {self.azure!r} of the simulated Azure{suggest(self.azure, DEFECTS)}"
            )
        return self


_ENTRIES: TypeAdapter[tuple[_Entry, ...]] = TypeAdapter(tuple[_Entry, ...])


@dataclass(frozen=True)
class Sabotage:
    """One way to break the gateway: `edits` of what it runs, a `defect` of the simulated Azure, or both.

    `how` says how it could come about; `turns_red` are the scenarios that have to notice.
    """

    title: str
    how: str
    edits: tuple[Edit, ...]
    defect: str | None
    turns_red: tuple[ScenarioKey, ...]

    @property
    def changes_litellm(self) -> bool:
        """Whether it takes a LiteLLM of its own, which starts slowly."""
        return any(edit.file.startswith("litellm") for edit in self.edits)


def load_sabotages(root: Path, scenarios: Sequence[WrittenScenario]) -> tuple[Sabotage, ...]:
    """Every sabotage of the checkout at `root`.

    Raises AigatewayError, with file and line, for what cannot be read or names a scenario that there is not.
    """
    found: dict[str, Sabotage] = {}
    known = _index(scenarios)
    for path in sorted((root / "features").rglob(f"*{SUFFIX}")):
        name = path.relative_to(root).as_posix()
        for line, entry in _read(path, name):
            where = f"{name}:{line}"
            if entry.sabotage in found:
                raise AigatewayError(f"{where}: another sabotage is called {entry.sabotage!r} too")
            keys = tuple(_resolve(entry.turns_red, known, where))
            found[entry.sabotage] = Sabotage(entry.sabotage, entry.how, entry.edits, entry.azure, keys)
    return tuple(found.values())


def _read(path: Path, where: str) -> Iterator[tuple[int, _Entry]]:
    try:
        document = read_document(path.read_text(encoding="utf-8"))
    except DocumentError as error:
        raise AigatewayError(f"{where}:{error.line or 1}: {error}") from error
    try:
        entries = _ENTRIES.validate_python(document.data, strict=False)
    except ValidationError as error:
        first = error.errors()[0]
        key = tuple(part for part in first["loc"] if not _is_branch(part))
        raise AigatewayError(
            f"{where}:{document.find_line(key)}: {write_key(key)}: {first['msg'].removeprefix('Value error, ')}"
        ) from error
    for number, entry in enumerate(entries):
        yield document.find_line((number,)), entry


def _is_branch(part: Any) -> bool:
    """Whether pydantic put this into an error's place to say which member of a union it tried."""
    return isinstance(part, str) and part in {"str", _Examples.__name__}


def _index(scenarios: Iterable[WrittenScenario]) -> dict[str, list[ScenarioKey]]:
    known: dict[str, list[ScenarioKey]] = {}
    for scenario in scenarios:
        known.setdefault(scenario.key.scenario, []).append(scenario.key)
    return known


def _resolve(
    named: Iterable[str | _Examples], known: dict[str, list[ScenarioKey]], where: str
) -> Iterator[ScenarioKey]:
    for item in named:
        name = item if isinstance(item, str) else item.scenario
        if name not in known:
            raise AigatewayError(f"{where}: there is no scenario {name!r}{suggest(name, known)}")
        if isinstance(item, str):
            yield from known[name]
            continue
        rows = {" | ".join(key.example): key for key in known[name]}
        for example in item.examples:
            if example not in rows:
                raise AigatewayError(f"{where}: {name!r} has no example {example!r}{suggest(example, rows)}")
            yield rows[example]


def index_by_scenario(sabotages: Iterable[Sabotage]) -> dict[ScenarioKey, tuple[str, ...]]:
    """The titles of the sabotages that turn each scenario red."""
    titles: dict[ScenarioKey, list[str]] = {}
    for sabotage in sabotages:
        for key in sabotage.turns_red:
            titles.setdefault(key, []).append(sabotage.title)
    return {key: tuple(found) for key, found in titles.items()}


def find_unproven(
    scenarios: Iterable[WrittenScenario], sabotages: Iterable[Sabotage]
) -> tuple[WrittenScenario, ...]:
    """The scenarios that no sabotage turns red."""
    proven = {key for sabotage in sabotages for key in sabotage.turns_red}
    return tuple(scenario for scenario in scenarios if scenario.key not in proven)
