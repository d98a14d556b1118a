"""What a run of features comes to: run for real by the command line, against a server that stands in for a gateway.

The features are tiny and made here, one for each thing that can happen to a scenario.
"""

from __future__ import annotations

import http.server
import json
import os
import shlex
import subprocess
import sys
import threading
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import PATIENCE_SECONDS, Machine

from aigateway.acceptance.results import RunResult, ScenarioResult, Verdict, is_conformant, list_requirements

KEY = "sk-" + "Zz9" * 12

STEPS = """
pytest_plugins = ["aigateway.acceptance.plugin"]

import os, pytest
from pytest_bdd import given, then, parsers

@given("nothing wrong")
def _(target): pass

@given(parsers.parse("nothing wrong with {thing}"))
def _(target, thing): pass

@given("a gateway that is wrong")
def _(target): assert "gateway" == "wrong", f"the key was {target.key}"

@given("a gateway that is wrong, shown with its key")
def _(target):
    print("printed:", target.key)
    headers = {"Authorization": f"Bearer {target.key}"}
    assert headers == {}

@given("a harness that is wrong")
def _(target): raise LookupError("our own mistake")

@given("a harness that cannot clean up")
def _(target, request): request.addfinalizer(lambda: 1 / 0)

@given("a worker that dies")
def _(target): os._exit(9)

@given("a scenario that is skipped")
def _(target): pytest.skip("no such thing here")
"""


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'{"data": []}')

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def gateway() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


class Run:
    """One `aigateway accept` of made-up scenarios."""

    def __init__(self, machine: Machine, gateway: str) -> None:
        self.machine = machine
        self.gateway = gateway
        machine.extra["AIGATEWAY_KEY"] = KEY

    def accept(self, *steps: str, arguments: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
        folder = self.machine.checkout / "features"
        for path in folder.iterdir():
            if path.is_file():
                path.unlink()
        text = "@FR1\nFeature: Tiny\n"
        for number, step in enumerate(steps):
            text += f"  @deployed\n  Scenario: It's {number}\n    Given {step}\n"
        (folder / "tiny.feature").write_text(text)
        (folder / "conftest.py").write_text(STEPS)
        (folder / "test_features.py").write_text("from pytest_bdd import scenarios\n\nscenarios('.')\n")
        return self.machine.run(
            "accept", "dev", "--target", "deployed", "--base-url", self.gateway, *arguments
        )

    @property
    def folder(self) -> Path:
        return self.machine.checkout / "build/accept/dev"

    @property
    def result(self) -> RunResult:
        return RunResult.model_validate_json((self.folder / "result.json").read_text())

    @property
    def verdicts(self) -> list[Verdict]:
        return [scenario.verdict for scenario in self.result.scenarios]


@pytest.fixture
def run(machine: Machine, gateway: str) -> Run:
    return Run(machine, gateway)


def test_all_passed_is_conformant(run: Run) -> None:
    done = run.accept("nothing wrong", "nothing wrong")
    assert done.returncode == 0, done.stderr
    assert "dev: conformant, 2 of 2 scenarios, " in done.stdout
    assert run.result.conformant
    assert run.machine.find_leftovers() == []


def test_a_failure_says_the_step_the_reason_and_how_to_repeat_it(run: Run) -> None:
    done = run.accept("nothing wrong", "a gateway that is wrong")
    assert done.returncode == 1
    assert "dev: NOT conformant, 1 of 2 scenarios, 1 failed, " in done.stdout
    assert run.verdicts == ["passed", "failed"]
    assert "failed: Tiny: It's 1\n    Given a gateway that is wrong\n    AssertionError: " in done.stdout

    again = next(line for line in done.stdout.splitlines() if "again: " in line).partition("again: ")[2]
    words = shlex.split(again)
    assert words[0] == ".venv/bin/pytest"
    words[0] = str(Path(sys.executable).with_name("pytest"))
    repeated = subprocess.run(
        [*words, "-p", "no:cacheprovider"],
        cwd=run.machine.checkout,
        env=run.machine.environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_SECONDS,
    )
    assert repeated.returncode == 1, repeated.stdout + repeated.stderr
    assert "1 failed" in repeated.stdout, "the scenario alone is run, and fails again"


def test_no_key_is_in_what_is_printed_or_written(run: Run) -> None:
    done = run.accept("a gateway that is wrong", "a gateway that is wrong, shown with its key")
    assert done.returncode == 1
    written = "".join(path.read_text() for path in run.folder.iterdir())
    assert "[not shown]" in written
    assert KEY not in written + done.stdout + done.stderr
    failures = ET.parse(run.folder / "junit.xml").findall(".//failure")  # noqa: S314 - our own file
    assert len(failures) == 2


@pytest.mark.parametrize(
    ("step", "verdict", "label"),
    [
        ("a harness that is wrong", "error", "1 harness errors"),
        ("a step that nobody wrote", "error", "1 harness errors"),
        ("a harness that cannot clean up", "error", "1 harness errors"),
        ("a worker that dies", "error", "1 harness errors"),
        ("a scenario that is skipped", "skipped", "1 skipped"),
    ],
)
def test_what_did_not_run_to_its_end_is_not_conformant(
    run: Run, step: str, verdict: Verdict, label: str
) -> None:
    done = run.accept("nothing wrong", step)
    assert done.returncode == 1, done.stderr
    assert "NOT conformant, 1 of 2 scenarios" in done.stdout
    assert label in done.stdout
    assert sorted(run.verdicts) == sorted(["passed", verdict])
    bad = next(scenario for scenario in run.result.scenarios if scenario.verdict != "passed")
    assert bad.reason


def test_a_selection_never_conforms(run: Run) -> None:
    done = run.accept("nothing wrong", "nothing wrong", arguments=("-m", "FR1"))
    assert done.returncode == 1
    assert "NOT conformant, 2 of 2 scenarios" in done.stdout
    assert "(only -m FR1)" in done.stdout
    assert not run.result.conformant


def test_a_run_removes_what_an_earlier_one_left(run: Run) -> None:
    run.accept("nothing wrong")
    assert run.result.conformant
    run.accept("nothing wrong", arguments=("-m", "FR99"))
    (run.machine.checkout / "infra/env/dev/litellm.yaml").write_text("")
    assert run.machine.run("accept", "dev").returncode == 2


# --- the parts by themselves


def scenario(verdict: Verdict, *, core: bool = True) -> ScenarioResult:
    return ScenarioResult(
        id="x", feature="x", name="x", requirements=("FR1",), core=core, verdict=verdict, seconds=0
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
    assert os.linesep == "\n"
