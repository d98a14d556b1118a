"""What a run of features comes to: run for real by the command line, against a server that stands in for a gateway.

The features are tiny and made here, one for each thing that can happen to a scenario.
"""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from conftest import PATIENCE_SECONDS, Machine, make_machine
from tiny_features import KEY, Run, serve_gateway

from aigateway.acceptance.results import RunResult, ScenarioResult, Verdict, is_conformant, list_requirements
from aigateway.acceptance.run import Order, list_failures


@pytest.fixture
def gateway() -> Iterator[str]:
    with serve_gateway() as url:
        yield url


@pytest.fixture
def run(machine: Machine, gateway: str) -> Run:
    return Run(machine, gateway)


def test_all_passed_is_conformant(run: Run) -> None:
    done = run.accept("nothing wrong", "nothing wrong")
    assert done.returncode == 0, done.stderr
    assert "dev: conformant, 2 of 2 scenarios, " in done.stdout
    assert run.result.conformant
    assert run.machine.find_leftovers() == []


def test_a_selection_never_conforms_and_an_earlier_result_is_removed(run: Run) -> None:
    done = run.accept("nothing wrong", "nothing wrong", arguments=("-m", "FR1"))
    assert done.returncode == 1
    assert "NOT conformant, 2 of 2 scenarios" in done.stdout
    assert "(only -m FR1)" in done.stdout
    assert not run.result.conformant

    broken = "nothing wrong\n  nonsense"
    assert run.accept(broken).returncode == 2
    assert list(run.folder.glob("result.json")) == []


# --- one run of everything that can go wrong

GOOD = "nothing wrong"
WRONG: dict[str, Verdict] = {
    "a gateway that is wrong": "failed",
    "a gateway that is wrong, shown with its key": "failed",
    "a harness that is wrong": "error",
    "a step that nobody wrote": "error",
    "a harness that cannot clean up": "error",
    "a worker that dies": "error",
    "a scenario that is skipped": "skipped",
}


@dataclass(frozen=True)
class Finished:
    run: Run
    done: subprocess.CompletedProcess[str]

    def find(self, step: str) -> ScenarioResult:
        """The result of the scenario with this step, by its number."""
        name = f"it_s_{[GOOD, *WRONG].index(step)}"
        (found,) = (
            one for one in self.run.result.scenarios if one.id.lower().endswith(name.replace("_s_", "s_"))
        )
        return found


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Finished]:
    with serve_gateway() as url:
        run = Run(make_machine(tmp_path_factory.mktemp("wrong")), url)
        yield Finished(run, run.accept(GOOD, *WRONG))


def test_what_is_wrong_makes_the_run_not_conformant(finished: Finished) -> None:
    assert finished.done.returncode == 1, finished.done.stderr
    assert (
        "dev: NOT conformant, 1 of 8 scenarios, 2 failed, 1 skipped, 4 harness errors, "
        in finished.done.stdout
    )
    assert not finished.run.result.conformant


@pytest.mark.parametrize(("step", "verdict"), [(GOOD, "passed"), *WRONG.items()])
def test_each_scenario_has_its_verdict_and_its_reason(
    finished: Finished, step: str, verdict: Verdict
) -> None:
    found = finished.find(step)
    assert found.verdict == verdict
    assert bool(found.reason) == (verdict != "passed")


def test_a_failure_says_the_step_the_reason_and_how_to_repeat_it(finished: Finished) -> None:
    failure = finished.find("a gateway that is wrong")
    assert (
        f"failed: Tiny: {failure.name}\n    Given a gateway that is wrong\n    AssertionError: "
        in finished.done.stdout
    )
    again = next(
        line.partition("again: ")[2]
        for line in finished.done.stdout.splitlines()
        if "again: " in line and failure.id in line
    )
    words = shlex.split(again)
    assert words[0] == ".venv/bin/pytest"
    words[0] = str(Path(sys.executable).with_name("pytest"))
    machine = finished.run.machine
    repeated = subprocess.run(
        [*words, "-p", "no:cacheprovider"],
        cwd=machine.checkout,
        env=machine.environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_SECONDS,
    )
    assert repeated.returncode == 1, repeated.stdout + repeated.stderr
    assert "1 failed" in repeated.stdout, "the scenario alone is run, and fails again"


@pytest.mark.parametrize(("tags", "more"), [(("local",), []), (("local", "slow"), ["--profile", "full"])])
def test_the_command_that_repeats_a_scenario_can_be_pasted_whatever_its_name(
    tags: tuple[str, ...], more: list[str]
) -> None:
    name = "features/test_features.py::test_x[LiteLLM's master key $(id)]"
    result = RunResult(
        environment="dev",
        target="local",
        launcher="process",
        started_at="",
        seconds=0,
        conformant=False,
        scenarios=(scenario("failed").model_copy(update={"id": name, "tags": tags}),),
    )
    (said,) = list_failures(result, Order(Path(), "dev", "process", profile="full"))
    words = [".venv/bin/pytest", name, "--environment", "dev", *more, "--launcher", "process"]
    assert shlex.split(said.rpartition("again: ")[2]) == words


def test_no_key_is_in_what_is_printed_or_written(finished: Finished) -> None:
    written = "".join(path.read_text() for path in finished.run.folder.iterdir())
    assert "[not shown]" in written
    assert KEY not in written + finished.done.stdout + finished.done.stderr
    failures = ET.parse(finished.run.folder / "junit.xml").findall(".//failure")  # noqa: S314 - our own file
    assert any("[not shown]" in (failure.text or "") for failure in failures)


# --- the parts by themselves


def scenario(verdict: Verdict, *, core: bool = True) -> ScenarioResult:
    return ScenarioResult(
        id="x",
        feature="x",
        name="x",
        scenario="x",
        requirements=("FR1",),
        core=core,
        verdict=verdict,
        seconds=0,
    )


@pytest.mark.parametrize(
    ("scenarios", "selection", "expected"),
    [
        ([scenario("passed")], "", True),
        ([scenario("passed"), scenario("skipped", core=False)], "", True),
        ([scenario("passed"), scenario("skipped")], "", False),
        ([scenario("passed"), scenario("error")], "", False),
        ([scenario("passed"), scenario("failed")], "", False),
        ([scenario("passed")], "-k x", False),
        ([scenario("skipped", core=False)], "", False),
        ([], "", False),
    ],
)
def test_conformance(scenarios: list[ScenarioResult], selection: str, *, expected: bool) -> None:
    assert is_conformant(scenarios, selection) is expected


def test_requirements_are_told_from_other_tags() -> None:
    assert list_requirements(["FR1", "NFR2", "AC3", "G4", "local", "costs-tokens", "FR", "XFR1"]) == (
        "AC3",
        "FR1",
        "G4",
        "NFR2",
    )


def test_the_schema_of_a_result_is_json() -> None:
    assert json.loads(json.dumps(RunResult.model_json_schema()))["title"] == "RunResult"
