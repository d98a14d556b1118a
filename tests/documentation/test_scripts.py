"""What the pages have people run from scripts/, in a checkout with a Python that only notes what it is told."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from pages import ROOT

#: Makes a .venv whose programs note their arguments; whatever else it is asked, the real Python answers.
_PYTHON = """#!/bin/sh
[ "$1 $2" = "-m venv" ] || exec "$REAL_PYTHON" "$@"
mkdir -p .venv/bin
for name in pip aigateway pytest; do
  printf '#!/bin/sh\\necho "%s $*" >>"$NOTES"\\n' "$name" >".venv/bin/$name"
  chmod +x ".venv/bin/$name"
done
"""
_PIP = "pip install -qq --disable-pip-version-check"


@dataclass(frozen=True)
class Checkout:
    """A fresh clone, as far as its scripts look at it."""

    folder: Path

    def run(self, script: str, *arguments: str) -> list[str]:
        """What was called, in order."""
        notes = self.folder / "notes"
        notes.write_text("")
        subprocess.run(
            [self.folder / "scripts" / script, *arguments],
            # From elsewhere: a script finds its checkout itself.
            cwd=self.folder.parent,
            env={
                "PATH": os.environ["PATH"],
                "PYTHON": str(self.folder / "python"),
                "REAL_PYTHON": sys.executable,
                "NOTES": str(notes),
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=True,
            timeout=60,
        )
        return notes.read_text().splitlines()


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    folder = tmp_path / "a checkout"
    shutil.copytree(ROOT / "scripts", folder / "scripts")
    shutil.copy(ROOT / "pyproject.toml", folder)
    (folder / "python").write_text(_PYTHON)
    (folder / "python").chmod(0o755)
    return Checkout(folder)


@pytest.mark.parametrize(
    ("script", "arguments"), [("accept", ("staging", "-k", "a b")), ("bootstrap", ("state", "dev", "--plan"))]
)
def test_a_script_hands_on_what_it_is_given(
    checkout: Checkout, script: str, arguments: tuple[str, ...]
) -> None:
    handed_on = " ".join(("aigateway", script, *arguments))
    first = checkout.run(script, *arguments)
    assert first == [f"{_PIP} --upgrade pip", f"{_PIP} --editable .", handed_on]
    assert checkout.run(script, *arguments) == [handed_on], "installed again"


def test_the_tests_are_run_with_what_they_need(checkout: Checkout) -> None:
    *_, install, run = checkout.run("test", "-k", "words")
    assert install == f"{_PIP} --editable .[dev]"
    assert run.startswith("pytest tests ")
    assert run.endswith(" -k words")


def test_what_an_extra_has_is_installed_by_that_name(checkout: Checkout) -> None:
    assert checkout.run("install", "azure")[-1] == f"{_PIP} --editable .[azure]"
    assert checkout.run("install") == [], "what was installed is more than is asked for"
    assert checkout.run("install", "dev")[-1] == f"{_PIP} --editable .[dev]"


def test_an_extra_that_there_is_not_is_refused(checkout: Checkout) -> None:
    with pytest.raises(subprocess.CalledProcessError) as refused:
        checkout.run("install", "nonsense")
    assert refused.value.returncode == 2
    assert b"unknown argument 'nonsense'" in refused.value.stderr
