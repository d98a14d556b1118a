"""`aigateway accept`: runs the features with pytest and turns their reports into a result, a table and files."""

from __future__ import annotations

import datetime
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
        return " ".join(f"{option} '{value}'" for option, value in parts if value)

    @property
    def arguments(self) -> list[str]:
        """What pytest is called with."""
        return [
            str(self.root / "features"),
            f"--rootdir={self.root}",
            f"--environment={self.environment}",
            f"--launcher={self.launcher}",
            f"--target={self.target}",
            f"--base-url={self.base_url}",
            f"--numprocesses={WORKERS}",
            # A worker takes the next scenario when it is free; the long ones stand in different files.
            "--dist=worksteal",
            f"--junitxml={self.folder / JUNIT_FILE}",
            # What pytest prints is for whoever calls pytest.
            "-pno:terminal",
            "-pno:cacheprovider",
            *(["-k", self.keyword] if self.keyword else []),
            *(["-m", self.tags] if self.tags else []),
        ]


class _Observer:
    """Collects the scenarios' results and says each as it comes."""

    def __init__(self, console: Console) -> None:
        self.scenarios: list[ScenarioResult] = []
        self.launcher: LauncherName | None = None
        self.failure = ""
        self._console = console
        self._total = 0

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, ids: list[str]) -> None:
        self._total = len(ids)

    def pytest_unconfigure(self, config: pytest.Config) -> None:
        owner = config.pluginmanager.get_plugin(StackOwner.NAME)
        if isinstance(owner, StackOwner):
            self.failure = owner.failure
            self.launcher = owner.stack.launcher.name if owner.stack else None

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        result = read_result(report)
        if result is None:
            return
        self.scenarios.append(result)
        count = f"{len(self.scenarios):>{len(str(self._total))}}/{self._total}"
        name = escape(f"{result.feature}: {result.name}")
        self._console.print(
            f"{_MARKS[result.verdict]} {count} {name} [dim]{result.seconds:.1f} s[/]", highlight=False
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
    order.folder.mkdir(parents=True, exist_ok=True)
    for name in (RESULT_FILE, JUNIT_FILE):
        (order.folder / name).unlink(missing_ok=True)
    code = pytest.main(order.arguments, plugins=[observer])
    if code == pytest.ExitCode.NO_TESTS_COLLECTED:
        raise AigatewayError(f"no scenario is chosen by {order.selection or 'the features folder'}")
    if code == pytest.ExitCode.INTERRUPTED and not observer.failure:
        raise KeyboardInterrupt
    if code not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
        raise AigatewayError(observer.failure or f"the features could not be run (pytest's exit code {code})")
    scenarios = tuple(sorted(observer.scenarios, key=lambda scenario: (scenario.feature, scenario.id)))
    result = RunResult(
        environment=order.environment,
        target=order.target,
        launcher=observer.launcher,
        started_at=started.isoformat(timespec="seconds"),
        seconds=round(time.monotonic() - clock, 1),
        conformant=is_conformant(scenarios, order.selection),
        selection=order.selection,
        scenarios=scenarios,
    )
    write_atomically(order.folder / RESULT_FILE, result.model_dump_json(indent=2) + "\n")
    return result


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


def list_failures(result: RunResult) -> Iterator[str]:
    """For each scenario that did not pass: what it was, where it stopped, why, and the command that repeats it."""
    for scenario in result.scenarios:
        if scenario.core and scenario.verdict != "passed":
            yield (
                f"{scenario.verdict}: {scenario.feature}: {scenario.name}\n"
                f"    {scenario.step}\n    {scenario.reason}\n"
                f"    again: .venv/bin/pytest '{scenario.id}' --environment {result.environment}"
            )
