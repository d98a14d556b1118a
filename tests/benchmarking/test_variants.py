"""The variants: each changes something that is there, and a file of them that cannot be used says where."""

from __future__ import annotations

from pathlib import Path

import pytest

from aigateway.benchmarking.subjects import lift_limits, plan_subjects, render_lifted
from aigateway.benchmarking.variants import RESERVED, choose_variants, load_variants
from aigateway.errors import AigatewayError
from aigateway.launching.commands import command_envoy, command_litellm
from aigateway.launching.keys import generate_keys
from aigateway.rendering.renderer import render_environment
from aigateway.settings.loading import list_environments, load_environment

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", load_variants())
def test_each_changes_what_would_be_started(name: str) -> None:
    (variant,) = choose_variants([name])
    lifted = render_lifted(ROOT, render_environment(ROOT, "dev"))
    keys = generate_keys(lifted.settings)
    started = [
        (
            command_litellm(ROOT, lifted.texts["litellm.yaml"], "http://127.0.0.1:1", keys, edits),
            command_envoy(ROOT, lifted.texts["envoy.yaml"], keys, edits),
        )
        for edits in ((), variant.edits)
    ]
    assert started[0] != started[1]


@pytest.mark.parametrize("environment", list_environments(ROOT))
def test_no_load_meets_a_limit(environment: str) -> None:
    lifted = lift_limits(load_environment(ROOT, environment))
    for client in lifted.clients:
        for endpoint in ("responses", "embeddings"):
            assert lifted.client_limit(client, endpoint).burst > 100_000
            assert lifted.endpoint_limit(endpoint).parallel >= 1000


def test_several_go_together() -> None:
    (joined,) = choose_variants(["few-arenas+rare-collections"])
    known = load_variants()
    assert joined.variant == "few-arenas+rare-collections"
    assert joined.edits == known["few-arenas"].edits + known["rare-collections"].edits


def test_all_are_all() -> None:
    assert {one.variant for one in choose_variants(["all"])} == set(load_variants())


def test_the_names_of_the_other_subjects_are_taken() -> None:
    assert {plan.name for plan in plan_subjects(())} <= RESERVED


def test_one_that_there_is_not_is_named_with_the_nearest() -> None:
    with pytest.raises(AigatewayError, match="no variant 'granain'; did you mean 'granian'"):
        choose_variants(["granain"])


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("- variant: a\n  why: b\n  edits: []\n", r"mine.yaml:3: \[0\].edits"),
        ("- variant: A b\n  why: b\n  edits: [{file: envoy.sh, find: x}]\n", r"mine.yaml:1: \[0\].variant"),
        ("- variant: a\n  why: b\n  edits: [{file: x, find: y}]\n", r"mine.yaml:3: \[0\].edits\[0\].file"),
        (
            "- variant: stock\n  why: b\n  edits: [{file: envoy.sh, find: x}]\n",
            "mine.yaml:1: 'stock' is taken",
        ),
        ("- {variant: a", "mine.yaml:"),
    ],
)
def test_a_file_that_cannot_be_used_says_where(tmp_path: Path, text: str, complaint: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(AigatewayError, match=complaint):
        load_variants(path)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(AigatewayError, match=r"none.yaml: cannot be read"):
        choose_variants(["a"], tmp_path / "none.yaml")
