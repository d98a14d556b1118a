"""`aigateway accept`: runs the features with pytest and turns their reports into a result, a table and files."""

from __future__ import annotations

import contextlib
import datetime
import io
import shlex
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from aigateway.acceptance.plugin import StackOwner, read_result
from aigateway.acceptance.profiles import Profile
from aigateway.acceptance.results import (
    RunResult,
    ScenarioResult,
    TargetName,
    Verdict,
    is_conformant,
)
from aigateway.acceptance.target import find_deployed
from aigateway.errors import AigatewayError
from aigateway.files import write_atomically
from aigateway.launching.choice import LauncherChoice
from aigateway.launching.parts import LauncherName

RESULT_FILE = "result.json"
JUNIT_FILE = "junit.xml"

#: Scenarios mostly wait; more workers cost memory, and LiteLLM is what two cores are busy with.
WORKERS = 2

_MARKS: dict[Verdict, str] = {
    "passed": "[green]✓[/]",
    "failed": "[red]✗[/]",
    "skipped": "[yellow]–[/]",
    "error": "[magenta]![/]",
}


@dataclass(frozen=True)
class Order:
    """What to run: `keyword` and `tags` are pytest's `-k` and `-m`."""

    root: Path
    environment: str
    launcher: LauncherChoice = "auto"
    target: TargetName = "local"
    base_url: str = ""
    profile: Profile = "core"
    keyword: str = ""
    tags: str = ""

    @property
    def folder(self) -> Path:
        """Where the run leaves its files."""
        return self.root / "build" / "accept" / self.environment

    @property
    def selection(self) -> str:
        """What was chosen of the features; empty for all of them."""
        parts = (("-k", self.keyword), ("-m", self.tags))
        return " ".join(f"{option} {shlex.quote(value)}" for option, value in parts if value)

    @property
    def features(self) -> list[str]:
        """What to collect, as pytest's arguments; what pytest prints is for whoever calls pytest."""
        return [
            str(self.root / "features"),
            f"--rootdir={self.root}",
            "-pno:terminal",
            "-pno:cacheprovider",
            f"--profile={self.profile}",
            *(["-k", self.keyword] if self.keyword else []),
            *(["-m", self.tags] if self.tags else []),
        ]

    @property
    def arguments(self) -> list[str]:
        """What pytest is called with."""
        return [
            *self.features,
            f"--environment={self.environment}",
            f"--launcher={self.launcher}",
            f"--target={self.target}",
            f"--base-url={self.base_url}",
            f"--numprocesses={WORKERS}",
            # A worker takes the next scenario when it is free; the long ones stand in different files.
            "--dist=worksteal",
            f"--junitxml={self.folder / JUNIT_FILE}",
        ]


class _Observer:
    """Collects the scenarios' results and says each as it comes."""

    def __init__(self, console: Console) -> None:
        self._results: dict[str, ScenarioResult] = {}
        self.launcher: LauncherName | None = None
        self.failure = ""
        self._console = console
        self._total = 0

    @property
    def scenarios(self) -> tuple[ScenarioResult, ...]:
        """Each scenario once, in the order of the features."""
        return tuple(sorted(self._results.values(), key=lambda result: (result.feature, result.id)))

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self.failure = _explain_collection(report)

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_setupnodes(self, config: pytest.Config) -> None:
        owner = config.pluginmanager.get_plugin(StackOwner.NAME)
        if isinstance(owner, StackOwner) and owner.stack:
            self._console.print(f"[dim]the gateway is starting ({owner.stack.launcher.name})[/]")

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, ids: list[str]) -> None:
        self._total = len(ids)

    def pytest_unconfigure(self, config: pytest.Config) -> None:
        owner = config.pluginmanager.get_plugin(StackOwner.NAME)
        if isinstance(owner, StackOwner):
            self.failure = owner.failure or self.failure
            self.launcher = owner.stack.launcher.name if owner.stack else None

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        result = read_result(report)
        if result is None:
            if not report.failed:
                return
            result = _blame_harness(report)
        # One that fails when it is torn down has passed before: the last word counts.
        self._results[result.id] = result
        count = f"{len(self._results):>{len(str(self._total))}}/{self._total}"
        name = escape(f"{result.feature}: {result.name}")
        self._console.print(
            f"{_MARKS[result.verdict]} {count} {name} [dim]{result.seconds:.1f} s[/]", highlight=False
        )


def _explain_collection(report: pytest.CollectReport) -> str:
    lines = [
        line.removeprefix("E ").strip() for line in str(report.longrepr).splitlines() if line[:2] == "E "
    ]
    return f"{report.nodeid}: cannot be read: {' '.join(lines) or report.longrepr}"


def _blame_harness(report: pytest.TestReport) -> ScenarioResult:
    """The result of a scenario that did not live to give one: its worker was killed or crashed."""
    return ScenarioResult(
        id=report.nodeid,
        feature="unknown",
        name=report.nodeid.rpartition("::")[2],
        scenario=report.nodeid.rpartition("::")[2],
        requirements=(),
        core=True,
        verdict="error",
        seconds=0,
        reason=str(report.longrepr)[:2000],
    )


def accept(order: Order, console: Console) -> RunResult:
    """Run the features that `order` describes, showing each scenario as it ends; writes the result and JUnit.

    Raises AigatewayError when the gateway could not be started, died, or no scenario was run.
    """
    started = datetime.datetime.now(datetime.UTC)
    clock = time.monotonic()
    observer = _Observer(console)
    if order.target == "deployed":
        find_deployed(order.root, order.environment, order.base_url)
    if order.selection:
        _require_choice(order)
    _clear(order.folder)
    with _temporary_folder() as folder:
        code = pytest.main([*order.arguments, f"--basetemp={folder}"], plugins=[observer])
    if code == pytest.ExitCode.NO_TESTS_COLLECTED:
        raise AigatewayError(f"{order.root / 'features'}: has no scenario of the profile {order.profile}")
    if code == pytest.ExitCode.INTERRUPTED and not observer.failure:
        raise KeyboardInterrupt
    if observer.failure or code not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
        raise AigatewayError(observer.failure or f"the features could not be run (pytest's exit code {code})")
    scenarios = observer.scenarios
    result = RunResult(
        environment=order.environment,
        target=order.target,
        launcher=observer.launcher,
        started_at=started.isoformat(timespec="seconds"),
        seconds=round(time.monotonic() - clock, 1),
        conformant=code == pytest.ExitCode.OK and is_conformant(scenarios, order.selection),
        profile=order.profile,
        selection=order.selection,
        scenarios=scenarios,
    )
    write_atomically(order.folder / RESULT_FILE, result.model_dump_json(indent=2) + "\n")
    return result


def _require_choice(order: Order) -> None:
    """Ask pytest what `-k` and `-m` choose, before a gateway is started for it."""
    said = io.StringIO()
    with contextlib.redirect_stderr(said):
        code = pytest.main([*order.features, "--collect-only"])
    if code == pytest.ExitCode.NO_TESTS_COLLECTED:
        raise AigatewayError(f"no scenario is chosen by {order.selection}")
    if code == pytest.ExitCode.USAGE_ERROR:
        raise AigatewayError(said.getvalue().strip().removeprefix("ERROR: "))


def _clear(folder: Path) -> None:
    """Make `folder` ready for a run: what an earlier one left there would pass for this one's."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in (RESULT_FILE, JUNIT_FILE):
            (folder / name).unlink(missing_ok=True)
    except OSError as error:
        raise AigatewayError(f"{folder}: cannot be written to: {error.strerror}") from error


@contextlib.contextmanager
def _temporary_folder() -> Iterator[Path]:
    """Where pytest makes the scenarios' folders: by itself it keeps those of the last three runs."""
    try:
        folder = tempfile.TemporaryDirectory(prefix="aigateway-accept-", ignore_cleanup_errors=True)
    except OSError as error:
        raise AigatewayError(
            f"no temporary folder can be made: {error.strerror}; name another place in TMPDIR"
        ) from error
    with folder as name:
        yield Path(name) / "scenarios"


def tabulate(result: RunResult) -> Table:
    """A table with a row for each requirement: how many scenarios prove it, and how they ended."""
    table = Table("Requirement", "Scenarios", "Passed", "Failed", "Skipped", "Harness errors", box=None)
    for requirement, scenarios in sorted(_group(result.scenarios).items()):
        counts = {verdict: sum(one.verdict == verdict for one in scenarios) for verdict in _MARKS}
        style = "" if counts["passed"] == len(scenarios) else "bold red"
        table.add_row(
            requirement, str(len(scenarios)), *(str(count or "·") for count in counts.values()), style=style
        )
    return table


def _group(scenarios: Iterable[ScenarioResult]) -> dict[str, list[ScenarioResult]]:
    groups: dict[str, list[ScenarioResult]] = defaultdict(list)
    for scenario in scenarios:
        for requirement in scenario.requirements:
            groups[requirement].append(scenario)
    return groups


def list_failures(result: RunResult, order: Order) -> Iterator[str]:
    """For each scenario that did not pass: what it was, where it stopped, why, and the command that repeats it."""
    for scenario in result.scenarios:
        if scenario.core and scenario.verdict != "passed":
            title = f"{scenario.verdict}: {scenario.feature}: {scenario.name}"
            again = f"again: {_repeat(scenario, result, order)}"
            yield "\n    ".join(filter(None, (title, scenario.step, scenario.reason, again)))


def _repeat(scenario: ScenarioResult, result: RunResult, order: Order) -> str:
    words = [".venv/bin/pytest", scenario.id, "--environment", result.environment]
    if result.launcher:
        words += ["--launcher", result.launcher]
    else:
        words += ["--target", result.target, "--base-url", order.base_url]
    return shlex.join(words)
