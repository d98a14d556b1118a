"""Which scenarios `aigateway prove` takes for sound without running them."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from proven import ROOT, evidence_of, settings_of
from repository import commit_all, run_git

from aigateway.acceptance.features import ScenarioKey
from aigateway.acceptance.findings import EVIDENCE_FILE, locate_run
from aigateway.promotion.evidence import Evidence, ProvenScenario
from aigateway.promotion.release import describe_release
from aigateway.promotion.soundness import find_sound

Save = Callable[..., None]


def scenario(name: str, **changes: Any) -> ProvenScenario:
    return (
        evidence_of("dev")
        .scenarios[0]
        .model_copy(update={"scenario": name, "example": (), "verdict": "passed", **changes})
    )


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    shutil.copytree(ROOT / "infra", tmp_path / "infra", ignore=shutil.ignore_patterns(".terraform*"))
    for folder in ("features", "steps", "templates"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "file").touch()
    shutil.copyfile(ROOT / ".gitignore", tmp_path / ".gitignore")
    commit_all(tmp_path)
    return tmp_path


@pytest.fixture
def save(checkout: Path) -> Save:
    """Leave evidence of the checkout as it is now, with a scenario of each kind."""

    def save_evidence(**changes: Any) -> None:
        fields = {
            "target": "local",
            "launcher": "process",
            "base_url": "",
            "release": describe_release(checkout, settings_of("dev")),
            "scenarios": (
                scenario("Sound", example=("a", "b")),
                scenario("Flaky", tries=2),
                scenario("Red", verdict="failed"),
                scenario("Left out", verdict="skipped"),
            ),
            **changes,
        }
        evidence = Evidence.model_validate(evidence_of("dev").model_copy(update=fields).model_dump())
        path = locate_run(checkout, "dev", "local") / EVIDENCE_FILE
        path.parent.mkdir(parents=True, exist_ok=True)
        evidence.seal().save(path)

    return save_evidence


def test_what_passed_at_once_is_sound(checkout: Path, save: Save) -> None:
    save()
    assert find_sound(checkout, settings_of("dev"), "process") == {ScenarioKey("Sound", ("a", "b"))}


def test_a_run_by_the_other_launcher_says_nothing(checkout: Path, save: Save) -> None:
    save()
    assert not find_sound(checkout, settings_of("dev"), "container")


def test_a_run_of_another_environment_says_nothing(checkout: Path, save: Save) -> None:
    save(environment="staging")
    assert not find_sound(checkout, settings_of("dev"), "process")


def test_a_run_before_the_last_commit_says_nothing(checkout: Path, save: Save) -> None:
    save()
    run_git(checkout, "commit", "--quiet", "--allow-empty", "--message=more")
    assert not find_sound(checkout, settings_of("dev"), "process")


def test_nothing_is_known_where_something_is_in_no_commit(checkout: Path, save: Save) -> None:
    (checkout / "new").touch()
    save()
    assert not find_sound(checkout, settings_of("dev"), "process")


def test_without_a_run_nothing_is_known(checkout: Path, save: Save) -> None:
    assert not find_sound(checkout, settings_of("dev"), "process")
    save()
    path = locate_run(checkout, "dev", "local") / EVIDENCE_FILE
    path.write_text(path.read_text().replace("Sound", "Other"))
    assert not find_sound(checkout, settings_of("dev"), "process")
