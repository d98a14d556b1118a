"""Each resource has the name that the settings give it (aigateway.names)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from aigateway_policy import Policy, UnresolvedError, is_literal, read_scanned, read_value

_TYPES = tuple(read_scanned()["names"])


class ResourceNames(Policy):
    """Looks at `name`."""

    def find_problems(self, conf: dict[str, list[Any]]) -> Iterator[str]:
        name, wanted = read_value(conf, "name"), read_scanned()["names"][self.entity_type]
        if name == wanted:
            return
        if not self.in_plan and not is_literal(name, r"[A-Za-z0-9()_-]+"):
            raise UnresolvedError
        yield f"name is {name}; must be {wanted}, as the convention says: use var.names"


check = ResourceNames("AIGATEWAY_RESOURCE_NAMES", "Resources are named by the convention", _TYPES)
