"""The real thing, once with each launcher: `aigateway accept dev`, and what it prints, writes and leaves behind."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import shutil
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from conftest import ROOT, Machine, find_containers, make_machine, name_images, require_engine

from aigateway.acceptance.results import RunResult

_SECONDS = 600


@dataclass(frozen=True)
class Accepted:
    """One finished run."""

    machine: Machine
    launcher: str
    code: int
    output: str
    errors: str

    @property
    def folder(self) -> Path:
        return self.machine.checkout / "build/accept/dev"

    @property
    def result(self) -> RunResult:
        return RunResult.model_validate_json((self.folder / "result.json").read_text())


@pytest.fixture(scope="module", params=["process", "container"])
def accepted(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Accepted]:
    launcher = str(request.param)
    with ExitStack() as undo:
        machine = make_machine(tmp_path_factory.mktemp(launcher))
        # What the indexing scenario indexes.
        shutil.copytree(ROOT / "aigateway", machine.checkout / "aigateway")
        images = {}
        if launcher == "container":
            require_engine()
            images = name_images(undo)
        # The runtime is this machine's own: that it can be made from nothing has tests of its own.
        kept = {
            name: value
            for name, value in os.environ.items()
            if name.startswith(("TESTCONTAINERS_", "DOCKER_"))
        }
        machine = dataclasses.replace(machine, keep_cache=True, extra={**kept, **images})
        done = machine.run("accept", "dev", "--launcher", launcher, seconds=_SECONDS)
        yield Accepted(machine, launcher, done.returncode, done.stdout, done.stderr)
        if launcher == "container":
            assert find_containers(images) == [], "a container is left behind"


def test_the_gateway_conforms(accepted: Accepted) -> None:
    assert accepted.code == 0, accepted.output + accepted.errors
    last = accepted.output.strip().splitlines()[-2]
    assert re.fullmatch(r"dev: conformant, (\d+) of \1 scenarios, \d+ s", last), last


def test_every_scenario_was_shown_as_it_ended(accepted: Accepted) -> None:
    total = len(accepted.result.scenarios)
    assert total > 50
    assert len(re.findall(rf"^✓ +\d+/{total} ", accepted.errors, re.MULTILINE)) == total


def test_the_table_has_a_row_for_each_requirement_that_is_proven(accepted: Accepted) -> None:
    rows = {
        line.split()[0]: line.split()[1:]
        for line in accepted.output.splitlines()
        if re.match(r" *[A-Z]+\d ", line)
    }
    proven = {name for scenario in accepted.result.scenarios for name in scenario.requirements}
    assert rows.keys() == proven
    assert {"FR1", "FR2", "FR3", "FR5", "AC1", "AC2"} <= proven
    for count, passed, *others in rows.values():
        assert count == passed
        assert set(others) == {"·"}


def test_the_result_is_what_its_schema_says(accepted: Accepted) -> None:
    result = accepted.result
    assert (result.environment, result.target, result.launcher) == ("dev", "local", accepted.launcher)
    assert result.conformant
    assert {scenario.verdict for scenario in result.scenarios} == {"passed"}
    written = json.loads((accepted.folder / "result.json").read_text())
    schema = json.loads((ROOT / "docs/result.schema.json").read_text())
    assert schema == RunResult.model_json_schema(), "the committed schema is stale; run: aigateway docs"
    assert set(schema["required"]) <= set(written) <= set(schema["properties"])


def test_junit_has_every_scenario(accepted: Accepted) -> None:
    cases = ET.parse(accepted.folder / "junit.xml").findall(".//testcase")  # noqa: S314 - our own file
    assert len(cases) == len(accepted.result.scenarios)
    assert all(
        len(case.findall("failure") + case.findall("error") + case.findall("skipped")) == 0 for case in cases
    )


def test_nothing_is_left_behind_but_the_result(accepted: Accepted) -> None:
    assert accepted.machine.find_leftovers() == []
    assert sorted(path.name for path in accepted.folder.iterdir()) == [
        "cucumber.json",
        "evidence.json",
        "junit.xml",
        "report.html",
        "result.json",
        "summary.md",
    ]


def test_the_reports_tell_of_every_scenario(accepted: Accepted) -> None:
    scenarios = accepted.result.scenarios
    page = (accepted.folder / "report.html").read_text()
    assert page.count('<details class="story passed"') == len(scenarios)
    assert "POST /v1/responses" in page
    features = json.loads((accepted.folder / "cucumber.json").read_text())
    assert sum(len(feature["elements"]) for feature in features) == len(scenarios)
    assert (accepted.folder / "summary.md").read_text().startswith("## dev: conformant\n")


def test_no_key_is_anywhere_in_it(accepted: Accepted) -> None:
    written = "".join(path.read_text() for path in accepted.folder.iterdir())
    for text in (written, accepted.output, accepted.errors):
        assert not re.search(r"sk-[A-Za-z0-9_-]{20,}", text)
        assert not re.search(r"\b[0-9a-f]{32}\b", text), "the simulated Azure's key has this form"
