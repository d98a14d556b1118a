"""`aigateway doctor` at the command line: outside of a checkout, with wrong arguments, for machines, and stopped."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
from fake_gateways import KEY, FakeGateway, make_error
from laboratory import Lab
from starlette.responses import JSONResponse, Response

from aigateway.doctor.catalogue import CHECKS, TROUBLES
from aigateway.doctor.results import Diagnosis
from aigateway.waiting import wait_until

pytest_plugins = ["laboratory_fixtures"]

_ROOT = Path(__file__).parents[2]
_PROGRAM = Path(sys.executable).with_name("aigateway")
_SECONDS = 120


def make_environment(folder: Path, key: str, **more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    return {**kept, "AIGATEWAY_KEY": key, "TMPDIR": str(folder), "COLUMNS": "200", **more}


def run_doctor(
    folder: Path, *arguments: str, key: str = KEY, **more: str
) -> subprocess.CompletedProcess[str]:
    """In an empty folder, which nothing is to be left in."""
    done = subprocess.run(
        [_PROGRAM, "doctor", *arguments],
        cwd=folder,
        env=make_environment(folder, key, **more),
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=False,
    )
    assert KEY not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert list(folder.iterdir()) == []
    return done


def test_all_is_well(lab: Lab, tmp_path: Path) -> None:
    done = run_doctor(tmp_path, "--base-url", f"{lab.serve().url}/v1", "--client", "codex")
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert all(line.startswith("ok  ") for line in lines[:-1]), done.stdout
    assert lines[-1].startswith("all is well: 17 ok; ")


def test_what_is_wrong_is_explained(lab: Lab, tmp_path: Path) -> None:
    gateway = FakeGateway({"POST /v1/embeddings": lambda *_: make_error(404, "No such route.", "not_found")})
    done = run_doctor(tmp_path, "--base-url", lab.serve(gateway).url)
    assert done.returncode == 1
    assert "problem      /v1/embeddings   /v1/embeddings answers 404: No such route." in done.stdout
    assert "problem: The endpoint is not there (404) [endpoint-missing]" in done.stdout
    for word in ("  seen   ", "  means  ", "  do     ", "something is wrong: 13 ok, 1 with a problem"):
        assert word in done.stdout


@pytest.mark.parametrize("password", ["p[w", "p]w"])
def test_a_proxy_that_cannot_be_read_is_told_without_its_password(tmp_path: Path, password: str) -> None:
    proxy = f"http://me:{password}@proxy:8080"
    done = run_doctor(tmp_path, "--base-url", "https://gw.example.com/v1", HTTPS_PROXY=proxy)
    assert done.returncode == 1
    assert "[proxy-unusable]" in done.stdout
    assert password not in done.stdout + done.stderr


def test_machines_read_the_same(lab: Lab, tmp_path: Path) -> None:
    done = run_doctor(tmp_path, "dev", "--base-url", lab.serve().url, "--client", "cline", "--json")
    content = json.loads(done.stdout)
    jsonschema.validate(content, json.loads((_ROOT / "docs/doctor.schema.json").read_text()))
    diagnosis = Diagnosis.model_validate(content)
    assert (diagnosis.model, diagnosis.dimensions, diagnosis.client) == ("gpt-5.3-codex", 3072, "cline")
    assert done.returncode == diagnosis.exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "key", "said"),
    [
        ((), KEY, "--base-url"),
        (("--base-url", "https://u:secret@gw.example.com"), KEY, "has a user, a query or a fragment"),
        (("--base-url", "https://gateway.invalid"), "", "AIGATEWAY_KEY is not set; export the key"),
        (("--base-url", "https://gateway.invalid", "--client", "vim"), KEY, "'vim' is not one of"),
    ],
)
def test_what_cannot_be_asked_is_refused(
    tmp_path: Path, arguments: tuple[str, ...], key: str, said: str
) -> None:
    done = run_doctor(tmp_path, *arguments, key=key)
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert said in done.stderr
    assert "secret" not in done.stderr
    assert done.stdout == ""


def test_ctrl_c_ends_it_at_once_and_leaves_nothing(lab: Lab, tmp_path: Path) -> None:
    async def wait(*_: object) -> Response:
        await asyncio.sleep(3600)
        return JSONResponse("late")

    gateway = lab.serve(FakeGateway({"GET /healthz": wait}))
    process = subprocess.Popen(
        [_PROGRAM, "doctor", "--base-url", gateway.url],
        cwd=tmp_path,
        env=make_environment(tmp_path, KEY),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        process_group=0,
    )
    try:
        assert wait_until(lambda: bool(gateway.asked), seconds=_SECONDS), (
            "it did not get as far as the gateway"
        )
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=_SECONDS)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 130
    assert "Traceback" not in errors
    assert list(tmp_path.iterdir()) == []


def test_the_page_tells_every_check_and_every_trouble() -> None:
    page = (_ROOT / "docs/doctor.md").read_text()
    assert all(f"| {check.title} |" in page for check in CHECKS)
    assert all(f"| `{trouble.id}` |" in page for trouble in TROUBLES)
