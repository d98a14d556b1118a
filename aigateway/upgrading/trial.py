"""Runs the commands of a copy of the checkout with that copy's own code, and reads what they found."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from rich.console import Console

from aigateway.acceptance.profiles import Profile
from aigateway.acceptance.results import RunResult
from aigateway.acceptance.run import RESULT_FILE
from aigateway.acceptance.run import Order as AcceptOrder
from aigateway.errors import AigatewayError
from aigateway.proving.results import ProofResult
from aigateway.proving.run import Order as ProveOrder
from aigateway.reporting.job_page import STEP_SUMMARY

# Without -P or -I: the copy is where it is run, and comes before what is installed.
_ENTRY = "from aigateway.cli import main; main()"
_STOP_SECONDS = 60
_LINES = 12
_MESSAGE = "error: "
_JUDGED = (0, 1)

_Result = TypeVar("_Result", bound=BaseModel)


@dataclass(frozen=True)
class Copy:
    """A copy of the checkout at `root`, whose commands are run."""

    root: Path
    console: Console

    def run_aigateway(self, *arguments: str, judges: bool = False) -> None:
        """Run one of its own commands to its end; one that `judges` may say no.

        Raises AigatewayError with what it said where it did not come to its end.
        """
        self._run([sys.executable, "-c", _ENTRY, *arguments], good=_JUDGED if judges else (0,))

    def lock_runtime(self) -> None:
        """Have `scripts/lock` pin what its runtime.in wants; what is pinned stays where it still fits.

        Raises AigatewayError where that does not fit together, or the package registry does not answer.
        """
        self._run(["scripts/lock", "runtime"], good=(0,), variables={"PYTHON": sys.executable})

    def accept(self, environment: str, profile: Profile, keyword: str) -> RunResult:
        """Run its features against its gateway, as processes, and give what they found."""
        order = AcceptOrder(self.root, environment, "process", profile=profile, keyword=keyword)
        words = ["accept", environment, "--launcher=process", f"--profile={profile}"]
        self.run_aigateway(*words, *(["-k", keyword] if keyword else []), judges=True)
        return _read(order.folder / RESULT_FILE, RunResult)

    def prove(self, environment: str, profile: Profile) -> ProofResult:
        """Sabotage its gateway, and give what the features noticed."""
        order = ProveOrder(self.root, environment, "process", profile)
        self.run_aigateway("prove", environment, "--launcher=process", f"--profile={profile}", judges=True)
        return _read(order.path, ProofResult)

    def _run(
        self, command: Sequence[str], good: Sequence[int], variables: dict[str, str] | None = None
    ) -> None:
        """Run `command`, and show what it says of its progress.

        Whatever ends this ends the command too, and what it started.
        """
        # A job's page is for the comparison, not for the two runs.
        inherited = {name: value for name, value in os.environ.items() if name != STEP_SUMMARY}
        said: tuple[str, ...] = ()
        with subprocess.Popen(
            command,
            cwd=self.root,
            env={**inherited, "PYTHONPATH": str(self.root), **(variables or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
            # Ctrl-C goes to this process alone, which then tells the command to end.
            process_group=0,
        ) as process:
            try:
                for line in process.stderr or ():
                    said = _remember(said, line.rstrip())
                    self.console.print(f"  {line.rstrip()}", markup=False, style="dim")
                process.wait()
            except BaseException:
                _stop(process)
                raise
        if process.returncode not in good:
            raise AigatewayError("\n".join(said).removeprefix(_MESSAGE) or "it ended without a word")


def _stop(process: subprocess.Popen[str]) -> None:
    """Let it end in order, for it has parts of its own to stop; with force where it does not."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def _remember(said: tuple[str, ...], line: str) -> tuple[str, ...]:
    """Why a command failed: the start of its own message, which a part's log may follow; else its last lines."""
    if line.startswith(_MESSAGE):
        return (line,)
    if said and said[0].startswith(_MESSAGE):
        return said if len(said) == _LINES else (*said, line)
    return (*said, line)[-_LINES:]


def _read(path: Path, kind: type[_Result]) -> _Result:
    try:
        return kind.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise AigatewayError(f"{path.name}: the run left none that can be read: {error}") from error
