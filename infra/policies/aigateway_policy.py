"""What a policy of ours is: it reads a resource as Terraform's source or as a plan has it, and says what is wrong.

checkov hands over every value in a list, and a block as a list of dictionaries. In source an expression that it cannot
work out is left as its text; a plan has every value but those that are known only after the apply, which are left out.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator
from typing import Any

from checkov.common.models.enums import CheckCategories, CheckResult
from checkov.terraform.checks.resource.base_resource_check import BaseResourceCheck

#: {"environment": "prod", "names": {"azurerm_key_vault": "…"}}, as `aigateway scan` knows them from the settings.
SCANNED = "AIGATEWAY_SCANNED"


class UnresolvedError(Exception):
    """Source does not say it; a plan does."""


class Policy(BaseResourceCheck):
    """One policy, on the resources of some types."""

    def __init__(self, identifier: str, title: str, types: Iterable[str]) -> None:
        super().__init__(title, identifier, (CheckCategories.GENERAL_SECURITY,), tuple(types))

    def scan_resource_conf(self, conf: dict[str, list[Any]]) -> CheckResult:
        """Passed, failed with what is wrong in `details`, or unknown where source leaves it open."""
        problems = self.find_problems(conf)
        try:
            for problem in problems:
                self.details.append(problem)
        except UnresolvedError:
            if not self.details:
                return CheckResult.UNKNOWN
        return CheckResult.FAILED if self.details else CheckResult.PASSED

    def find_problems(self, conf: dict[str, list[Any]]) -> Iterator[str]:
        """What is wrong with the resource; UnresolvedError, after all that is sure, where it cannot be known."""
        raise NotImplementedError

    @property
    def in_plan(self) -> bool:
        """Whether the resource is one of a plan."""
        return self.entity_path.split(":", 1)[0].endswith(".json")


def read_scanned() -> dict[str, Any]:
    """What is scanned; KeyError, which ends the scan, where nobody said it."""
    scanned: dict[str, Any] = json.loads(os.environ[SCANNED])
    return scanned


def read_value(block: dict[str, Any], key: str) -> Any:
    """A value out of its list; None where it is not given."""
    value = block.get(key)
    while isinstance(value, list) and len(value) == 1:
        (value,) = value
    return None if value == [] else value


def list_blocks(block: dict[str, Any], key: str) -> list[dict[str, Any]]:
    """The blocks of a kind."""
    found = block.get(key) or []
    return [one for one in (found if isinstance(found, list) else [found]) if isinstance(one, dict)]


def is_literal(value: Any, pattern: str) -> bool:
    """Whether a value is said, and not an expression; `pattern` is what a said one can look like."""
    return isinstance(value, str) and re.fullmatch(pattern, value) is not None
