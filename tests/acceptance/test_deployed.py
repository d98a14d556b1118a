"""A whole run against a gateway that it does not control: started by hand with `aigateway up`, and reached as one in
Azure is: by https through a proxy, its key in a Key Vault, its log in Log Analytics (fake_azure).
"""

from __future__ import annotations

import dataclasses
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from conftest import ROOT, Machine, make_machine
from fake_azure import GATEWAY, WORKSPACE, FakeAzure, run_fake_azure

from aigateway.acceptance.results import RunResult

_SECONDS = 600


@dataclass(frozen=True)
class Deployed:
    """The gateway that runs, and the machine of somebody who tries it."""

    base_url: str
    key: str
    azure: FakeAzure
    machine: Machine

    def accept(self, *arguments: str, **extra: str) -> subprocess.CompletedProcess[str]:
        machine = dataclasses.replace(self.machine, extra=extra)
        done = machine.run("accept", "dev", "--target", "deployed", *arguments, seconds=_SECONDS)
        assert self.key not in done.stdout + done.stderr
        assert machine.find_leftovers() == []
        return done

    @property
    def folder(self) -> Path:
        return self.machine.checkout / "build/accept/dev-deployed"

    @property
    def result(self) -> RunResult:
        return RunResult.model_validate_json((self.folder / "result.json").read_text())


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    owner, person = (make_machine(tmp_path_factory.mktemp(name)) for name in ("owner", "person"))
    # What the indexing scenario indexes.
    shutil.copytree(ROOT / "aigateway", person.checkout / "aigateway")
    owner = dataclasses.replace(owner, keep_cache=True)
    process = owner.start("up", "dev", "--launcher", "process")
    try:
        base_url, key = read_access(process)
        with run_fake_azure(tmp_path_factory.mktemp("azure")) as azure:
            azure.gateway = base_url
            azure.secrets["client-acceptance-a"] = key
            azure.read_logs = lambda: read_access_log(owner.temporary)
            yield Deployed(base_url, key, azure, person)
        assert process.poll() is None, "it did not outlive the runs"
    finally:
        process.terminate()
        process.communicate(timeout=_SECONDS)
        owner.kill(process)


def read_access(process: subprocess.Popen[str]) -> tuple[str, str]:
    """The base URL without /v1, and the key, as `aigateway up` says them."""
    assert process.stdout
    said = ""
    for line in process.stdout:
        said += line
        if "Ctrl-C" in line:
            break
    found = re.search(r"base URL +(\S+)/v1\n +key +(\S+)", said)
    assert found, said + process.communicate()[1]
    return found[1], found[2]


def read_access_log(folder: Path) -> list[str]:
    lines = (line for path in folder.glob("aigateway-*/log") for line in path.read_text().splitlines())
    return [line for line in lines if line.startswith("{")]


@pytest.fixture(scope="module")
def whole(deployed: Deployed) -> tuple[subprocess.CompletedProcess[str], RunResult]:
    done = deployed.accept(
        f"--base-url=https://{GATEWAY}/v1",
        f"--workspace={WORKSPACE}",
        "--profile=full",
        **deployed.azure.environment,
    )
    return done, deployed.result


def test_the_gateway_conforms(whole: tuple[subprocess.CompletedProcess[str], RunResult]) -> None:
    done, result = whole
    assert done.returncode == 0, done.stdout + done.stderr
    assert (result.target, result.launcher, result.conformant) == ("deployed", None, True)


def test_what_can_be_asked_from_outside_is_and_nothing_else(
    whole: tuple[subprocess.CompletedProcess[str], RunResult],
) -> None:
    _, result = whole
    outside = [one for one in result.scenarios if "deployed" in one.tags]
    assert len(outside) > 100
    assert {one.verdict for one in outside} == {"passed"}
    others = {(one.verdict, one.core, one.reason) for one in result.scenarios if one not in outside}
    (other,) = others
    assert other[:2] == ("skipped", False)
    assert "needs control of Azure" in other[2]


def test_every_scenario_that_costs_tokens_is_tagged_and_counted(
    whole: tuple[subprocess.CompletedProcess[str], RunResult],
) -> None:
    _, result = whole
    assert result.token_budget
    assert 0 < result.tokens == sum(one.tokens for one in result.scenarios) <= result.token_budget
    for one in result.scenarios:
        # What is refused may have to be counted with the most that it could have cost.
        assert (one.tokens > 0) == ("costs-tokens" in one.tags and one.verdict == "passed"), one.name


def test_no_key_is_written(deployed: Deployed, whole: object) -> None:
    assert whole
    for path in deployed.folder.iterdir():
        assert deployed.key not in path.read_text(), path.name


def test_a_gateway_on_this_machine_is_reached_without_a_proxy(deployed: Deployed) -> None:
    nowhere = "http://127.0.0.1:9"
    done = deployed.accept(
        f"--base-url={deployed.base_url}",
        "-k",
        "test_a_plain_answer or test_the_health_path_needs_no_key",
        AIGATEWAY_KEY=deployed.key,
        HTTP_PROXY=nowhere,
        http_proxy=nowhere,
        ALL_PROXY=nowhere,
        NO_PROXY="",
    )
    assert done.returncode == 1, done.stderr
    assert [one.verdict for one in deployed.result.scenarios] == ["passed", "passed"], done.stdout
    assert "dev: NOT conformant, 2 of 2 scenarios, " in done.stdout


def test_what_stands_in_the_central_log_and_should_not_is_noticed(deployed: Deployed) -> None:
    deployed.azure.leaky = True
    done = deployed.accept(
        f"--base-url=https://{GATEWAY}",
        f"--workspace={WORKSPACE}",
        "--profile=full",
        "-k",
        "test_what_was_said_cannot_be_found or test_a_request_can_be_found_by_its_id",
        **deployed.azure.environment,
    )
    assert done.returncode == 1, done.stderr
    assert [one.verdict for one in deployed.result.scenarios] == ["failed", "failed"], done.stdout


def test_what_comes_into_the_central_log_after_all_else_is_noticed(deployed: Deployed) -> None:
    deployed.azure.leaky = deployed.azure.late = True
    done = deployed.accept(
        f"--base-url=https://{GATEWAY}",
        f"--workspace={WORKSPACE}",
        "--profile=full",
        "-k",
        "test_what_was_said_cannot_be_found",
        **deployed.azure.environment,
    )
    assert done.returncode == 1, done.stderr
    assert [one.verdict for one in deployed.result.scenarios] == ["failed"], done.stdout
