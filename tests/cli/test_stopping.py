"""Whenever a command is told to stop, it stops, and nothing runs on or lies about.

LiteLLM is a stand-in that starts at once or never becomes ready; the rest is real.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import ALL_MODELS, PATIENCE_SECONDS, SERVING, Machine

from aigateway.waiting import wait_until

Start = Callable[..., subprocess.Popen[str]]

NEVER_READY = "import signal\nprint('a stand-in waits', flush=True)\nsignal.pause()\n"

STEPS = """
pytest_plugins = ["aigateway.acceptance.plugin"]

import pathlib, time
from pytest_bdd import given, then

@given("a scenario that waits")
def _(target):
    pathlib.Path({reached!r}).touch()
    deadline = time.monotonic() + 600
    while time.monotonic() < deadline:
        time.sleep(0.05)

@given("a scenario that asks until nobody answers")
def _(target):
    import httpx
    pathlib.Path({reached!r}).touch()
    deadline = time.monotonic() + 600
    while time.monotonic() < deadline:
        answer = httpx.get(target.base_url + "/v1/models", headers={{"Authorization": "Bearer " + target.key}})
        assert answer.status_code == 200, answer.status_code
        time.sleep(0.05)
"""


def write_features(machine: Machine, step: str) -> Path:
    """One scenario, which says by a file that it has been reached."""
    reached = machine.temporary.parent / "reached"
    folder = machine.checkout / "features"
    for path in folder.iterdir():
        if path.is_file():
            path.unlink()
    (folder / "one.feature").write_text(f"Feature: One\n  @local @FR1\n  Scenario: One\n    Given {step}\n")
    (folder / "conftest.py").write_text(STEPS.format(reached=str(reached)))
    (folder / "test_features.py").write_text("from pytest_bdd import scenarios\n\nscenarios('.')\n")
    return reached


def find_litellm(machine: Machine) -> list[int]:
    found = []
    for pid in machine.find_processes():
        try:
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if any(word.endswith(b"/bin/litellm") for word in words):
            found.append(pid)
    return found


def read_until(process: subprocess.Popen[str], last: str) -> str:
    assert process.stdout is not None
    said = ""
    for line in process.stdout:
        said += line
        if last in line:
            return said
    raise AssertionError(f"it ended before it said {last!r}: {said}")


def tell(process: subprocess.Popen[str], number: signal.Signals) -> None:
    """Ctrl-C reaches every process of the terminal's group; SIGTERM the one that it is sent to."""
    if number == signal.SIGINT:
        os.killpg(process.pid, number)
    else:
        process.send_signal(number)


def wait_while_running(process: subprocess.Popen[str], condition: Callable[[], bool]) -> None:
    """Wait for `condition`; a command that has ended will not bring it about."""

    def holds() -> bool:
        assert process.poll() is None, process.communicate()
        return condition()

    assert wait_until(holds, seconds=PATIENCE_SECONDS)


def end(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    output, errors = process.communicate(timeout=PATIENCE_SECONDS)
    return process.returncode, output, errors


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_up_stops_while_it_starts(machine: Machine, started: Start, number: signal.Signals) -> None:
    machine.use_litellm(NEVER_READY)
    process = started("up", "dev", "--launcher", "process")
    wait_while_running(process, lambda: find_litellm(machine) != [])
    tell(process, number)
    code, output, errors = end(process)
    assert code == 0
    assert output == ""
    assert "Traceback" not in errors
    assert machine.find_leftovers() == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_up_stops_while_it_runs(machine: Machine, started: Start, number: signal.Signals) -> None:
    machine.use_litellm(ALL_MODELS + SERVING)
    process = started("up", "dev", "--launcher", "process")
    said = read_until(process, "Ctrl-C stops it.")
    assert "dev gateway (process)" in said
    assert "curl http://127.0.0.1:" in said
    tell(process, number)
    code, _, errors = end(process)
    assert code == 0
    assert "Traceback" not in errors
    assert machine.find_leftovers() == []


def test_up_says_that_a_part_died(machine: Machine, started: Start) -> None:
    machine.use_litellm(ALL_MODELS + SERVING)
    process = started("up", "dev", "--launcher", "process")
    read_until(process, "Ctrl-C stops it.")
    os.kill(find_litellm(machine)[0], signal.SIGKILL)
    code, _, errors = end(process)
    assert code == 2
    assert "error: litellm died (SIGKILL); its last lines:\n    a stand-in serves" in errors
    assert "Traceback" not in errors
    assert machine.find_leftovers() == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_accept_stops_while_it_starts(machine: Machine, started: Start, number: signal.Signals) -> None:
    machine.use_litellm(NEVER_READY)
    write_features(machine, "a scenario that waits")
    process = started("accept", "dev", "--launcher", "process")
    wait_while_running(process, lambda: find_litellm(machine) != [])
    tell(process, number)
    code, _, errors = end(process)
    assert code == 130
    assert "Traceback" not in errors
    assert machine.find_leftovers() == []
    assert not (machine.checkout / "build/accept/dev/result.json").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_accept_stops_while_it_runs(machine: Machine, started: Start, number: signal.Signals) -> None:
    machine.use_litellm(ALL_MODELS + SERVING)
    reached = write_features(machine, "a scenario that waits")
    process = started("accept", "dev", "--launcher", "process")
    wait_while_running(process, reached.exists)
    tell(process, number)
    code, _, errors = end(process)
    assert code == 130
    assert "Traceback" not in errors
    assert machine.find_leftovers() == []
    assert not (machine.checkout / "build/accept/dev/result.json").exists()


def test_accept_says_that_a_part_died_and_does_not_go_on(machine: Machine, started: Start) -> None:
    machine.use_litellm(ALL_MODELS + SERVING)
    reached = write_features(machine, "a scenario that asks until nobody answers")
    process = started("accept", "dev", "--launcher", "process")
    wait_while_running(process, reached.exists)
    os.kill(find_litellm(machine)[0], signal.SIGKILL)
    code, output, errors = end(process)
    assert code == 2, output + errors
    assert (
        "error: litellm died in the middle of the run (SIGKILL); its last lines:\n    a stand-in serves"
        in errors
    )
    assert "conformant" not in output
    assert "Traceback" not in errors
    assert machine.find_leftovers() == []


def test_everything_ends_when_accept_is_killed(machine: Machine, started: Start) -> None:
    machine.use_litellm(ALL_MODELS + SERVING)
    reached = write_features(machine, "a scenario that asks until nobody answers")
    process = started("accept", "dev", "--launcher", "process")
    wait_while_running(process, reached.exists)
    process.send_signal(signal.SIGKILL)
    assert wait_until(lambda: not machine.find_processes(), seconds=PATIENCE_SECONDS)


def test_the_simulator_stops(machine: Machine, started: Start) -> None:
    process = started("sim", "dev")
    assert "simulated Azure OpenAI of dev: http://127.0.0.1:" in read_until(process, "Ctrl-C stops it.")
    process.send_signal(signal.SIGINT)
    code, _, errors = end(process)
    assert code == 0
    assert errors == ""
    assert machine.find_leftovers() == []
