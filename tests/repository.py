"""Repositories of Git's for tests, the same whatever the machine's own settings of Git are."""

from __future__ import annotations

import subprocess
from pathlib import Path

_PERSON = ("-c", "user.name=a", "-c", "user.email=a@b.test", "-c", "commit.gpgsign=false")


def run_git(folder: Path, *arguments: str) -> str:
    """Git, as somebody whose name it knows; returns what it printed."""
    command = ("git", *_PERSON, *arguments)
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout


def commit_all(folder: Path) -> None:
    """Make `folder` a repository, with all that is in it committed on `main`."""
    run_git(folder, "init", "--quiet", "--initial-branch=main")
    run_git(folder, "add", "--all")
    run_git(folder, "commit", "--quiet", "--message=all")
