"""The command: with a stand-in for LiteLLM that answers at once or never, once with the real one, with bad input."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from aigateway.rehearsing.results import Rehearsal
from aigateway.waiting import wait_until

if TYPE_CHECKING:
    # Other folders' conftest would be found here, when their tests have run before.
    from conftest import Machine

PATIENCE_SECONDS = 120

Start = Callable[..., subprocess.Popen[str]]

NEVER_READY = "import signal\nsignal.pause()\n"

#: Answers for LiteLLM; `answer(number, body)` gives the status of the embeddings that are asked for.
ANSWERING = """
import http.server, itertools, json, pathlib, sys, threading

NUMBERS = itertools.count()

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.write(200, {"data": [{"id": name} for name in ("gpt-5.3-codex", "text-embedding-3-large")]})

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        status = answer(next(NUMBERS), body)
        vectors = [{"object": "embedding", "index": n, "embedding": "AACAPw=="} for n in range(len(body["input"]))]
        good = {"object": "list", "data": vectors, "model": "m", "usage": {"prompt_tokens": 1, "total_tokens": 1}}
        bad = {"error": {"message": "no", "type": "t", "param": None, "code": "c"}}
        self.write(status, good if status == 200 else bad)

    def write(self, status, what):
        data = json.dumps(what).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *arguments):
        pass

port = int(sys.argv[sys.argv.index("--port") + 1])
http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()
"""
ALL_GOOD = "def answer(number, body): return 200\n" + ANSWERING
REFUSING = "def answer(number, body): return 400\n" + ANSWERING
HALF_BAD = "def answer(number, body): return 400 if 'def f_60(' in body['input'][0] else 200\n" + ANSWERING


def hang_after_the_first(reached: Path) -> str:
    return (
        f"def answer(number, body):\n    if number:\n        pathlib.Path({str(reached)!r}).touch()\n"
        "        threading.Event().wait()\n    return 200\n" + ANSWERING
    )


def write_project(machine: Machine, functions: int = 150) -> str:
    """A folder of so many functions, each a segment of its own; gives its path."""
    folder = machine.checkout.parent / "project"
    folder.mkdir()
    for number in range(functions):
        body = f"def f_{number}(argument: int) -> int:\n    return argument * {number} + argument\n"
        (folder / f"f_{number:03}.py").write_text(body)
    (folder / "image.json").write_bytes(bytes(range(256)) * 2)
    (folder / "notes.txt").write_text("of no kind that Roo knows")
    return str(folder)


def read_result(machine: Machine) -> Rehearsal:
    path = machine.checkout / "build/rehearse/dev/result.json"
    return Rehearsal.model_validate_json(path.read_bytes())


def test_a_folder_is_indexed(machine: Machine) -> None:
    machine.use_litellm(ALL_GOOD)
    done = machine.run("rehearse", write_project(machine), "dev", "--launcher", "process", "--quota", "350k")
    assert done.returncode == 0, done.stderr
    assert "would finish in" in done.stdout
    assert "build/rehearse/dev/result.json" in done.stdout
    result = read_result(machine)
    assert result.measured is not None
    assert result.forecast is not None
    assert (result.count.batches, result.measured.batches, result.measured.requests) == (3, 3, 4)
    assert result.measured.segments == result.count.segments > 150
    assert (result.measured.end, result.forecast.verdict, result.forecast.basis) == (
        "done",
        "finishes",
        "measured",
    )
    assert result.quota is not None
    assert result.quota.requests_per_minute == 2100
    assert (result.limit.client, result.count.unsupported) == ("roo", 1)
    assert machine.find_leftovers() == []


def test_too_much_that_fails_makes_roo_give_up(machine: Machine) -> None:
    machine.use_litellm(HALF_BAD)
    done = machine.run("rehearse", write_project(machine), "--launcher", "process", "--json")
    assert done.returncode == 1, done.stderr
    result = Rehearsal.model_validate_json(done.stdout)
    assert result == read_result(machine)
    assert result.measured is not None
    assert result.forecast is not None
    assert (result.forecast.verdict, result.measured.failed_batches) == ("aborts", 1)
    # The scanner's three, of which each is one request: 400 is not tried again.
    assert result.measured.other_errors == {"400": 3}


def test_a_gateway_that_refuses_the_first_request_ends_it(machine: Machine) -> None:
    machine.use_litellm(REFUSING)
    done = machine.run("rehearse", write_project(machine), "--launcher", "process")
    assert done.returncode == 1, done.stderr
    assert "would not begin" in done.stdout
    assert "the last failure: 400" in done.stdout


def test_stopped_while_it_sends_it_says_what_is_known(
    machine: Machine, started: Start, tmp_path: Path
) -> None:
    reached = tmp_path / "reached"
    machine.use_litellm(hang_after_the_first(reached))
    process = started("rehearse", write_project(machine), "--launcher", "process")
    assert wait_until(lambda: reached.exists() or process.poll() is not None, seconds=PATIENCE_SECONDS)
    os.killpg(process.pid, signal.SIGINT)
    output, errors = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 130, errors
    assert "until it was stopped" in output
    assert "Traceback" not in errors
    result = read_result(machine)
    assert result.measured is not None
    assert (result.measured.end, result.measured.batches, result.measured.unanswered) == ("stopped", 0, 3)
    assert machine.find_leftovers() == []


def test_stopped_while_the_gateway_starts_it_says_what_was_counted(machine: Machine, started: Start) -> None:
    machine.use_litellm(NEVER_READY)
    process = started("rehearse", write_project(machine), "--launcher", "process")

    def is_starting() -> bool:
        return len(machine.find_processes()) > 2 or process.poll() is not None

    assert wait_until(is_starting, seconds=PATIENCE_SECONDS)
    os.killpg(process.pid, signal.SIGINT)
    output, errors = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 130, errors
    assert "segments" in output
    assert read_result(machine).measured is None
    assert machine.find_leftovers() == []


def test_only_counting_starts_and_writes_nothing(machine: Machine) -> None:
    done = machine.run("rehearse", write_project(machine), "--count")
    assert done.returncode == 0, done.stderr
    assert "151 files" in done.stdout
    assert "only counted" in done.stdout
    assert not (machine.checkout / "build").exists()
    assert not machine.cache.exists()


@pytest.mark.parametrize("package", ["pathspec", "tree_sitter", "tree_sitter_python"])
def test_without_its_packages_it_says_how_to_install_them(
    machine: Machine, tmp_path: Path, package: str
) -> None:
    (tmp_path / "hidden").mkdir()
    (tmp_path / f"hidden/{package}.py").write_text("raise ImportError\n")
    without = replace(machine, extra={"PYTHONPATH": str(tmp_path / "hidden")})
    done = without.run("rehearse", write_project(machine), "--count")
    assert done.returncode == 2
    assert "pip install --editable '.[rehearse]'" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("nowhere",), "nowhere: cannot be indexed: No such file or directory"),
        (("pyproject.toml",), "pyproject.toml: is no folder"),
        (("empty",), "empty: Roo would index nothing here"),
        (("unknown",), "1 are of a kind that it does not index"),
        (("small",), "1 give no segment of 50 characters"),
        (("docs", "--quota", "much"), "--quota much: is no quota"),
        (("docs", "--client", "nobody"), "--client nobody: dev has no such client"),
        (("docs", "nowhere"), "nowhere"),
        (("docs", "--within", "0"), "--within"),
        (("docs", "--at-most", "-1"), "--at-most"),
        ((), "PATH"),
    ],
)
def test_bad_input_is_refused_before_anything_starts(
    machine: Machine, arguments: tuple[str, ...], says: str
) -> None:
    for name in ("empty", "unknown", "small"):
        (machine.checkout / name).mkdir()
    (machine.checkout / "unknown/a.txt").write_text("text\n" * 50)
    (machine.checkout / "small/a.py").write_text("pass\n")
    done = machine.run("rehearse", *arguments, "--count")
    assert done.returncode == 2, done.stdout
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
