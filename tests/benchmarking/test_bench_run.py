"""A run of the command from its beginning to its end, with a stand-in for LiteLLM: the simulated Azure, Envoy and
Locust are real."""

from __future__ import annotations

import json
import signal
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from rich.console import Console
from standin import ANSWERING

from aigateway.benchmarking import locust_bundle
from aigateway.benchmarking.results import BenchResult
from aigateway.installing.environment import find_home
from aigateway.launching.ports import find_free_port

if TYPE_CHECKING:
    # Other folders' conftest would be found here, when their tests have run before.
    from conftest import Machine

TINY = ("--quick", "--rounds", "1", "--seconds", "0.2")
PATIENCE_SECONDS = 240


@pytest.fixture(scope="session")
def locust() -> Path:
    """The environment of Locust, made if need be."""
    return locust_bundle.ensure_locust(Console(quiet=True)).parents[1]


@pytest.fixture
def ready(machine: Machine, locust: Path) -> Machine:
    """A machine that has Locust, and a LiteLLM that answers."""
    machine.use_litellm(f"FAILS = ''\n{ANSWERING}")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIGATEWAY_CACHE", str(machine.cache))
        home = find_home(locust_bundle.LOCK)
    home.symlink_to(locust)
    return machine


def read_result(machine: Machine) -> BenchResult:
    path = machine.checkout / "build" / "bench" / "dev" / "result.json"
    return BenchResult.model_validate_json(path.read_bytes())


def test_everything_is_measured_and_nothing_is_left(ready: Machine) -> None:
    done = ready.run("bench", *TINY, "--requests", "60", "--variant", "few-arenas", seconds=PATIENCE_SECONDS)
    assert done.returncode == 0, done.stderr
    result = read_result(ready)
    assert [one.name for one in result.subjects] == ["direct", "stock", "gateway", "edgeless", "few-arenas"]
    assert (result.rounds, result.quick, result.complete, result.limits_lifted) == (1, True, True, True)
    for subject in result.subjects:
        assert len(subject.loads) == 6
        for load in subject.loads:
            assert load.latency, load
            assert load.throughput, load
            assert load.answered >= 20, load
            assert load.latency.p50.value <= load.latency.p99.value
            assert (load.first_event is not None) == (load.workload == "stream")
        assert (subject.memory is not None) == (subject.kind in {"stock", "gateway", "variant"})
    gateway = result.find("gateway")
    assert gateway
    assert gateway.memory
    assert gateway.memory.at_rest > 10 * 1024**2
    assert gateway.memory.requests == 60
    assert gateway.start_seconds
    assert "round 1/1" in done.stderr
    assert (ready.checkout / "build" / "bench" / "dev" / "report.html").is_file()
    assert ready.find_leftovers() == []


def test_a_figure_with_errors_in_it_is_refused(ready: Machine) -> None:
    ready.use_litellm(f"FAILS = 'embeddings'\n{ANSWERING}")
    done = ready.run("bench", *TINY, "--only", "gateway", "--users", "2", seconds=PATIENCE_SECONDS)
    assert done.returncode == 1, done.stderr
    gateway = read_result(ready).find("gateway")
    assert gateway
    failed, whole = gateway.find("embeddings", 2), gateway.find("responses", 2)
    assert failed
    assert whole
    assert failed.failed > 0
    assert failed.latency is None
    assert "status 400" in failed.failure
    assert whole.latency is not None
    assert "no figure" in done.stdout
    assert ready.find_leftovers() == []


def test_stopped_by_ctrl_c_it_keeps_what_is_known(
    ready: Machine, started: Callable[..., subprocess.Popen[str]]
) -> None:
    command = started("bench", "--quick", "--rounds", "100", "--only", "gateway", "--workload", "responses")
    assert command.stderr
    assert any(line.startswith("round 2/") for line in command.stderr)
    command.send_signal(signal.SIGINT)
    output, errors = command.communicate(timeout=PATIENCE_SECONDS)
    assert command.returncode == 130, errors
    assert "Traceback" not in errors
    result = read_result(ready)
    assert not result.complete
    assert result.rounds >= 1
    gateway = result.find("gateway")
    assert gateway
    assert all(load.latency for load in gateway.loads)
    assert "it was stopped" in output
    assert ready.find_leftovers() == []


def test_a_litellm_that_dies_is_named(ready: Machine) -> None:
    ready.use_litellm("print('no memory'); raise SystemExit(9)")
    done = ready.run("bench", *TINY, "--only", "gateway", seconds=PATIENCE_SECONDS)
    assert done.returncode == 2
    assert "gateway: litellm ended before it was ready" in done.stderr
    assert "no memory" in done.stderr
    assert ready.find_leftovers() == []


def test_a_variant_that_does_not_start_keeps_nobody_else_from_being_measured(ready: Machine) -> None:
    path = ready.temporary.parent / "mine.yaml"
    path.write_text(
        "- variant: broken\n  why: to see it end\n"
        "  edits: [{file: litellm.sh, find: 'exec litellm ', put: 'exit 9; litellm '}]\n"
    )
    done = ready.run(
        "bench", *TINY, "--only", "gateway", "--variants", str(path), "--variant", "broken", "--users", "1",
        "--workload", "responses", seconds=PATIENCE_SECONDS,
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    result = read_result(ready)
    broken, gateway = result.find("broken"), result.find("gateway")
    assert broken
    assert gateway
    assert "litellm ended before it was ready" in broken.problem
    assert broken.loads == ()
    assert all(load.latency for load in gateway.loads)
    assert "broken: no figures; it did not start" in done.stdout
    assert ready.find_leftovers() == []


@pytest.fixture
def running(ready: Machine, started: Callable[..., subprocess.Popen[str]]) -> tuple[str, str]:
    """A gateway that runs, and a key of it."""
    assert ready.home.is_dir()
    command = started("up", "--launcher", "process")
    assert command.stdout
    found: dict[str, str] = {}
    for line in command.stdout:
        words = line.split()
        if words[:2] == ["base", "URL"]:
            found["url"] = words[2].removesuffix("/v1")
        if words[:1] == ["key"]:
            found["key"] = words[1]
        if "Ctrl-C" in line:
            break
    # Or it would wait for somebody to read what it says.
    threading.Thread(target=command.stdout.read, daemon=True).start()
    return found["url"], found["key"]


def test_a_running_gateway_is_measured_from_outside(ready: Machine, running: tuple[str, str]) -> None:
    url, key = running
    ready.extra["AIGATEWAY_KEY"] = key
    arguments = ("bench", "--base-url", url, *TINY, "--users", "4", "--workload", "stream", "--workers", "2")
    done = ready.run(*arguments, seconds=PATIENCE_SECONDS)
    assert done.returncode == 0, done.stderr
    result = read_result(ready)
    (subject,) = result.subjects
    assert (subject.kind, subject.memory, subject.start_seconds, result.limits_lifted) == (
        "running",
        None,
        None,
        False,
    )
    (load,) = subject.loads
    assert load.first_event
    assert load.added is None
    assert load.throughput
    assert result.paced_per_minute
    assert load.throughput.value * 60 < 1.2 * result.paced_per_minute, "else its rate limit is met"
    assert result.tokens is not None
    assert result.tokens >= 7 * load.answered
    assert key not in json.dumps(result.model_dump(mode="json")) + done.stdout + done.stderr


def test_another_machine_sends_the_load(ready: Machine, running: tuple[str, str]) -> None:
    url, key = running
    ready.extra["AIGATEWAY_KEY"] = key
    port = str(find_free_port())
    helper = ready.start("bench", "--join", f"127.0.0.1:{port}")
    try:
        done = ready.run(
            "bench", "--base-url", url, *TINY, "--users", "2", "--workload", "responses",
            "--workers", "1", "--listen", port, seconds=PATIENCE_SECONDS,
        )  # fmt: skip
        _, said = helper.communicate(timeout=PATIENCE_SECONDS)
    finally:
        ready.kill(helper)
    assert done.returncode == 0, done.stderr
    assert helper.returncode == 0, said
    (load,) = read_result(ready).subjects[0].loads
    assert load.answered
    assert key not in said


def test_no_more_tokens_are_spent_than_allowed(ready: Machine, running: tuple[str, str]) -> None:
    url, key = running
    ready.extra["AIGATEWAY_KEY"] = key
    done = ready.run(
        "bench", "--base-url", url, "--quick", "--token-budget", "10000", "--workload", "responses",
        seconds=PATIENCE_SECONDS,
    )  # fmt: skip
    assert done.returncode == 2, done.stderr
    assert "the token budget is used up" in done.stderr
    assert "--token-budget" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--base-url", "http://127.0.0.1:1", "--vcpu", "1"), "measured from outside"),
        (("--base-url", "http://127.0.0.1:1"), "AIGATEWAY_KEY"),
        (("--variant", "granain"), "did you mean 'granian'"),
        (("--only", "gatewy"), "did you mean 'gateway'"),
        (("--only", "edgeless"), "add --only gateway"),
        (("--variants", "mine.yaml"), "say which of them with --variant"),
        (("--workload", "chat"), "take responses, stream, embeddings"),
        (("--listen", "5557"), "say how many with --workers"),
        (("--listen", "5557", "--workers", "2"), "needs --base-url"),
        (("--document", "../x"), "is no name of a document"),
        (("--join", "nowhere"), "must be HOST:PORT"),
        (("--join", "127.0.0.1:5557"), "AIGATEWAY_KEY"),
        (("--vcpu", "0"), "0.1"),
    ],
)
def test_what_does_not_go_together_is_refused_before_anything_starts(
    machine: Machine, arguments: tuple[str, ...], complaint: str
) -> None:
    done = machine.run("bench", *arguments)
    assert done.returncode == 2
    assert complaint in done.stderr
    assert "Traceback" not in done.stderr
    assert not (machine.checkout / "build").exists()
