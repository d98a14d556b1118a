"""What a run leaves behind for people, however it ends; and that no secret is in it, wherever one was put.

What the page looks like has tests of its own, in tests/reporting.
"""

from __future__ import annotations

import html
import json
import os
import signal
import subprocess
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from conftest import PATIENCE_SECONDS, Machine, make_machine
from tiny_features import KEY, Handler, Run, serve_gateway

from aigateway.acceptance.findings import REPORT_FILES

FILES = sorted((*REPORT_FILES, "result.json", "junit.xml"))

STEPS = """
import http.client, json, time
from urllib.parse import urlsplit
from aigateway.acceptance.recording import RECORDER
from steps.gateway import connect_http

@given(parsers.parse("somebody says {words}"))
def _(target, words, datatable=None, docstring=None):
    headers = {"Authorization": f"Bearer {target.key}", "X-Note": f"my key is {target.key}"}
    half = target.key[: len(target.key) // 2]
    connect_http().post(
        f"{target.base_url}/v1/responses?key={target.key}", headers=headers, json={"say": words, "half": half}
    )
    wire = RECORDER.begin_wire()
    wire.send(f"POST /{target.key} HTTP/1.1\\r\\nAuthorization: {target.key}\\r\\n\\r\\n{target.key}".encode())
    wire.answer_whole(200, [("x-echo", target.key)], target.key.encode())

@given("it goes wrong")
def _(target):
    print("printed", target.key)
    answer = f"it answered: {target.key}"
    assert answer == "", f"cut off: {answer:.30}"

@given("a fixture that goes wrong")
def _(target, request):
    def finish():
        raise LookupError(target.key)
    request.addfinalizer(finish)

@given("a scenario that waits")
def _(target):
    deadline = time.monotonic() + 600
    while time.monotonic() < deadline:
        time.sleep(0.05)
"""

CANARIES = f"""
@FR1
Feature: Canaries {KEY}
  About {KEY}.

  @deployed
  Scenario: A key in a name {KEY}
    {KEY}

    Given somebody says {KEY}
      \"\"\"
      a text with {KEY}
      \"\"\"
    And it goes wrong
    And somebody says {KEY}
      | {KEY} |

  @deployed
  Scenario Outline: A key in an example <key>
    Given somebody says <key>
    And a fixture that goes wrong

    Examples:
      | key   |
      | {KEY} |

  @local
  Scenario: A key in what is skipped
    Given somebody says {KEY}
"""


class Echo(Handler):
    """Says back all that it is sent."""

    def do_POST(self) -> None:  # noqa: N802 - so http.server calls it
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("x-echo", self.headers["X-Note"])
        self.end_headers()
        self.wfile.write(self.path.encode() + str(self.headers).encode() + body)


@dataclass(frozen=True)
class Finished:
    run: Run
    done: subprocess.CompletedProcess[str]
    job_page: Path

    def read(self, name: str) -> str:
        return (self.run.folder / name).read_text()


OLD = "of an earlier run"


def leave_files(run: Run) -> None:
    """What an earlier run has left."""
    run.folder.mkdir(parents=True)
    for name in FILES:
        (run.folder / name).write_text(OLD)


def accept(run: Run) -> subprocess.CompletedProcess[str]:
    """The features as they have been written."""
    return run.machine.run("accept", "dev", "--target", "deployed", "--base-url", run.gateway)


@pytest.fixture
def run(machine: Machine) -> Iterator[Run]:
    with serve_gateway() as url:
        run = Run(machine, url, STEPS)
        leave_files(run)
        yield run


@pytest.fixture(scope="module")
def canaries(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Finished]:
    """A run in which the key is wherever anybody can put one, in a job of GitHub's."""
    folder = tmp_path_factory.mktemp("canaries")
    with serve_gateway(Echo) as url:
        run = Run(make_machine(folder), url, STEPS)
        run.write("nothing wrong")
        (run.machine.checkout / f"features/{KEY}.feature").write_text(CANARIES)
        job_page = folder / "job.md"
        run.machine.extra["GITHUB_STEP_SUMMARY"] = str(job_page)
        leave_files(run)
        yield Finished(run, accept(run), job_page)


# --- secrets


def test_the_key_was_put_everywhere(canaries: Finished) -> None:
    """Otherwise it proves nothing that it cannot be found."""
    assert canaries.done.returncode == 1, canaries.done.stderr
    assert "1 of 3 scenarios, 1 failed, 1 skipped, 1 harness errors" in canaries.done.stdout
    page = canaries.read("report.html")
    for words in (
        "A key in a name [not shown]",
        "Canaries [not shown]",
        "About [not shown].",
        "somebody says [not shown]",
        "a text with [not shown]",
        "<td>[not shown]</td>",
        "POST /v1/responses?key=[not shown]",
        "<b>x-note:</b> my key is [not shown]",
        "<b>authorization:</b> [not shown]",
        "Authorization: [not shown]",
        "LookupError: [not shown]",
        "features/[not shown].feature",
    ):
        assert words in page, words


@pytest.mark.parametrize("name", FILES)
def test_nothing_of_the_key_is_in_any_file(canaries: Finished, name: str) -> None:
    text = canaries.read(name)
    assert "[not shown]" in text
    pieces = {KEY[start : start + 8] for start in range(len(KEY) - 7)}
    assert not [piece for piece in pieces if piece in text]


def test_nothing_of_the_key_is_printed_or_in_the_name_of_a_file(canaries: Finished) -> None:
    said = canaries.done.stdout + canaries.done.stderr
    names = [path.name for path in canaries.run.folder.iterdir()]
    assert sorted(names) == FILES
    assert not [piece for piece in (KEY, KEY[:12], KEY[-12:]) if piece in said]


def test_what_is_left_can_still_be_read_by_programs(canaries: Finished) -> None:
    cases = ET.fromstring(canaries.read("junit.xml")).findall(".//testcase")  # noqa: S314 - our own file
    assert len({case.get("name") for case in cases}) == 4
    features = json.loads(canaries.read("cucumber.json"))
    assert [len(feature["elements"]) for feature in features] == [3, 1]
    assert canaries.run.result.counts == {"passed": 1, "failed": 1, "error": 1, "skipped": 1}


# --- however it ends


def test_it_says_where_the_reports_are(canaries: Finished) -> None:
    said = "build/accept/dev-deployed/: report.html, summary.md, result.json, evidence.json, junit.xml, cucumber.json"
    assert said in canaries.done.stdout


def test_nothing_of_an_earlier_run_passes_for_this_ones(canaries: Finished) -> None:
    assert not [name for name in FILES if OLD in canaries.read(name)]


def test_a_failure_is_shown_with_its_step_and_the_command_that_repeats_it(canaries: Finished) -> None:
    for name in ("report.html", "summary.md"):
        assert "And it goes wrong" in canaries.read(name)
        assert ".venv/bin/pytest 'features/test_features.py::test_a_key_in_" in html.unescape(
            canaries.read(name)
        )


def test_the_summary_goes_to_the_jobs_page(canaries: Finished) -> None:
    assert canaries.job_page.read_text() == canaries.read("summary.md")


def test_a_run_that_is_stopped_tells_what_it_knew(
    run: Run, started: Callable[..., subprocess.Popen[str]]
) -> None:
    run.write("nothing wrong", "a scenario that waits")
    process = started("accept", "dev", "--target", "deployed", "--base-url", run.gateway)
    assert process.stderr
    assert any("1/2" in line for line in process.stderr), "the first scenario has ended"
    os.killpg(process.pid, signal.SIGINT)
    output, errors = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 130, output + errors
    page = (run.folder / "report.html").read_text()
    assert "Not finished" in page
    assert "it was stopped" in page
    assert page.count('<details class="story passed"') == 1
    assert not (run.folder / "result.json").exists(), "the earlier run's is no result of this one"


def test_of_a_run_that_cannot_begin_the_reason_is_all_there_is(run: Run) -> None:
    run.write("nothing wrong")
    feature = run.machine.checkout / "features/tiny.feature"
    feature.write_text("Feature: Broken\n  Scenario: x\n    Given a\n  ?\n")
    done = accept(run)
    assert done.returncode == 2
    assert "features/tiny.feature:4: is no feature: " in done.stderr
    page = (run.folder / "report.html").read_text()
    assert "Not finished" in page
    assert "is no feature" in page
    assert (run.folder / "summary.md").read_text().startswith("## dev: not finished\n")
    assert not [path for path in run.folder.iterdir() if OLD in path.read_text()]


def test_a_folder_that_cannot_be_written_to_is_one_clear_line(run: Run) -> None:
    (run.folder / "report.html").unlink()
    (run.folder / "report.html").mkdir()
    done = run.accept("nothing wrong")
    assert done.returncode == 2
    (line,) = done.stderr.strip().splitlines()
    assert line.startswith("error: ")
    assert "dev-deployed: cannot be written to: Is a directory" in line
