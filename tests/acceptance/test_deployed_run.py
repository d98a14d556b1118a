"""What is special about a run against a gateway that costs tokens, at the end of a network that may fail.

The gateway is a stand-in, and the features are tiny.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from conftest import PATIENCE_SECONDS, ROOT, make_machine
from tiny_features import KEY, Run, serve_gateway

from aigateway.acceptance.results import ScenarioResult
from aigateway.launching.keys import generate_keys
from aigateway.launching.parts import ProcessReference
from aigateway.launching.stack import StackReference
from aigateway.settings.loading import load_environment

STEPS = """
import httpx
from steps.gateway import connect_http

tries = {}

@pytest.fixture
def own():
    made = []
    yield made
    made.append("gone")

def fail(request, times, error):
    tries[request.node.nodeid] = tries.get(request.node.nodeid, 0) + 1
    if tries[request.node.nodeid] <= times:
        raise error

@given(parsers.parse("a network that fails {times:d} times"))
def _(target, request, own, times):
    assert own == [], "a fixture of the first try"
    own.append("used")
    fail(request, times, httpx.ConnectError(f"no network for {target.key}"))

@given("a network that fails below an assertion")
def _(target, request):
    try:
        fail(request, 1, ConnectionResetError("reset"))
    except OSError as error:
        raise AssertionError("no answer") from error

@given(parsers.parse("an answer that costs {tokens:d} tokens"))
def _(target, tokens):
    connect_http().post(f"{target.base_url}/v1/embeddings", content=b"x" * tokens)
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    with serve_gateway() as url:
        yield Run(make_machine(tmp_path_factory.mktemp("deployed")), url, STEPS)


# --- a network that fails


@dataclass(frozen=True)
class Finished:
    output: str
    shown: str
    results: list[ScenarioResult]


@pytest.fixture(scope="module")
def flaky(run: Run) -> Finished:
    done = run.accept(
        "a network that fails 1 times",
        "a network that fails below an assertion",
        "a network that fails 2 times",
        "a gateway that is wrong",
        "a harness that is wrong",
        "nothing wrong",
    )
    assert done.returncode == 1, done.stderr
    return Finished(done.stdout, done.stderr, list(run.result.scenarios))


def test_only_what_the_network_failed_is_tried_again_and_once(flaky: Finished) -> None:
    assert [(one.verdict, one.tries) for one in flaky.results] == [
        ("passed", 2),
        ("passed", 2),
        ("failed", 2),
        ("failed", 1),
        ("error", 1),
        ("passed", 1),
    ]


def test_the_result_says_why_without_the_key(flaky: Finished) -> None:
    assert [one.earlier for one in flaky.results][:4] == [
        ("ConnectError: no network for [not shown]",),
        ("AssertionError: no answer",),
        ("ConnectError: no network for [not shown]",),
        (),
    ]
    assert KEY not in flaky.output + flaky.shown


def test_a_pass_is_free_of_what_the_first_try_left(flaky: Finished) -> None:
    assert [(one.reason, one.step) for one in flaky.results][:2] == [("", ""), ("", "")]


def test_a_flaky_pass_is_shown_as_one(flaky: Finished) -> None:
    assert re.search(r"^✓ +\d/6 Tiny: It's 0 \S+ s, flaky$", flaky.shown, re.MULTILINE)
    assert (
        "flaky: Tiny: It's 0\n    passed at try 2; before that:\n    ConnectError: no network for [not shown]\n"
        in flaky.output
    )
    row = next(line.split() for line in flaky.output.splitlines() if line.startswith(" FR1 "))
    assert row == ["FR1", "6", "3", "2", "·", "1", "2"]
    assert "dev: NOT conformant, 3 of 6 scenarios, 2 failed, 1 harness errors, 2 flaky, 0 of " in flaky.output


def test_a_flaky_run_conforms_and_is_not_narrowed_by_the_environment(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(run.machine.extra, "PYTEST_ADDOPTS", "-k 0")
    done = run.accept("a network that fails 1 times", "nothing wrong")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "dev: conformant, 2 of 2 scenarios, 1 flaky, 0 of 1,000,000 tokens, " in done.stdout


def test_a_local_gateway_is_never_given_a_second_try(run: Run, tmp_path: Path) -> None:
    run.write("a network that fails 1 times")
    settings = load_environment(ROOT, "dev")
    part = ProcessReference(port=1, log_path=tmp_path / "log")
    stack = StackReference(
        root=run.machine.checkout,
        environment="dev",
        launcher="process",
        base_url=run.gateway,
        keys=generate_keys(settings),
        simulator_url="",
        simulator_control_url="",
        litellm=part,
        edge=part,
    )
    path = tmp_path / "stack.json"
    path.write_text(stack.model_dump_json())
    done = run_pytest(run, f"--stack={path}")
    assert done.returncode == 1, done.stdout
    assert "1 failed" in done.stdout


def run_pytest(run: Run, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [Path(sys.executable).with_name("pytest"), "features", "-p", "no:cacheprovider", *arguments],
        cwd=run.machine.checkout,
        env=run.machine.environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_SECONDS,
    )


# --- what it costs


def test_a_run_that_is_over_its_budget_does_not_conform(run: Run) -> None:
    done = run.accept(*["an answer that costs 40 tokens"] * 4, arguments=("--token-budget", "100"))
    assert done.returncode == 1, done.stderr
    assert "dev: NOT conformant, 2 of 4 scenarios, 2 skipped, 80 of 100 tokens, " in done.stdout
    result = run.result
    assert (result.tokens, result.token_budget) == (80, 100)
    assert sorted((one.verdict, one.tokens) for one in result.scenarios) == [
        ("passed", 40),
        ("passed", 40),
        ("skipped", 0),
        ("skipped", 0),
    ]
    assert "80 of 100 are spent, and the next request may cost up to 40" in done.stdout
    assert run.machine.find_leftovers() == []


# --- pytest by itself


def test_pytest_alone_says_what_is_missing(run: Run) -> None:
    run.write("nothing wrong")
    done = run_pytest(run, "--target=deployed", "--base-url=http://gateway.test")
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert done.stderr.strip() == (
        "ERROR: the base URL http://gateway.test would send the key unencrypted; give it with https://"
    )
    assert run_pytest(run, "--target=deployed", f"--base-url={run.gateway}").returncode == 0
