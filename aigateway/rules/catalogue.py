"""Every rule, in the order of ids: whatever the modules of rules define is in it."""

from __future__ import annotations

from types import ModuleType

from aigateway.rules import (
    bodies,
    deployments,
    doors,
    identity,
    images,
    limits,
    privacy,
    refusals,
    retries,
    secrets,
    start,
    stumbling,
)
from aigateway.rules.rule import Rule

_MODULES = (
    deployments,
    refusals,
    doors,
    limits,
    identity,
    bodies,
    stumbling,
    retries,
    privacy,
    images,
    secrets,
    start,
)
_FIRST = ("LL", "EN", "GW")


def _list_rules(module: ModuleType) -> list[Rule]:
    return [value for value in vars(module).values() if isinstance(value, Rule)]


def _order(rule: Rule) -> tuple[int, str]:
    return _FIRST.index(rule.id[:2]), rule.id


#: LL: litellm.yaml; EN: envoy.yaml; GW: the gateway as a whole.
RULES: tuple[Rule, ...] = tuple(
    sorted((rule for module in _MODULES for rule in _list_rules(module)), key=_order)
)
