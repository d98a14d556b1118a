"""`aigateway prove`, run for real by the command line on tiny features, with a stand-in for LiteLLM."""

from __future__ import annotations

import shutil
import signal
import subprocess
from collections.abc import Callable
from typing import Any

import pytest
from conftest import ALL_MODELS, PATIENCE_SECONDS, SERVING, Machine
from repository import commit_all

from aigateway.proving.results import ProofResult
from aigateway.proving.run import Shard
from aigateway.waiting import wait_until

FEATURE = """\
@FR1
Feature: Tiny
  @local
  Scenario: Health
    When health is asked for
    Then it is served
"""

STEPS = """
pytest_plugins = ["aigateway.acceptance.plugin"]

import httpx
from pytest_bdd import when, then

@when("health is asked for", target_fixture="status")
def _(target): return httpx.get(target.base_url + "/healthz").status_code

@then("it is served")
def _(status): assert status == 200

@then("it is not served")
def _(status): assert status == 404
"""

KILLED = """\
- sabotage: The health path is gone
  how: Somebody tidies up
  edits:
    - {file: envoy.yaml, find: "path: /healthz", put: "path: /health-of-all"}
  turns_red: [Health]
"""
SURVIVOR = """\
- sabotage: The name of the log's field changes
  how: Somebody prefers another word
  edits:
    - {file: envoy.yaml, find: "duration_ms:", put: "took_ms:"}
  turns_red: [Health]
"""
UNSTARTABLE = """\
- sabotage: The config is no YAML
  how: Somebody edits it by hand
  edits:
    - {file: envoy.yaml, find: "static_resources:", put: "static_resources: ["}
  turns_red: [Health]
"""


def prepare(machine: Machine, sabotages: str, feature: str = FEATURE) -> None:
    """Tiny features in place of the real ones, and a LiteLLM that starts at once."""
    machine.use_litellm(ALL_MODELS + SERVING)
    folder = machine.checkout / "features"
    shutil.rmtree(folder)
    folder.mkdir()
    (folder / "tiny.feature").write_text(feature)
    (folder / "tiny.sabotage.yaml").write_text(sabotages)
    (folder / "conftest.py").write_text(STEPS)
    (folder / "test_features.py").write_text("from pytest_bdd import scenarios\n\nscenarios('.')\n")


def prove(machine: Machine, *arguments: str) -> subprocess.CompletedProcess[str]:
    return machine.run("prove", "dev", "--launcher", "process", *arguments)


def read(machine: Machine) -> ProofResult:
    return ProofResult.model_validate_json((machine.checkout / "build/prove/dev/proof.json").read_text())


def test_a_sabotage_that_is_noticed(machine: Machine) -> None:
    prepare(machine, KILLED)
    done = prove(machine)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "dev: 1 of 1 sabotages noticed (100 %)" in done.stdout
    (noticed,) = read(machine).sabotages
    assert noticed.noticed_by == ("Health",)
    assert noticed.failed_steps == {"Health": "Then it is served"}
    assert machine.find_leftovers() == []


def test_what_the_same_commit_passed_is_not_tried_again(machine: Machine) -> None:
    prepare(machine, KILLED)
    (machine.checkout / ".gitignore").write_text("build\n__pycache__\n")
    commit_all(machine.checkout)
    sound = "scenarios pass with nothing sabotaged"
    assert sound in prove(machine).stderr
    assert machine.run("accept", "dev", "--launcher", "process").returncode == 0
    done = prove(machine)
    assert "known to pass, by the last accept of this very commit: 1" in done.stderr
    assert sound not in done.stderr
    assert "dev: 1 of 1 sabotages noticed (100 %)" in done.stdout


def test_survivors_fail_the_run_and_are_named(machine: Machine) -> None:
    prepare(machine, KILLED + SURVIVOR + UNSTARTABLE)
    done = prove(machine)
    assert done.returncode == 1
    assert "dev: 1 of 3 sabotages noticed (33 %)" in done.stdout
    assert "survived: The name of the log's field changes\n    Health: passed" in done.stdout
    assert "survived: The config is no YAML\n    the broken envoy ended" in done.stdout
    assert not read(machine).proven
    assert machine.find_leftovers() == []


def test_a_scenario_that_no_sabotage_turns_red_fails_the_run(machine: Machine) -> None:
    second = "  @local\n  Scenario: Health again\n    When health is asked for\n    Then it is served\n"
    prepare(machine, KILLED, FEATURE + second)
    done = prove(machine)
    assert done.returncode == 1
    assert "no sabotage turns this red: Health again" in done.stdout


def test_nothing_is_proven_where_a_scenario_is_red_anyway(machine: Machine) -> None:
    prepare(machine, KILLED, FEATURE.replace("it is served", "it is not served"))
    done = prove(machine)
    assert done.returncode == 2
    assert "with nothing sabotaged these did not pass" in done.stderr
    assert "Health: failed: AssertionError" in done.stderr
    assert "Traceback" not in done.stderr
    assert machine.find_leftovers() == []


def test_a_choice_of_nothing_is_said(machine: Machine) -> None:
    prepare(machine, KILLED)
    done = prove(machine, "-k", "no such title")
    assert done.returncode == 2
    assert "no sabotage is chosen by -k no such title" in done.stderr


def test_a_gateway_that_does_not_start_is_one_message(machine: Machine) -> None:
    prepare(machine, KILLED)
    machine.use_litellm("import sys; sys.exit('no start today')")
    done = prove(machine)
    assert done.returncode == 2
    assert "no start today" in done.stderr
    assert "Traceback" not in done.stderr
    assert machine.find_leftovers() == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopped_it_leaves_nothing(
    machine: Machine, started: Callable[..., subprocess.Popen[str]], number: signal.Signals
) -> None:
    prepare(machine, KILLED)
    machine.use_litellm("import time; time.sleep(600)")
    process = started("prove", "dev", "--launcher", "process")
    # There are two lanes: of one of them, at least, everything is started.
    assert wait_until(lambda: any(machine.temporary.glob("aigateway-envoy-*")), seconds=PATIENCE_SECONDS)
    process.send_signal(number)
    process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 130
    assert machine.find_leftovers() == []


@pytest.mark.parametrize("text", ["0/3", "4/3", "1", "a/b", "1/0"])
def test_a_shard_that_is_none_is_said(machine: Machine, text: str) -> None:
    done = prove(machine, "--shard", text)
    assert done.returncode == 2
    assert f"'{text}' is no shard; must be K/N, as 2/3 for the second of three" in done.stderr


def test_the_shards_together_are_everything_once() -> None:
    sabotages: Any = list("abcdefg")
    parts = [Shard(number, 3).choose(sabotages) for number in (1, 2, 3)]
    assert sorted("".join(map("".join, parts))) == sabotages
