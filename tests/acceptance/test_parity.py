"""`aigateway parity`: what it finds, what of it matters, and input that is none."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from conftest import Machine

from aigateway.acceptance.parity import Parity, compare
from aigateway.acceptance.results import RunResult, ScenarioResult, TargetName, Verdict

BOTH = ("FR1", "deployed", "local")


def end(
    name: str, verdict: Verdict = "passed", tags: tuple[str, ...] = BOTH, reason: str = "", tries: int = 1
) -> ScenarioResult:
    return ScenarioResult(
        id=name,
        feature="Tiny",
        name=name,
        scenario=name,
        requirements=("FR1",),
        core=True,
        verdict=verdict,
        seconds=0,
        tags=tags,
        reason=reason,
        tries=tries,
        earlier=("ConnectError: no",) * (tries - 1),
    )


def run_of(target: TargetName, *scenarios: ScenarioResult, **changes: object) -> RunResult:
    result = RunResult(
        environment="dev",
        target=target,
        launcher=None,
        started_at="2026-11-23T00:00:00+00:00",
        seconds=1,
        conformant=True,
        features="abc",
        scenarios=scenarios,
    )
    return result.model_copy(update=changes)


SAME = end("same")


@pytest.mark.parametrize(
    ("local", "deployed", "kind", "matters", "said"),
    [
        (
            end("x"),
            end("x", "failed", reason="AssertionError: no\nmore"),
            "verdict",
            True,
            "AssertionError: no",
        ),
        (end("x", "error"), end("x", "failed"), "verdict", True, ""),
        (end("x"), end("x", tries=2), "flaky", False, "ConnectError: no"),
        (
            end("x", tags=("local",)),
            end("x", "skipped", tags=("local",), reason="needs control"),
            "missing",
            False,
            "needs control",
        ),
        (
            end("x", "skipped", tags=("deployed",), reason="runs only there"),
            end("x", tags=("deployed",)),
            "missing",
            False,
            "runs only there",
        ),
        (end("x"), end("x", "skipped", reason="the token budget"), "missing", True, "the token budget"),
        (end("x"), None, "missing", True, "the deployed run does not have it"),
        (end("x", tags=(*BOTH, "slow")), None, "missing", False, "no part of the profile core"),
        (None, end("x"), "missing", True, "the local run does not have it"),
    ],
    ids=[
        "another verdict",
        "another kind of red",
        "flaky",
        "local alone",
        "deployed alone",
        "skipped though it could run",
        "not in the deployed run",
        "not in the profile",
        "not in the local run",
    ],
)
def test_a_difference_and_whether_it_matters(
    local: ScenarioResult | None, deployed: ScenarioResult | None, kind: str, matters: bool, said: str
) -> None:
    parity = compare(
        run_of("local", *filter(None, (SAME, local))), run_of("deployed", *filter(None, (SAME, deployed)))
    )
    (found,) = parity.differences
    assert (found.kind, found.matters, found.scenario, found.reason) == (kind, matters, "x", said)
    assert parity.same == 1
    assert parity.holds is not matters


@pytest.mark.parametrize(
    ("change", "matters"),
    [
        ({"features": "def"}, True),
        ({"environment": "staging"}, True),
        ({"selection": "-k x"}, True),
        ({"profile": "full"}, False),
    ],
)
def test_runs_that_are_not_of_the_same(change: dict[str, object], matters: bool) -> None:
    parity = compare(run_of("local", SAME), run_of("deployed", SAME, **change))
    (found,) = parity.differences
    assert (found.kind, found.matters) == ("run", matters)


def test_two_examples_of_an_outline_are_two() -> None:
    rows = [end("x").model_copy(update={"example": (cell,)}) for cell in "ab"]
    worse = rows[1].model_copy(update={"verdict": "failed"})
    parity = compare(run_of("local", *rows), run_of("deployed", rows[0], worse))
    assert (parity.same, len(parity.differences)) == (1, 1)


def test_what_is_red_or_skipped_in_both_is_no_difference() -> None:
    both = (SAME, end("x", "failed"), end("y", "skipped"))
    parity = compare(run_of("local", *both), run_of("deployed", *both))
    assert (parity.same, parity.differences, parity.holds) == (2, (), True)


def test_nothing_in_common_is_no_parity() -> None:
    assert not compare(run_of("local"), run_of("deployed")).holds


# --- the command


def write(folder: Path, result: RunResult) -> str:
    path = folder / f"{result.target}.json"
    path.write_text(result.model_dump_json())
    return str(path)


def ask(machine: Machine, *arguments: str) -> subprocess.CompletedProcess[str]:
    return machine.run("parity", *arguments)


def test_the_command_shows_a_table_and_a_verdict(machine: Machine, tmp_path: Path) -> None:
    local = write(tmp_path, run_of("local", SAME, end("odd [name]")))
    deployed = write(tmp_path, run_of("deployed", SAME, end("odd [name]", "failed", reason="no [answer]")))
    done = ask(machine, local, deployed)
    assert done.returncode == 1, done.stderr
    assert "Tiny: odd [name]" in done.stdout
    assert "no [answer]" in done.stdout
    assert done.stdout.splitlines()[-1] == (
        "dev: local and deployed DIFFER: 1 scenarios ended alike, 1 differences matter, 0 do not"
    )


def test_the_command_prints_json(machine: Machine, tmp_path: Path) -> None:
    local, deployed = (write(tmp_path, run_of(target, SAME)) for target in ("local", "deployed"))
    done = ask(machine, local, deployed, "--json")
    assert done.returncode == 0, done.stderr
    assert Parity.model_validate(json.loads(done.stdout)).holds


def test_files_that_cannot_be_compared(machine: Machine, tmp_path: Path) -> None:
    local, deployed = (write(tmp_path, run_of(target, SAME)) for target in ("local", "deployed"))
    other = tmp_path / "other.json"
    other.write_bytes(b"\xff{")
    for arguments, expected in (
        ((deployed, local), "deployed.json: is of a deployed gateway; give the local run first"),
        ((local, str(tmp_path / "none.json")), "none.json: cannot be read: No such file"),
        ((local, str(tmp_path)), "cannot be read: Is a directory"),
        ((str(other), deployed), "other.json: is no result.json"),
        ((local,), "Missing argument 'DEPLOYED.json'"),
    ):
        done = ask(machine, *arguments)
        assert (done.returncode, done.stdout) == (2, "")
        assert expected in done.stderr
        assert len(done.stderr.splitlines()) == 1
