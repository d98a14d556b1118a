"""The real renderings, and ways to spoil a copy of one in a single place."""

from __future__ import annotations

import copy
import dataclasses
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from aigateway.rendering.renderer import ENVOY, LITELLM, TFVARS, Rendering, render_environment
from aigateway.rules import Violation, find_violations
from aigateway.settings.loading import find_root

ROOT = find_root(Path(__file__))
START = "infra/modules/aigateway_aca/start"
SHORT_NAMES = {"litellm": LITELLM, "envoy": ENVOY, "tfvars": TFVARS}

#: Short forms of the long ways into envoy.yaml.
SHORTCUTS = {
    "HCM": "static_resources/listeners/0/filter_chains/0/filters/0/typed_config",
    "AUTH": "static_resources/listeners/0/filter_chains/0/filters/0/typed_config/http_filters/0/typed_config",
    "LIMIT": "static_resources/listeners/0/filter_chains/0/filters/0/typed_config/http_filters/1/typed_config",
    "BUFFER": "static_resources/listeners/0/filter_chains/0/filters/0/typed_config/http_filters/2/typed_config",
    "BODY_NOTES": (
        "static_resources/listeners/0/filter_chains/0/filters/0/typed_config/http_filters/3/typed_config"
        "/request_transformation/headers_mutations"
    ),
    "BODY_POLICIES": (
        "static_resources/listeners/0/filter_chains/0/filters/0/typed_config/http_filters/4/typed_config"
        "/rules/policies"
    ),
    "HEADERS": (
        "static_resources/listeners/0/filter_chains/0/filters/0/typed_config/http_filters/5/typed_config/mutations"
    ),
    "HEADER_NOTES": (
        "static_resources/listeners/0/filter_chains/0/filters/0/typed_config/http_filters/6/typed_config"
    ),
    "STREAM_NOTES": (
        "static_resources/listeners/0/filter_chains/0/filters/0/typed_config/http_filters/7/typed_config"
        "/response_rules"
    ),
    "STUMBLED": (
        "static_resources/listeners/0/filter_chains/0/filters/0/typed_config/http_filters/8/typed_config"
    ),
    "ANSWERS": (
        "static_resources/listeners/0/filter_chains/0/filters/0/typed_config/http_filters/9/typed_config"
    ),
    "ROUTES": (
        "static_resources/listeners/0/filter_chains/0/filters/0/typed_config"
        "/route_config/virtual_hosts/0/routes"
    ),
    "CLUSTERS": "static_resources/clusters",
}

#: libyaml's, where PyYAML was built with it: hundreds of configs are written here.
DUMPER: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)

Mutation = Callable[[Any], None]


def find_parent(data: Any, path: str) -> tuple[Any, Any]:
    """What holds the last part of a path such as `ROUTES/@embeddings/route`, and that part as a key or an index.

    `@name` is the list's item of that name, `@name+1` the second of them.
    """
    first, _, rest = path.partition("/")
    *parents, last = "/".join(part for part in (SHORTCUTS.get(first, first), rest) if part).split("/")
    for part in parents:
        data = data[_read_part(data, part)]
    return data, _read_part(data, last)


def _read_part(data: Any, part: str) -> str | int:
    if isinstance(data, list) and part.startswith("@"):
        name, _, further = part.removeprefix("@").partition("+")
        return [index for index, item in enumerate(data) if item["name"] == name][int(further or 0)]
    return int(part) if part.lstrip("-").isdigit() else part


def find(data: Any, path: str) -> Any:
    """What stands at a path."""
    parent, last = find_parent(data, path)
    return parent[last]


def put(path: str, value: Any) -> Mutation:
    """Set a key that may be new; its parent must be there."""

    def mutate(data: Any) -> None:
        parent, last = find_parent(data, path)
        parent[last] = copy.deepcopy(value)

    return mutate


def drop(path: str) -> Mutation:
    """Take a key or an item away, which must be there."""

    def mutate(data: Any) -> None:
        parent, last = find_parent(data, path)
        del parent[last]

    return mutate


def add(path: str, value: Any, at: int | None = None) -> Mutation:
    """Put an item into a list."""

    def mutate(data: Any) -> None:
        items = find(data, path)
        items.insert(len(items) if at is None else at, copy.deepcopy(value))

    return mutate


def repeat(path: str, index: int) -> Mutation:
    """Append a copy of a list's item to it."""

    def mutate(data: Any) -> None:
        find(data, path).append(copy.deepcopy(find(data, path)[index]))

    return mutate


def swap(path: str, one: str, other: str) -> Mutation:
    """Exchange two items of a list."""

    def mutate(data: Any) -> None:
        items = find(data, path)
        first, second = _read_part(items, one), _read_part(items, other)
        items[first], items[second] = items[second], items[first]

    return mutate


def both(*mutations: Mutation) -> Mutation:
    """One after the other."""

    def mutate(data: Any) -> None:
        for each in mutations:
            each(data)

    return mutate


@dataclass(frozen=True)
class Spoiler:
    """Spoils copies of one environment's rendering."""

    rendering: Rendering
    folder: Path

    def spoil(self, name: str, mutation: Mutation) -> Rendering:
        """The rendering with the data of one of its files changed."""
        file = SHORT_NAMES[name]
        data = self.rendering.parse(file)
        mutation(data)
        return self.with_text(name, yaml.dump(data, Dumper=DUMPER, sort_keys=False))

    def with_text(self, name: str, text: str) -> Rendering:
        """The rendering with another text of one of its files."""
        return dataclasses.replace(self.rendering, texts={**self.rendering.texts, SHORT_NAMES[name]: text})

    def replace_text(self, name: str, old: str, new: str) -> Rendering:
        """The rendering with a piece of one of its files' text changed."""
        text = self.rendering.texts[SHORT_NAMES[name]]
        assert old in text, f"{name} does not hold {old!r} any more"
        return self.with_text(name, text.replace(old, new, 1))

    def edit_script(self, part: str, old: str, new: str) -> Rendering:
        """The rendering in a checkout whose start script is changed."""
        folder = self.folder / START
        if not folder.exists():
            shutil.copytree(ROOT / START, folder)
        path = folder / f"{part}.sh"
        text = path.read_text(encoding="utf-8")
        assert old in text, f"{part}.sh does not hold {old!r} any more"
        path.write_text(text.replace(old, new), encoding="utf-8")
        return dataclasses.replace(self.rendering, folder=self.folder / "infra" / "env" / "dev")


def render_dev() -> Rendering:
    """The real rendering of dev."""
    return render_environment(ROOT, "dev")


def list_found(rendering: Rendering) -> dict[str, set[str]]:
    """The keys that each rule complains about; routes by their names alone, as in `routes[models]`."""
    found: dict[str, set[str]] = {}
    for violation in find_violations(rendering):
        found.setdefault(violation.rule, set()).add(re.sub(r"^routes\[\d+:", "routes[", violation.key))
    return found


def list_violations(rendering: Rendering, rule: str) -> list[Violation]:
    """What one rule finds."""
    return [violation for violation in find_violations(rendering) if violation.rule == rule]
