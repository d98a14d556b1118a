"""scripts/propose, with a remote of this test's own and a stand-in for gh."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from repository import commit_all, run_git

ROOT = Path(__file__).parents[2]
#: Knows of an open pull request from the second time on.
GH = """
import os, pathlib, sys
file = pathlib.Path(os.environ["SAID"])
before = file.read_text() if file.exists() else ""
file.write_text(before + " ".join(sys.argv[1:3]) + "\\n")
if sys.argv[2] == "list" and "create" in before:
    print(7)
"""


@dataclass(frozen=True)
class Person:
    """Somebody with a checkout, whose `origin` is a folder."""

    folder: Path

    @property
    def checkout(self) -> Path:
        return self.folder / "checkout"

    @property
    def said(self) -> list[str]:
        path = self.folder / "said"
        return path.read_text().splitlines() if path.exists() else []

    def git(self, *arguments: str) -> str:
        return run_git(self.checkout, *arguments)

    def propose(self) -> subprocess.CompletedProcess[str]:
        names = {
            f"GIT_{who}_{what}": "a@b.test" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")
        }
        path = f"{self.folder / 'bin'}{os.pathsep}{os.environ['PATH']}"
        environment = {**os.environ, **names, "PATH": path, "SAID": str(self.folder / "said")}
        command = ["scripts/propose", str(self.folder / "change.patch"), "summary.md"]
        return subprocess.run(
            command, cwd=self.checkout, env=environment, capture_output=True, text=True, check=False
        )


@pytest.fixture
def person(tmp_path: Path) -> Person:
    person = Person(tmp_path)
    (person.checkout / "scripts").mkdir(parents=True)
    shutil.copy(ROOT / "scripts/propose", person.checkout / "scripts")
    (person.checkout / "version").write_text("1\n")
    program = tmp_path / "bin/gh"
    program.parent.mkdir()
    program.write_text(f"#!{sys.executable} -S\n{GH}")
    program.chmod(0o755)
    commit_all(person.checkout)
    subprocess.run(["git", "init", "-q", "--bare", tmp_path / "origin"], check=True)
    person.git("remote", "add", "origin", str(tmp_path / "origin"))
    return person


def change(person: Person, text: str) -> None:
    person.git("switch", "-q", "main")
    (person.checkout / "version").write_text(text)
    (person.folder / "change.patch").write_text(person.git("diff"))
    person.git("checkout", "-q", ".")


def test_a_change_is_proposed_once_and_then_brought_up_to_date(person: Person) -> None:
    for version in ("2\n", "3\n"):
        change(person, version)
        done = person.propose()
        assert done.returncode == 0, done.stderr
        assert person.git("show", "origin/upgrade-litellm:version") == version
    assert person.said == ["pr list", "pr create", "pr list", "pr edit"]
    assert person.git("rev-list", "--count", "main..origin/upgrade-litellm").strip() == "1"


def test_where_nothing_has_changed_nothing_is_proposed(person: Person) -> None:
    (person.folder / "change.patch").write_text("")
    done = person.propose()
    assert (done.returncode, person.said) == (0, [])
    assert "nothing to propose" in done.stdout
