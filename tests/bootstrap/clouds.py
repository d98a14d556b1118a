"""A stand-in for Azure and GitHub, and the real command line in front of it."""

from __future__ import annotations

import copy
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fake_cloud import EMPTY, State

ROOT = Path(__file__).parents[2]
_FAKE = Path(__file__).with_name("fake_cloud.py")

#: Far longer than anything takes: a machine that is busy is no failure.
PATIENCE_SECONDS = 120


@dataclass(frozen=True)
class Cloud:
    """One Azure and GitHub of a test's own."""

    folder: Path

    @property
    def file(self) -> Path:
        return self.folder / "cloud.json"

    @property
    def programs(self) -> Path:
        return self.folder / "bin"

    def read(self) -> State:
        state: State = json.loads(self.file.read_text())
        return state

    def write(self, state: State) -> None:
        self.file.write_text(json.dumps(state))

    def edit(self, **values: Any) -> None:
        self.write({**self.read(), **values})

    @property
    def made(self) -> State:
        """All that there is, whatever way it came to be; in an order that says nothing of when it was made."""
        state = {
            name: value
            for name, value in self.read().items()
            if name not in {"calls", "changes", "kill_after", "faults", "answers"}
        }
        return {
            name: sorted(value, key=json.dumps) if isinstance(value, list) else value
            for name, value in state.items()
        }

    def run(self, *arguments: str, path: str | None = None) -> subprocess.CompletedProcess[str]:
        """`aigateway bootstrap`, in a process of its own, so that it can be killed."""
        own = ("AIGATEWAY_", "GITHUB_", "GH_", "ARM_", "AZURE_")
        environment = {name: value for name, value in os.environ.items() if not name.startswith(own)}
        return subprocess.run(
            [sys.executable, "-c", "from aigateway.cli import main; main()", "bootstrap", *arguments],
            cwd=ROOT,
            env={
                **environment,
                "FAKE_CLOUD": str(self.file),
                "PATH": path if path is not None else f"{self.programs}{os.pathsep}{os.environ['PATH']}",
                "COLUMNS": "200",
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
            check=False,
        )

    def succeed(self, *arguments: str) -> str:
        done = self.run(*arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def refuse(self, *arguments: str, **options: Any) -> str:
        """The message of a run that must change nothing."""
        before = self.made
        done = self.run(*arguments, **options)
        assert done.returncode == 2, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        assert self.made == before
        return done.stderr


def make_cloud_in(folder: Path) -> Cloud:
    """An empty one, in a folder that there is not yet."""
    cloud = Cloud(folder)
    cloud.programs.mkdir(parents=True)
    for program in ("az", "gh"):
        script = cloud.programs / program
        script.write_text(f"#!{sys.executable} -S\n{_FAKE.read_text()}")
        script.chmod(0o755)
    cloud.write(copy.deepcopy(EMPTY))
    return cloud
