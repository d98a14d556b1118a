"""Which settings may differ between two environments."""

from __future__ import annotations

from fnmatch import fnmatchcase

import pytest
from proven import settings_of

from aigateway.promotion.differences import MAY_DIFFER, MAY_DIFFER_FROM_DEV, compare_settings, flatten
from aigateway.settings.model import FrontDoor, Settings


@pytest.mark.parametrize("pattern", [*MAY_DIFFER, *MAY_DIFFER_FROM_DEV])
def test_each_pattern_is_of_a_setting(pattern: str) -> None:
    keys = dict(flatten(settings_of("dev").model_dump()))
    assert any(fnmatchcase(key, pattern) for key in keys)


def test_nothing_differs_from_itself() -> None:
    assert compare_settings(settings_of("dev"), settings_of("dev")) == ()


@pytest.mark.parametrize(("before", "here"), [("dev", "staging"), ("staging", "prod")])
def test_the_environments_of_this_checkout_differ_only_where_they_may(before: str, here: str) -> None:
    found = compare_settings(settings_of(before), settings_of(here))  # type: ignore[arg-type] # parametrized
    assert found
    assert all(one.allowed for one in found)


@pytest.mark.parametrize(("before", "allowed"), [("dev", True), ("staging", False)])
def test_dev_alone_may_do_without_front_door(before: str, allowed: bool) -> None:
    prod: Settings = settings_of("prod").model_copy(update={"front_door": FrontDoor(enabled=True)})
    found = {one.key: one.allowed for one in compare_settings(settings_of(before), prod)}  # type: ignore[arg-type]
    assert found["front_door.enabled"] is allowed
