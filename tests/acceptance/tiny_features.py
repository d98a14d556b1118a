"""Tiny features, made by a test, run for real by the command line against a server that stands in for a gateway."""

from __future__ import annotations

import http.server
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from conftest import Machine

from aigateway.acceptance.results import RunResult, Verdict

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

    def do_POST(self) -> None:
        """Answer that it has cost as many tokens as the body has bytes."""
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(f'{{"usage": {{"total_tokens": {self.headers["Content-Length"]}}}}}'.encode())

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def serve_gateway(handler: type[Handler] = Handler) -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        # A test that fails must not leave a thread for which Python would wait.
        server.shutdown()
        thread.join()
        server.server_close()


class Run:
    """One `aigateway accept` of made-up scenarios; `more` are further steps."""

    def __init__(self, machine: Machine, gateway: str, more: str = "") -> None:
        self.machine = machine
        self.gateway = gateway
        self.more = more
        machine.extra["AIGATEWAY_KEY"] = KEY

    def write(self, *steps: str) -> None:
        """Make a scenario of each step."""
        folder = self.machine.checkout / "features"
        shutil.rmtree(folder)
        folder.mkdir()
        text = "@FR1\nFeature: Tiny\n"
        for number, step in enumerate(steps):
            text += f"  @local @deployed\n  Scenario: It's {number}\n    Given {step}\n"
        (folder / "tiny.feature").write_text(text)
        (folder / "conftest.py").write_text(STEPS + self.more)
        (folder / "test_features.py").write_text("from pytest_bdd import scenarios\n\nscenarios('.')\n")

    def accept(self, *steps: str, arguments: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
        self.write(*steps)
        return self.machine.run(
            "accept", "dev", "--target", "deployed", "--base-url", self.gateway, *arguments
        )

    @property
    def folder(self) -> Path:
        return self.machine.checkout / "build/accept/dev-deployed"

    @property
    def result(self) -> RunResult:
        return RunResult.model_validate_json((self.folder / "result.json").read_text())

    @property
    def verdicts(self) -> list[Verdict]:
        return [scenario.verdict for scenario in self.result.scenarios]
