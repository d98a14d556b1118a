"""A process that tries sabotages one after the other, on a stack of its own."""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path

import httpx
import pytest
from rich.console import Console

from aigateway.acceptance.calling import call_pytest
from aigateway.acceptance.features import ScenarioKey
from aigateway.acceptance.plugin import read_key, read_result
from aigateway.acceptance.results import ScenarioResult
from aigateway.errors import AigatewayError, LaunchError
from aigateway.launching.choice import choose_launcher
from aigateway.launching.commands import command_envoy
from aigateway.launching.parts import EDGE_SLOTS, EdgePart, LauncherName, quote_log
from aigateway.launching.stack import READY_SECONDS, Stack, StackReference, require_ready, run_stack
from aigateway.proving.catalogue import Sabotage
from aigateway.rendering.renderer import ENVOY, render_environment
from aigateway.signals import interrupt_on_terminate
from aigateway.simulator.control import SimulatorControl
from aigateway.waiting import wait_until

_EDGE_READY_SECONDS = 20.0


@dataclass(frozen=True)
class Trial:
    """The scenarios to run against a gateway that `sabotage` has broken; against a sound one without."""

    scenarios: frozenset[ScenarioKey]
    sabotage: Sabotage | None = None


@dataclass(frozen=True)
class Outcome:
    """How the scenarios of a trial ended; `problem` says why they could not be run."""

    trial: Trial
    results: Mapping[ScenarioKey, ScenarioResult]
    seconds: float
    problem: str = ""


def serve_lane(connection: Connection, root: Path, environment: str, choice: LauncherName) -> None:
    """Answer each Trial that comes over `connection` with an Outcome, until the other end closes it."""
    with interrupt_on_terminate(), contextlib.suppress(EOFError, OSError, KeyboardInterrupt), connection:
        try:
            with _open_lane(root, environment, choice) as lane:
                while True:
                    connection.send(lane.try_out(connection.recv()))
        except AigatewayError as error:
            connection.send(error)


@contextmanager
def _open_lane(root: Path, environment: str, choice: LauncherName) -> Iterator[_Lane]:
    rendering = render_environment(root, environment)
    launcher = choose_launcher(choice, rendering.settings, Console(stderr=True))
    with (
        tempfile.TemporaryDirectory(prefix="aigateway-prove-", ignore_cleanup_errors=True) as folder,
        run_stack(root, rendering, launcher) as stack,
    ):
        stack.wait_until_ready()
        yield _Lane(root, stack, Path(folder))


@dataclass
class _Lane:
    """One sound stack, and what is started beside it for a sabotage."""

    root: Path
    stack: Stack
    folder: Path

    def try_out(self, trial: Trial) -> Outcome:
        started = time.monotonic()
        collector = _Collector(trial.scenarios)
        problem = ""
        try:
            with self._break(trial.sabotage) as reference:
                self._run(reference, collector)
        except AigatewayError as error:
            problem = str(error)
        return Outcome(trial, collector.results, time.monotonic() - started, problem)

    @contextmanager
    def _break(self, sabotage: Sabotage | None) -> Iterator[StackReference]:
        """A gateway that is broken as the sabotage says, by starting as little anew as that takes."""
        with ExitStack() as undo:
            if sabotage and sabotage.changes_litellm:
                reference = undo.enter_context(self._start_stack(sabotage))
            elif sabotage and sabotage.edits:
                reference = undo.enter_context(self._start_edge(sabotage))
            else:
                reference = self.stack.reference
            if sabotage and sabotage.defect:
                azure = SimulatorControl(reference.simulator_control_url)
                azure.break_with(sabotage.defect)
                undo.callback(azure.break_with, None)
            yield reference

    @contextmanager
    def _start_stack(self, sabotage: Sabotage) -> Iterator[StackReference]:
        with run_stack(self.root, self.stack.rendering, self.stack.launcher, edits=sabotage.edits) as stack:
            require_ready((stack.litellm, stack.edge), stack.base_url, READY_SECONDS)
            yield stack.reference

    @contextmanager
    def _start_edge(self, sabotage: Sabotage) -> Iterator[StackReference]:
        sound = self.stack.reference
        config = self.stack.rendering.texts[ENVOY]
        command = command_envoy(self.root, config, sound.keys, sabotage.edits)
        # The scenarios' own edges take the places before.
        edge = self.stack.launcher.start_edge(command, sound.litellm, slot=EDGE_SLOTS - 1)
        try:
            _require_answer(edge)
            yield sound.model_copy(
                update={"edge": edge.reference, "base_url": edge.base_url, "edits": sabotage.edits}
            )
        finally:
            edge.stop()

    def _run(self, reference: StackReference, collector: _Collector) -> None:
        path = self.folder / "stack.json"
        path.touch(mode=0o600)
        path.write_text(reference.model_dump_json())
        code = call_pytest(
            [
                str(self.root / "features"),
                f"--rootdir={self.root}",
                "-pno:terminal",
                "-pno:cacheprovider",
                "--profile=full",
                f"--environment={reference.environment}",
                f"--stack={path}",
                f"--basetemp={self.folder / 'scenarios'}",
            ],
            [collector],
        )
        if code == pytest.ExitCode.INTERRUPTED:
            raise KeyboardInterrupt
        if code not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
            raise AigatewayError(f"the scenarios could not be run (pytest's exit code {code})")


def _require_answer(edge: EdgePart) -> None:
    """Wait until a broken edge answers anything at all."""

    def answers() -> bool:
        if not edge.is_running():
            raise LaunchError(f"the broken envoy ended; its last lines:\n{quote_log(edge)}")
        with contextlib.suppress(httpx.HTTPError):
            return bool(httpx.get(edge.base_url, timeout=1, trust_env=False).status_code)
        return False

    if not wait_until(answers, seconds=_EDGE_READY_SECONDS):
        raise LaunchError(f"the broken envoy does not answer; its last lines:\n{quote_log(edge)}")


@dataclass
class _Collector:
    """Has pytest run the chosen scenarios alone, and keeps their results."""

    wanted: frozenset[ScenarioKey]
    results: dict[ScenarioKey, ScenarioResult] = field(default_factory=dict)

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items[:] = self._choose(items)

    def _choose(self, items: Iterable[pytest.Item]) -> list[pytest.Item]:
        return [item for item in items if read_key(item) in self.wanted]

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        result = read_result(report)
        if result:
            self.results[ScenarioKey(result.scenario, result.example)] = result
