"""The reference names every setting, with all that a person needs to set it."""

from __future__ import annotations

import pytest

from aigateway.settings.model import Settings
from aigateway.settings.reference import render_reference
from aigateway.settings.schema import Setting, walk_settings

LEAVES = [setting for setting in walk_settings() if not setting.is_group]


def find_row(key: str) -> list[str]:
    (row,) = (line for line in render_reference().splitlines() if line.startswith(f"| `{key}` |"))
    return [cell.strip() for cell in row.strip("|").split(" | ")]


@pytest.mark.parametrize("setting", LEAVES, ids=lambda setting: setting.key)
def test_every_setting_has_one_row_with_type_and_meaning(setting: Setting) -> None:
    key, kind, default, unit, meaning = find_row(setting.key)
    assert key
    assert kind
    assert default
    assert len(meaning) > 10
    assert bool(unit) == (setting.type in (int, float))


@pytest.mark.parametrize(
    ("key", "row"),
    [
        ("environment", ["'dev', 'staging' or 'prod'", "**required**", ""]),
        ("images.envoy.tag", ["an image's tag, such as v1.40.0", "`v1.40.0`", ""]),
        ("clients[].keys", ["a list of 1 to 2, each 'a' or 'b'", "`[a]`", ""]),
        ("azure.responses.deployment", [find_row("azure.embeddings.deployment")[1], "the model's name", ""]),
        ("limits.client_share", ["a number above 0, at most 1", "`0.5`", "share"]),
        ("scale.litellm.memory_gib", ["a number from 1 to 8, in steps of 0.25", "`1.5`", "GiB"]),
        ("observability.application_insights", ["true or false", "`false`", ""]),
        ("observability.daily_cap_gb", ["a number above 0, at most 1,000", "none", "GB / day"]),
    ],
)
def test_a_row_says_type_default_and_unit(key: str, row: list[str]) -> None:
    assert find_row(key)[1:4] == row


def test_every_group_of_the_top_has_a_section() -> None:
    headings = [line[3:] for line in render_reference().splitlines() if line.startswith("## ")]
    groups = [
        name
        for name in Settings.model_fields
        if name not in ("environment", "project", "request_body_limit_mib")
    ]
    assert headings == ["At the top", *groups, "Locations and their codes"]


def test_it_ends_with_one_newline() -> None:
    assert render_reference().endswith("|\n")
