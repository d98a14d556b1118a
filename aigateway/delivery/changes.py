"""What a plan of Terraform's would change.

Of a plan as JSON (developer.hashicorp.com/terraform/internals/json-format#change-representation) nothing is told but
addresses and actions: its values are long, and the reader of a job's page may be anybody.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from aigateway.errors import AigatewayError

Action = Literal["create", "update", "replace", "delete"]

_SECRET = "azurerm_key_vault_secret"  # noqa: S105 - a type of Terraform's


@dataclass(frozen=True)
class Change:
    """What happens to one resource."""

    address: str
    action: Action


@dataclass(frozen=True)
class Changes:
    """What a plan does; `secrets` are the names of those that it writes, for which an apply needs values."""

    every: tuple[Change, ...]
    secrets: tuple[str, ...]

    @property
    def summary(self) -> str:
        """In a line."""
        counts = Counter(change.action for change in self.every)
        return ", ".join(f"{number} to {action}" for action, number in counts.items()) or "no changes"

    def render_markdown(self, title: str) -> str:
        """As a part of a page."""
        lines = [f"## {title}: {self.summary}", ""]
        if self.every:
            lines += ["| | resource |", "|---|---|"]
            lines += [f"| {change.action} | `{change.address}` |" for change in self.every]
            lines.append("")
        if self.secrets:
            lines += [f"Secrets that it writes: {', '.join(f'`{name}`' for name in self.secrets)}", ""]
        return "\n".join(lines) + "\n"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True)


class _PlannedChange(_Part):
    actions: tuple[str, ...]
    before: Mapping[str, Any] | None = None
    after: Mapping[str, Any] | None = None


class _PlannedResource(_Part):
    address: str
    type: str
    mode: str = "managed"
    index: str | int | None = None
    change: _PlannedChange


class _Plan(_Part):
    resource_changes: tuple[_PlannedResource, ...] = ()


def read_changes(plan: str) -> Changes:
    """The changes of a plan, as `terraform show -json` prints it. Raises AigatewayError when it is none."""
    try:
        found = _Plan.model_validate_json(plan)
    except ValidationError as error:
        raise AigatewayError("terraform shows a plan that cannot be read") from error
    managed = [one for one in found.resource_changes if one.mode == "managed"]
    changes = ((one.address, _find_action(one.change.actions)) for one in managed)
    return Changes(
        tuple(Change(address, action) for address, action in changes if action),
        tuple(sorted(str(one.index) for one in managed if one.type == _SECRET and _writes(one.change))),
    )


def _find_action(actions: tuple[str, ...]) -> Action | None:
    if {"create", "delete"} <= set(actions):
        return "replace"
    for action in ("create", "update", "delete"):
        if action in actions:
            return action
    return None


def _writes(change: _PlannedChange) -> bool:
    """A value is written when the secret is made, and when its version is another one."""
    if "create" in change.actions:
        return True
    return "update" in change.actions and _find_version(change.before) != _find_version(change.after)


def _find_version(values: Mapping[str, Any] | None) -> Any:
    return (values or {}).get("value_wo_version")
