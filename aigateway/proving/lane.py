"""A process that tries sabotages one after the other, on a stack of its own."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import zip_longest
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
from aigateway.files import make_temporary_folder
from aigateway.launching.choice import choose_launcher
from aigateway.launching.commands import command_envoy
from aigateway.launching.parts import EDGE_SLOTS, EdgePart, LauncherName, quote_log, require_running
from aigateway.launching.stack import (
    READY_SECONDS,
    Stack,
    StackReference,
    open_local_client,
    require_ready,
    run_stack,
)
from aigateway.proving.catalogue import Sabotage
from aigateway.rendering.renderer import ENVOY, render_environment
from aigateway.signals import (
    end_undisturbed,
    hold_interrupts,
    interrupt_on_terminate,
    resend_lost_interrupts,
)
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
    resend_lost_interrupts()
    with interrupt_on_terminate(), contextlib.suppress(EOFError, OSError, KeyboardInterrupt), connection:
        try:
            with _open_lane(root, environment, choice) as lane:
                lane.serve(connection)
        except AigatewayError as error:
            connection.send(error)


@contextmanager
def _open_lane(root: Path, environment: str, choice: LauncherName) -> Iterator[_Lane]:
    rendering = render_environment(root, environment)
    launcher = choose_launcher(choice, rendering.settings, Console(stderr=True))
    with (
        make_temporary_folder("prove") as folder,
        run_stack(root, rendering, launcher) as stack,
        # Another lane's failure ends all of them, also one that is just ending of its own.
        end_undisturbed(),
    ):
        stack.wait_until_ready()
        yield _Lane(root, stack, folder)


@dataclass
class _Lane:
    """One sound stack, and what is started beside it for a sabotage."""

    root: Path
    stack: Stack
    folder: Path

    @property
    def _reference_path(self) -> Path:
        """The file in which the scenarios find the gateway that they try."""
        return self.folder / "stack.json"

    def serve(self, connection: Connection) -> None:
        """Have one pytest collect the scenarios once, and try out what comes over the connection."""
        self._reference_path.touch(mode=0o600)
        code = call_pytest(
            [
                str(self.root / "features"),
                f"--rootdir={self.root}",
                "-pno:terminal",
                "-pno:cacheprovider",
                "--profile=full",
                f"--environment={self.stack.reference.environment}",
                f"--stack={self._reference_path}",
                f"--basetemp={self.folder / 'scenarios'}",
            ],
            [_Server(self, connection)],
        )
        if code not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.INTERRUPTED):
            raise AigatewayError(f"the scenarios could not be run (pytest's exit code {code})")

    @contextmanager
    def break_with(self, sabotage: Sabotage | None) -> Iterator[None]:
        """Have the scenarios find a gateway that is broken as the sabotage says, or the sound one."""
        with self._break(sabotage) as reference:
            with hold_interrupts():
                self._reference_path.write_text(reference.model_dump_json())
            yield

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
            # Nobody is left who would have to be served to the end, and to be told takes it a second.
            edge.kill()


def _require_answer(edge: EdgePart) -> None:
    """Wait until a broken edge answers anything at all."""

    def answers() -> bool:
        require_running(edge, "the broken envoy ended")
        with contextlib.suppress(httpx.HTTPError):
            return bool(client.get(edge.base_url).status_code)
        return False

    with open_local_client(timeout=1) as client:
        if wait_until(answers, seconds=_EDGE_READY_SECONDS):
            return
    raise LaunchError(f"the broken envoy does not answer; its last lines:\n{quote_log(edge)}")


class _Server:
    """The plugin that runs some of pytest's scenarios whenever a trial comes, each time as if they were all."""

    def __init__(self, lane: _Lane, connection: Connection) -> None:
        self._lane = lane
        self._connection = connection
        self._results: dict[ScenarioKey, ScenarioResult] = {}

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Instead of pytest's own, which runs all scenarios once."""
        if session.testsfailed:
            raise session.Interrupted("the scenarios could not be collected")
        with contextlib.suppress(EOFError):
            while True:
                self._connection.send(self._try_out(self._connection.recv(), session.items))
        return True

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep a scenario's result."""
        result = read_result(report)
        if result:
            self._results[ScenarioKey(result.scenario, result.example)] = result

    def _try_out(self, trial: Trial, items: Iterable[pytest.Item]) -> Outcome:
        started = time.monotonic()
        self._results.clear()
        problem = ""
        try:
            with self._lane.break_with(trial.sabotage):
                _run([item for item in items if read_key(item) in trial.scenarios])
        except AigatewayError as error:
            problem = str(error)
        return Outcome(trial, dict(self._results), time.monotonic() - started, problem)


def _run(items: Sequence[pytest.Item]) -> None:
    """The last one takes down what they shared."""
    for item, following in zip_longest(items, items[1:]):
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
