"""The pytest plugin under the features: it starts one stack for the whole run and judges each scenario.

With `-n` (pytest-xdist) the controlling process starts the stack and the workers use it; without, one does both.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import threading
from collections.abc import Generator, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, cast

import httpx
import openai
import pytest
from pytest_bdd.parser import ScenarioTemplate
from pytest_bdd.scenario import scenario_wrapper_template_registry
from rich.console import Console

from aigateway.acceptance.features import ScenarioKey
from aigateway.acceptance.metering import METER
from aigateway.acceptance.observing import attach_record
from aigateway.acceptance.profiles import CLIENT_PROFILES, PROFILES, SLOW, Profile, belongs
from aigateway.acceptance.redaction import Redactor
from aigateway.acceptance.results import ScenarioResult, Verdict, list_requirements
from aigateway.acceptance.retrying import Retrying, list_earlier_tries
from aigateway.acceptance.sharing import find_shared
from aigateway.acceptance.tags import ANOTHER_GATEWAY, TAGS
from aigateway.acceptance.target import Target, find_deployed, find_local
from aigateway.deployed.deployment import is_this_machine
from aigateway.errors import AigatewayError, LaunchError
from aigateway.launching.choice import LauncherChoice, choose_launcher
from aigateway.launching.parts import quote_end
from aigateway.launching.stack import Stack, StackReference, run_stack
from aigateway.rendering.renderer import render_environment
from aigateway.settings.loading import find_root
from aigateway.signals import interrupt_on_terminate

#: Plugins that come with this one.
pytest_plugins = ["aigateway.acceptance.observing"]

_STACK_INPUT = "aigateway_stack"
_RESULT_PROPERTY = "aigateway_result"

#: What a step raises when the gateway behaved otherwise than it should; anything else is the harness's own mistake.
_GATEWAY_FAILURES = (AssertionError, openai.OpenAIError, httpx.HTTPError)


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("aigateway")
    group.addoption("--environment", default="dev", help="environment whose settings the gateway follows")
    group.addoption("--launcher", choices=("auto", "container", "process"), default="auto")
    group.addoption("--target", choices=("local", "deployed"), default="local")
    group.addoption("--profile", choices=PROFILES, default="core", help="which scenarios; default: core")
    group.addoption("--words", default="", help="only scenarios with these words in their name")
    group.addoption("--stack", type=Path, help="file that refers to a local stack that runs already")
    group.addoption("--base-url", default="", help="a deployed gateway's address, without /v1")
    group.addoption("--workspace", default="", help="id of the Log Analytics workspace of its logs")
    group.addoption("--token-budget", type=int, help="tokens that the run may cost at most")


def pytest_configure(config: pytest.Config) -> None:
    for name, meaning in TAGS.items():
        config.addinivalue_line("markers", f"{name}: {meaning}")
    option = config.option
    if option.target == "local" or is_this_machine(option.base_url):
        _reach_directly(config)
    if option.collectonly:
        return
    shared = find_shared(config)
    METER.use(shared.budget, shared.pace)
    if option.target == "deployed":
        config.pluginmanager.register(Retrying())
    if _needs_stack(config) and not config.pluginmanager.has_plugin(StackOwner.NAME):
        root = find_root(config.invocation_params.dir)
        config.pluginmanager.register(StackOwner(root, option.environment, option.launcher))


def _needs_stack(config: pytest.Config) -> bool:
    option = config.option
    return option.target == "local" and option.stack is None and not _is_worker(config)


def _reach_directly(config: pytest.Config) -> None:
    """Have the scenarios' clients reach what runs here without this machine's proxy, if it has one."""
    patch = pytest.MonkeyPatch()
    config.add_cleanup(patch.undo)
    # The last address is where containers, and the scenarios with them, reach this machine.
    for name in ("NO_PROXY", "no_proxy"):
        patch.setenv(
            name, ",".join(filter(None, (os.environ.get(name), "127.0.0.1,localhost,172.16.0.0/12")))
        )


class StackOwner:
    """Starts the stack, in the process that controls the run, and stops it when it is closed, however that comes.

    `failure` says why the run had to be given up: the stack did not start, or died.
    """

    NAME = "aigateway-stack"

    def __init__(self, root: Path, environment: str, launcher: LauncherChoice) -> None:
        self.__name__ = self.NAME  # by which pytest registers it
        self.stack: Stack | None = None
        self.failure = ""
        self._root, self._environment, self._choice = root, environment, launcher
        self._undo = ExitStack()
        self._told_to_end = threading.Event()

    def start(self) -> Stack:
        """Have the stack start, if it has not been; LiteLLM takes so long that nothing should be done before.

        Raises AigatewayError when it cannot.
        """
        if self.stack is None:
            self._told_to_end = self._undo.enter_context(interrupt_on_terminate())
            rendering = render_environment(self._root, self._environment)
            launcher = choose_launcher(self._choice, rendering.settings, Console(stderr=True))
            self.stack = self._undo.enter_context(run_stack(self._root, rendering, launcher))
        return self.stack

    def close(self) -> None:
        """Stop what was started."""
        self._undo.close()

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionstart(self, session: pytest.Session) -> Generator[None, None, None]:
        """Start before everything else and wait after it: while LiteLLM starts, so do pytest's workers."""
        session.config.add_cleanup(self.close)
        with self._give_up_on_error():
            reference_path = self._undo.enter_context(_keep_for_workers(self.start().reference))
            session.config.stash[_REFERENCE] = reference_path
        yield
        if self.stack:
            with self._give_up_on_error():
                self.stack.wait_until_ready(give_up=self._told_to_end.is_set)
            if self._told_to_end.is_set():
                raise KeyboardInterrupt

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection(self) -> None:
        """Give up here when the stack did not start: before this, pytest would print the reason by itself too."""
        if self.failure:
            pytest.exit(self.failure, returncode=AigatewayError.exit_code)

    def pytest_configure_node(self, node: Any) -> None:
        """Tell a worker where the stack is."""
        if self.stack:
            node.workerinput[_STACK_INPUT] = str(node.config.stash[_REFERENCE])

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Stop the run when a part of the gateway has died: every scenario after it would only say so again."""
        if not report.failed or self.stack is None:
            return
        for part in (self.stack.litellm, self.stack.edge):
            if not part.is_running():
                self.failure = f"{part.name} died in the middle of the run {quote_end(part)}"
                pytest.exit(self.failure, returncode=AigatewayError.exit_code)

    @contextlib.contextmanager
    def _give_up_on_error(self) -> Iterator[None]:
        try:
            yield
        except AigatewayError as error:
            self.failure = str(error)


_REFERENCE = pytest.StashKey[Path]()


@contextlib.contextmanager
def _keep_for_workers(reference: StackReference) -> Iterator[Path]:
    """A file for this run's own processes: it holds the run's keys, so nobody else can read it."""
    try:
        descriptor, name = tempfile.mkstemp(prefix="aigateway-stack-", suffix=".json")
    except OSError as error:
        raise LaunchError(
            f"no temporary file can be made: {error.strerror}; name another place in TMPDIR"
        ) from error
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(reference.model_dump_json())
        yield Path(name)
    finally:
        Path(name).unlink(missing_ok=True)


def _is_worker(config: pytest.Config) -> bool:
    return hasattr(config, "workerinput")


@pytest.fixture(scope="session")
def target(pytestconfig: pytest.Config) -> Target:
    """The gateway of this run; what is reported of it holds none of its secrets."""
    found = _find_target(pytestconfig)
    pytestconfig.stash[_TARGET] = found
    return found


_TARGET = pytest.StashKey[Target]()


def _find_target(pytestconfig: pytest.Config) -> Target:
    options = pytestconfig.option
    deployment = find_shared(pytestconfig).deployment
    if deployment:
        return find_deployed(deployment)
    path = options.stack or (
        Path(pytestconfig.workerinput[_STACK_INPUT])  # type: ignore[attr-defined] # xdist's
        if _is_worker(pytestconfig)
        else pytestconfig.stash[_REFERENCE]
    )
    return find_local(StackReference.model_validate_json(path.read_text()))


def find_redactor(config: pytest.Config) -> Redactor:
    """What knows the secrets of the run, in the process that controls it."""
    owner = config.pluginmanager.get_plugin(StackOwner.NAME)
    if isinstance(owner, StackOwner) and owner.stack:
        return Redactor.of_stack(owner.stack.reference)
    deployment = find_shared(config).deployment
    return Redactor(frozenset({deployment.key})) if deployment else Redactor()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is no part of the profile; skip, with the reason, what cannot run against this target."""
    _choose(config, items)
    # At the head of the line, where no other worker steals: they then share what they start.
    items.sort(key=lambda item: item.get_closest_marker(ANOTHER_GATEWAY) is None)
    name = config.option.target
    reasons = {
        "deployed": "needs control of Azure and the gateway, with nothing in front: only a local run has that",
        "local": "runs only against a deployed gateway",
    }
    for item in items:
        if _find_scenario(item) and item.get_closest_marker(name) is None:
            item.add_marker(pytest.mark.skip(reason=reasons[name]))


def _choose(config: pytest.Config, items: list[pytest.Item]) -> None:
    profile = cast("Profile", config.option.profile)
    chosen: list[pytest.Item] = []
    others: list[pytest.Item] = []
    for item in items:
        scenario = _find_scenario(item)
        part = scenario is None or (
            belongs({mark.name for mark in item.iter_markers()}, profile)
            and _is_called(item, scenario.name, config.option.words)
        )
        (chosen if part else others).append(item)
    items[:] = chosen
    if others:
        config.hook.pytest_deselected(items=others)


def _is_called(item: pytest.Item, template: str, words: str) -> bool:
    """Whether `words` stand in the scenario's name, as it is written or with its example's values."""
    names = (template, _name_scenario(item, template))
    return any(words.casefold() in name.casefold() for name in names)


def pytest_runtest_logstart() -> None:
    """A scenario begins, with its first try."""
    METER.begin()


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Forget the step at which an earlier try failed."""
    item.stash[_FAILED_STEP] = ""


def _find_scenario(item: pytest.Item) -> ScenarioTemplate | None:
    return scenario_wrapper_template_registry.get(item.obj) if isinstance(item, pytest.Function) else None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Give each scenario's report its result, in a form that travels from a worker."""
    report = yield
    _redact(report, item.config)
    scenario = _find_scenario(item)
    if scenario and (report.when == "call" or report.outcome != "passed"):
        result = _judge(item, scenario, call, report)
        setattr(report, _RESULT_PROPERTY, result.model_dump_json())
        attach_record(report, item, scenario, _find_example(item))
    return report


def _redact(report: pytest.TestReport, config: pytest.Config) -> None:
    """Take the gateway's secrets out of a report, from which pytest's own output and JUnit's file are made."""
    target = config.stash.get(_TARGET, None)
    if target is None or not report.failed:
        return
    report.sections = [(title, target.redact(text)) for title, text in report.sections]
    text = str(report.longrepr)
    if target.redact(text) != text:
        report.longrepr = target.redact(text)


def read_result(report: pytest.TestReport) -> ScenarioResult | None:
    """The scenario's result that `report` carries, if it does."""
    text = getattr(report, _RESULT_PROPERTY, None)
    return ScenarioResult.model_validate_json(text) if text else None


def read_key(item: pytest.Item) -> ScenarioKey | None:
    """Which scenario this item is; None when it is none."""
    scenario = _find_scenario(item)
    return ScenarioKey(scenario.name, _list_cells(item)) if scenario else None


def _judge(
    item: pytest.Item, scenario: ScenarioTemplate, call: pytest.CallInfo[None], report: pytest.TestReport
) -> ScenarioResult:
    tags = {mark.name for mark in item.iter_markers()}
    earlier = list_earlier_tries(item)
    target = item.config.stash.get(_TARGET, None)
    return ScenarioResult(
        id=item.nodeid,
        feature=scenario.feature.name,
        name=_name_scenario(item, scenario.name),
        scenario=scenario.name,
        example=_list_cells(item),
        requirements=list_requirements(tags),
        profiles=tuple(sorted(tags & set(CLIENT_PROFILES))),
        core=item.config.option.target in tags and SLOW not in tags,
        verdict=_decide(report, call),
        seconds=round(report.duration, 3),
        reason=_explain(report, call, item.config),
        step=item.stash.get(_FAILED_STEP, ""),
        tags=tuple(sorted(tags & set(TAGS))),
        tries=len(earlier) + 1,
        earlier=tuple(target.redact(why) if target else why for why in earlier),
        tokens=METER.finish(),
    )


def _decide(report: pytest.TestReport, call: pytest.CallInfo[None]) -> Verdict:
    if report.outcome == "passed":
        return "passed"
    if report.outcome == "skipped":
        return "skipped"
    raised = call.excinfo.value if call.excinfo else None
    return "failed" if report.when == "call" and isinstance(raised, _GATEWAY_FAILURES) else "error"


def _explain(report: pytest.TestReport, call: pytest.CallInfo[None], config: pytest.Config) -> str:
    if report.outcome == "passed" or call.excinfo is None:
        return ""
    if report.outcome == "skipped":
        return str(call.excinfo.value)
    # A note says how a request that was made up is made up again.
    notes = getattr(call.excinfo.value, "__notes__", ())
    text = "\n".join([f"{call.excinfo.typename}: {call.excinfo.value}", *notes])
    target = config.stash.get(_TARGET, None)
    return (target.redact(text) if target else text)[:2000]


def _name_scenario(item: pytest.Item, template: str) -> str:
    """The scenario's name with its example's values in it."""
    example = _find_example(item)
    for key, value in example.items():
        template = template.replace(f"<{key}>", str(value))
    missing = [str(value) for value in example.values() if str(value) not in template]
    return f"{template} [{', '.join(missing)}]" if missing else template


def _find_example(item: pytest.Item) -> dict[str, str]:
    """The row of the outline that this item is; empty for a plain scenario."""
    callspec = getattr(item, "callspec", None)
    return callspec.params.get("_pytest_bdd_example", {}) if callspec else {}


def _list_cells(item: pytest.Item) -> tuple[str, ...]:
    return tuple(str(value) for value in _find_example(item).values())


_FAILED_STEP = pytest.StashKey[str]()


def pytest_bdd_step_error(request: pytest.FixtureRequest, step: Any) -> None:
    """Remember which step failed."""
    request.node.stash[_FAILED_STEP] = f"{step.keyword} {step.name}"
