"""Which LiteLLM may be tried at all."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from aigateway.errors import AigatewayError
from aigateway.rules.images import LITELLM_FLOOR
from aigateway.upgrading.candidate import Version, ask_registry, find_candidate

PRESENT = Version(1, 106, 2)
FLOOR = Version(*LITELLM_FLOOR)


def offline() -> Sequence[str]:
    raise AigatewayError("the registry was asked")


def there() -> Sequence[str]:
    return ("1.109.1", "1.109.0rc1", "1.108.11", "1.108.2", "1.106.2", "1.84.0", "1.82.7", "0.1.824")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("1.82.7", "published by a thief"),
        ("v1.82.8", "published by a thief"),
        ("1.83.14", "is below 1.84.0"),
        ("0.1.824", "is below 1.84.0"),
        ("1.109", "no released version"),
        ("1.109.0rc1", "no released version"),
        ("main-v1.109.1", "no released version"),
        ("1.109.1; rm", "no released version"),
        ("", "no released version"),
    ],
)
def test_what_is_refused_without_asking_anybody(text: str, said: str) -> None:
    with pytest.raises(AigatewayError, match=said):
        find_candidate(text, PRESENT, offline)


def test_the_present_one_is_known_offline() -> None:
    assert find_candidate("v1.106.2", PRESENT, offline) == PRESENT


def test_the_floor_itself_is_good_enough() -> None:
    assert find_candidate("1.84.0", PRESENT, there) == FLOOR


@pytest.mark.parametrize("text", ["1.109.1", "v1.109.1", "latest"])
def test_one_that_is_there(text: str) -> None:
    candidate = find_candidate(text, PRESENT, there)
    assert (str(candidate), candidate.tag) == ("1.109.1", "v1.109.1")


def test_one_that_is_not_there_and_which_are() -> None:
    with pytest.raises(
        AigatewayError, match=r"no litellm 1\.109\.2; its newest are 1\.109\.1, 1\.108\.11, 1\.108\.2"
    ):
        find_candidate("1.109.2", PRESENT, there)


def test_the_latest_is_no_danger_either() -> None:
    with pytest.raises(AigatewayError, match="below"):
        find_candidate("latest", PRESENT, lambda: ("1.83.0",))
    with pytest.raises(AigatewayError, match="no released version"):
        find_candidate("latest", PRESENT, lambda: ("1.110.0rc1",))


def use_pip(folder: Path, patch: pytest.MonkeyPatch, script: str) -> None:
    program = folder / "python"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    patch.setattr(sys, "executable", str(program))


def test_the_registry_is_asked_by_pip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use_pip(tmp_path, monkeypatch, 'echo "litellm (1.109.1)"; echo "Available versions: 1.109.1, 1.9.0"')
    assert ask_registry() == ["1.109.1", "1.9.0"]


@pytest.mark.parametrize(
    "script", ["echo 'ERROR: No matching distribution found for litellm' >&2; exit 1", "echo something else"]
)
def test_a_registry_that_does_not_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str
) -> None:
    use_pip(tmp_path, monkeypatch, script)
    with pytest.raises(
        AigatewayError, match="does not say which versions of litellm there are; to try another, be online"
    ):
        ask_registry()
