"""A key that was ever committed is found, and a word in its place is not."""

from __future__ import annotations

import secrets
from pathlib import Path

import pytest
from repository import run_git

from aigateway.errors import ScanError
from aigateway.scanning.history import find_leaks


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    run_git(tmp_path, "init", "--quiet", "--initial-branch=main")
    commit(tmp_path, "notes.md", "nothing\n")
    return tmp_path


def commit(repository: Path, name: str, text: str, message: str = "a change") -> str:
    (repository / name).write_text(text)
    run_git(repository, "add", "--all")
    run_git(repository, "commit", "--quiet", "--message", message)
    return run_git(repository, "rev-parse", "--short=12", "HEAD").strip()


def make_key() -> str:
    return f"sk-{secrets.token_urlsafe(32)}"


def test_a_key_that_the_next_commit_removes_is_found_and_not_shown(repository: Path) -> None:
    key = make_key()
    planted = commit(repository, "settings.yaml", f"a: 1\nmaster_key: {key}\n")
    commit(repository, "settings.yaml", "a: 1\n")
    (leak,) = find_leaks(repository)
    assert (leak.path, leak.line, leak.commit) == ("settings.yaml", 2, planted)
    assert key not in str(leak)


def test_a_key_on_another_branch_or_in_a_message_is_found(repository: Path) -> None:
    run_git(repository, "checkout", "--quiet", "-b", "side")
    commit(repository, "one.py", f'KEY = "{make_key()}"\n')
    commit(repository, "two.py", "pass\n", message=f"Use {make_key()}")
    run_git(repository, "checkout", "--quiet", "main")
    assert {leak.path for leak in find_leaks(repository)} == {"one.py", ""}


@pytest.mark.parametrize(
    "text",
    [
        f"sk-or-v1-{secrets.token_hex(32)}",
        f"sk-{secrets.token_hex(16)}",
        f"api_key: {secrets.token_hex(16)}",
        f"AccountKey={'aB3' * 28}==",
        f"{'aB3x' * 13}JQQJ99{'aB3x' * 6}aB",
        f"abc8Q~{'aB3x' * 8}",
        f"-----BEGIN {'PRIVATE'} KEY-----\n{'aB3x' * 16}",
        f"ghp_{'aB3x' * 9}",
    ],
    ids=["openrouter", "hex", "azure", "storage", "azure-84", "entra", "private", "github"],
)
def test_every_kind_of_key_is_known(repository: Path, text: str) -> None:
    commit(repository, "file", f"{text}\n")
    assert len(find_leaks(repository)) == 1


@pytest.mark.parametrize(
    "text", ["sk-out-of-the-environment", "sk-1234567890abcdef1234", "the risk-assessment-of-SomethingLong"]
)
def test_words_are_no_key(repository: Path, text: str) -> None:
    commit(repository, "file", f"{text}\n")
    assert find_leaks(repository) == []


def test_a_history_that_is_not_whole_is_refused(repository: Path, tmp_path: Path) -> None:
    commit(repository, "file", "x\n")
    run_git(repository, "clone", "--quiet", "--depth=1", f"file://{repository}", str(tmp_path / "shallow"))
    with pytest.raises(ScanError, match="git fetch --unshallow"):
        find_leaks(tmp_path / "shallow")


def test_what_is_no_repository_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    with pytest.raises(ScanError, match="git cannot read its history"):
        find_leaks(tmp_path)
