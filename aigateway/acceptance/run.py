"""`aigateway accept`: runs the features with pytest and turns their reports into a result, a table and files."""

from __future__ import annotations

import contextlib
import datetime
import io
import re
import shlex
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from aigateway.acceptance.budget import Tally, choose_budget
from aigateway.acceptance.calling import call_pytest
from aigateway.acceptance.features import hash_features, list_scenarios
from aigateway.acceptance.findings import REPORT_FILES, Findings, locate_run
from aigateway.acceptance.observing import read_record
from aigateway.acceptance.plugin import StackOwner, find_redactor, read_result
from aigateway.acceptance.profiles import SLOW, Profile, belongs
from aigateway.acceptance.records import Record
from aigateway.acceptance.redaction import Redactor
from aigateway.acceptance.results import (
    DeployedGateway,
    RunResult,
    ScenarioResult,
    TargetName,
    Verdict,
    is_conformant,
)
from aigateway.acceptance.sharing import share
from aigateway.acceptance.tags import require_tags
from aigateway.deployed.app import show_app
from aigateway.deployed.deployment import Deployment, find_deployment
from aigateway.errors import AigatewayError
from aigateway.files import make_temporary_folder, write_atomically
from aigateway.launching.choice import LauncherChoice
from aigateway.launching.parts import PROCESSES, LauncherName
from aigateway.settings.loading import load_environment

RESULT_FILE = "result.json"
JUNIT_FILE = "junit.xml"

_MARKS: dict[Verdict, str] = {
    "passed": "[green]✓[/]",
    "failed": "[red]✗[/]",
    "skipped": "[yellow]–[/]",
    "error": "[magenta]![/]",
}


@dataclass(frozen=True)
class Order:
    """What to run: `tags` is pytest's `-m`, `keyword` its `-k` or words of scenarios' names."""

    root: Path
    environment: str
    launcher: LauncherChoice = "auto"
    target: TargetName = "local"
    base_url: str = ""
    profile: Profile = "core"
    keyword: str = ""
    tags: str = ""
    workspace: str = ""
    token_budget: int | None = None
    revision: str = ""

    @property
    def folder(self) -> Path:
        """Where the run leaves its files."""
        return locate_run(self.root, self.environment, self.target)

    @property
    def selection(self) -> str:
        """What was chosen of the features; empty for all of them."""
        parts = (("-k", self.keyword), ("-m", self.tags))
        return " ".join(f"{option} {shlex.quote(value)}" for option, value in parts if value)

    @property
    def _choice(self) -> list[str]:
        """What `keyword` says, as pytest's arguments."""
        if not self.keyword:
            return []
        return [f"--words={self.keyword}"] if _is_phrase(self.keyword) else ["-k", self.keyword]

    @property
    def features(self) -> list[str]:
        """What to collect, as pytest's arguments; what pytest prints is for whoever calls pytest."""
        return [
            str(self.root / "features"),
            f"--rootdir={self.root}",
            "-pno:terminal",
            "-pno:cacheprovider",
            f"--profile={self.profile}",
            *self._choice,
            *(["-m", self.tags] if self.tags else []),
        ]

    def list_arguments(self, scenarios: int) -> list[str]:
        """What pytest is called with, to run so many."""
        return [
            *self.features,
            f"--environment={self.environment}",
            f"--launcher={self.launcher}",
            f"--target={self.target}",
            f"--base-url={self.base_url}",
            f"--workspace={self.workspace}",
            *([] if self.token_budget is None else [f"--token-budget={self.token_budget}"]),
            # Each has much to load before its first scenario.
            f"--numprocesses={min(PROCESSES, scenarios)}",
            # A worker takes the next scenario when it is free; the long ones stand in different files.
            "--dist=worksteal",
            f"--junitxml={self.folder / JUNIT_FILE}",
        ]


def _is_phrase(keyword: str) -> bool:
    """Whether two words follow each other with nothing between them, which no expression of pytest's allows."""
    words = re.findall(r"[()]|[^\s()]+", keyword)
    return any(
        first not in {"and", "or", "not", "("} and second not in {"and", "or", ")"}
        for first, second in pairwise(words)
    )


class _Observer:
    """Collects the scenarios' results and says each as it comes."""

    def __init__(self, console: Console) -> None:
        self._results: dict[str, ScenarioResult] = {}
        self.records: dict[str, Record] = {}
        self.redactor = Redactor()
        self.launcher: LauncherName | None = None
        self.failure = ""
        self.tally: Tally | None = None
        self._console = console
        self._total = 0

    @property
    def scenarios(self) -> tuple[ScenarioResult, ...]:
        """Each scenario once, in the order of the features."""
        return tuple(sorted(self._results.values(), key=lambda result: (result.feature, result.id)))

    def pytest_sessionstart(self, session: pytest.Session) -> None:
        self.redactor = find_redactor(session.config)

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
        result = self.redactor.redact_model(result)
        record = read_record(report)
        if record:
            self.records[result.id] = self.redactor.redact_model(record)
        # One that fails when it is torn down has passed before: the last word counts.
        self._results[result.id] = result
        count = f"{len(self._results):>{len(str(self._total))}}/{self._total}"
        name = escape(f"{result.feature}: {result.name}")
        mark, flaky = ("[yellow]✓[/]", ", flaky") if result.flaky else (_MARKS[result.verdict], "")
        self._console.print(f"{mark} {count} {name} [dim]{result.seconds:.1f} s{flaky}[/]", highlight=False)


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


def accept(order: Order, console: Console, report: Callable[[Findings], None]) -> RunResult:
    """Run the features that `order` describes, showing each scenario as it ends; writes the result and JUnit.

    `report` is given what was found, also when the run did not come to its end.
    Raises AigatewayError when the gateway could not be started, died, or no scenario was run.
    """
    started = datetime.datetime.now(datetime.UTC)
    clock = time.monotonic()
    observer = _Observer(console)
    tokens = choose_budget(order.target, order.token_budget)
    deployment = _find_deployment(order)
    chosen = _count_chosen(order) if order.selection else 0
    settings = load_environment(order.root, order.environment)
    _clear(order.folder)
    try:
        scenarios = chosen or _count_written(order)
        with (
            make_temporary_folder("accept") as folder,
            share(settings, deployment, tokens) as shared,
            _start_stack(order) as owners,
        ):
            # pytest makes the scenarios' folders there: by itself it keeps those of the last three runs.
            arguments = [*order.list_arguments(scenarios), f"--basetemp={folder / 'scenarios'}"]
            code = call_pytest(arguments, (observer, shared, *owners))
            observer.tally = shared.budget.read() if shared.budget else None
        _redact_file(order.folder / JUNIT_FILE, observer.redactor)
        _require_end(observer, code)
    except (AigatewayError, KeyboardInterrupt) as error:
        result = _conclude(order, observer, deployment, started, time.monotonic() - clock, conformant=False)
        with contextlib.suppress(AigatewayError):  # what has gone wrong before is what has to be told
            report(_gather(order, observer, result, aborted=str(error) or "it was stopped"))
        raise
    conformant = code == pytest.ExitCode.OK and is_conformant(observer.scenarios, order.selection)
    result = _conclude(order, observer, deployment, started, time.monotonic() - clock, conformant=conformant)
    write_atomically(order.folder / RESULT_FILE, result.model_dump_json(indent=2) + "\n")
    report(_gather(order, observer, result))
    return result


@contextlib.contextmanager
def _start_stack(order: Order) -> Iterator[tuple[StackOwner, ...]]:
    """What owns the stack, which starts while pytest reads the features; nothing for a deployed gateway."""
    if order.target == "deployed":
        yield ()
        return
    with contextlib.closing(StackOwner(order.root, order.environment, order.launcher)) as owner:
        owner.start()
        yield (owner,)


def _require_end(observer: _Observer, code: int) -> None:
    """Raise what ended the run, if it did not come to its end."""
    if code == pytest.ExitCode.INTERRUPTED and not observer.failure:
        raise KeyboardInterrupt
    if observer.failure or code not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
        raise AigatewayError(observer.failure or f"the features could not be run (pytest's exit code {code})")


def _conclude(
    order: Order,
    observer: _Observer,
    deployment: Deployment | None,
    started: datetime.datetime,
    seconds: float,
    *,
    conformant: bool,
) -> RunResult:
    scenarios = observer.scenarios
    tally = observer.tally
    in_budget = tally is None or not tally.refused
    return RunResult(
        environment=order.environment,
        target=order.target,
        launcher=observer.launcher,
        deployment=_describe_deployment(deployment) if deployment else None,
        started_at=started.isoformat(timespec="seconds"),
        seconds=round(seconds, 1),
        conformant=conformant and in_budget,
        profile=order.profile,
        selection=order.selection,
        features=hash_features(order.root),
        tokens=tally.spent if tally else sum(scenario.tokens for scenario in scenarios),
        token_budget=tally.tokens if tally else None,
        scenarios=scenarios,
    )


def _describe_deployment(deployment: Deployment) -> DeployedGateway:
    """What of a deployment may be told: not its key."""
    return DeployedGateway(
        base_url=deployment.base_url, revision=deployment.revision, images=deployment.images
    )


def _gather(order: Order, observer: _Observer, result: RunResult, aborted: str = "") -> Findings:
    return Findings(
        folder=order.folder,
        result=result,
        records=observer.records,
        commands={scenario.id: _repeat(scenario, result, order) for scenario in result.scenarios},
        aborted=observer.redactor.redact(aborted),
    )


def _redact_file(path: Path, redactor: Redactor) -> None:
    """Take secrets out of what pytest has written by itself: names of files and scenarios stand there as they are."""
    if path.exists():
        write_atomically(path, redactor.redact(path.read_text(encoding="utf-8")))


def _find_deployment(order: Order) -> Deployment | None:
    if order.target == "deployed":
        deployment = find_deployment(order.root, order.environment, order.base_url, order.workspace)
        return deployment.model_copy(update={"revision": _find_revision(order)})
    if order.base_url or order.workspace or order.revision:
        raise AigatewayError(
            "--base-url, --workspace and --revision are of a deployed gateway; add --target deployed"
        )
    return None


def _find_revision(order: Order) -> str:
    """The revision that has the traffic; empty where nobody says it: behind an address may be any app."""
    if order.revision or order.base_url:
        return order.revision
    try:
        return show_app(load_environment(order.root, order.environment)).ready or ""
    except AigatewayError as error:
        raise AigatewayError(f"--revision is not given, and {error}") from error


class _Count:
    """Counts what pytest collects."""

    def __init__(self) -> None:
        self.scenarios = 0

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self.scenarios = len(session.items)


def _count_chosen(order: Order) -> int:
    """How many scenarios `-k` and `-m` choose, by pytest, before a gateway is started for them."""
    require_tags(order.tags)
    said = io.StringIO()
    count = _Count()
    with contextlib.redirect_stderr(said):
        code = call_pytest([*order.features, "--collect-only"], [count])
    if code == pytest.ExitCode.NO_TESTS_COLLECTED:
        raise AigatewayError(f"no scenario is chosen by {order.selection}")
    if code == pytest.ExitCode.USAGE_ERROR:
        raise AigatewayError(said.getvalue().strip().removeprefix("ERROR: "))
    return count.scenarios


def _count_written(order: Order) -> int:
    """How many scenarios are of the profile; a feature that cannot be read is told before anything is started."""
    count = sum(belongs(scenario.tags, order.profile) for scenario in list_scenarios(order.root))
    if not count:
        raise AigatewayError(f"{order.root / 'features'}: has no scenario of the profile {order.profile}")
    return count


def _clear(folder: Path) -> None:
    """Make `folder` ready for a run: what an earlier one left there would pass for this one's."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in (RESULT_FILE, JUNIT_FILE, *REPORT_FILES):
            (folder / name).unlink(missing_ok=True)
    except OSError as error:
        raise AigatewayError(f"{folder}: cannot be written to: {error.strerror}") from error


def tabulate(result: RunResult) -> Table:
    """A table with a row for each requirement: how many scenarios prove it, and how they ended."""
    table = Table(
        "Requirement", "Scenarios", "Passed", "Failed", "Skipped", "Harness errors", "Flaky", box=None
    )
    for requirement, scenarios in sorted(_group(result.scenarios).items()):
        counts = {verdict: sum(one.verdict == verdict for one in scenarios) for verdict in _MARKS}
        style = "" if counts["passed"] == len(scenarios) else "bold red"
        numbers = [*counts.values(), sum(one.flaky for one in scenarios)]
        table.add_row(
            requirement, str(len(scenarios)), *(str(count or "·") for count in numbers), style=style
        )
    return table


def _group(scenarios: Iterable[ScenarioResult]) -> dict[str, list[ScenarioResult]]:
    groups: dict[str, list[ScenarioResult]] = defaultdict(list)
    for scenario in scenarios:
        for requirement in scenario.requirements:
            groups[requirement].append(scenario)
    return groups


def list_flaky(result: RunResult) -> Iterator[str]:
    """For each scenario that passed only when it was tried again: why it was."""
    for scenario in result.scenarios:
        if scenario.flaky:
            title = f"flaky: {scenario.feature}: {scenario.name}"
            yield "\n    ".join((title, f"passed at try {scenario.tries}; before that:", *scenario.earlier))


def list_failures(result: RunResult, order: Order) -> Iterator[str]:
    """For each that could run and did not pass: what it was, where it stopped, why, and the command that repeats it."""
    for scenario in result.scenarios:
        if scenario.verdict != "passed" and (scenario.core or result.target in scenario.tags):
            title = f"{scenario.verdict}: {scenario.feature}: {scenario.name}"
            again = f"again: {_repeat(scenario, result, order)}"
            yield "\n    ".join(filter(None, (title, scenario.step, scenario.reason, again)))


def _repeat(scenario: ScenarioResult, result: RunResult, order: Order) -> str:
    words = [".venv/bin/pytest", scenario.id, "--environment", result.environment]
    if SLOW in scenario.tags:
        words += ["--profile", "full"]
    if result.launcher:
        words += ["--launcher", result.launcher]
    else:
        words += ["--target", result.target]
        words += [f"--base-url={order.base_url}"] if order.base_url else []
        words += [f"--workspace={order.workspace}"] if order.workspace else []
    return shlex.join(words)
