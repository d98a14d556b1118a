"""The life of the simulator's process."""

from __future__ import annotations

import os
import pickle
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from aigateway.errors import SimulatorError
from aigateway.simulator.config import SimulatorConfig
from aigateway.simulator.server import start

CONFIG = SimulatorConfig(api_key="a-secret-key")
SERVE = """
from aigateway.simulator.config import SimulatorConfig
from aigateway.simulator.server import serve
serve(SimulatorConfig(api_key="k"), on_ready=lambda at: print(at.url, at.control_url, flush=True))
"""
START_AND_HANG = """
from aigateway.simulator.config import SimulatorConfig
from aigateway.simulator.server import start
with start(SimulatorConfig(api_key="k")) as running:
    print(running.pid, running.url, flush=True)
    input()
"""


def gone(pid: int) -> bool:
    """Whether a process has ended (a zombie whose parent has not looked yet has ended too)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def wait_until_gone(pid: int) -> None:
    deadline = time.monotonic() + 60
    while not gone(pid):
        assert time.monotonic() < deadline, f"process {pid} is still there"
        time.sleep(0.02)


def test_it_ends_with_its_context() -> None:
    with start(CONFIG) as running:
        assert not gone(running.pid)
        assert pickle.loads(pickle.dumps(running.control)).requests() == []  # noqa: S301 - our own bytes
    assert gone(running.pid)
    with pytest.raises(httpx.ConnectError):
        httpx.get(running.url)


def test_it_dies_with_a_killed_parent() -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", START_AND_HANG], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    pid = int(parent.stdout.readline().split()[0])
    parent.kill()
    parent.communicate()
    try:
        wait_until_gone(pid)
    finally:
        if not gone(pid):
            os.kill(pid, signal.SIGKILL)


def test_its_key_is_not_on_the_command_line() -> None:
    with start(CONFIG) as running:
        for name in ("cmdline", "environ"):
            assert b"a-secret-key" not in Path(f"/proc/{running.pid}/{name}").read_bytes()
    assert "a-secret-key" not in repr(CONFIG)


@pytest.mark.parametrize("which", ["port", "control_port"])
def test_a_taken_port_is_named(which: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SimulatorError, match=f"127.0.0.1:{port}"), start(CONFIG, **{which: port}):
            pass


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_serve_ends_quietly_at_a_signal(number: signal.Signals) -> None:
    server = subprocess.Popen(
        [sys.executable, "-c", SERVE], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert server.stdout is not None
    url, control_url = server.stdout.readline().split()
    assert httpx.get(url).status_code == 404
    assert httpx.get(f"{control_url}/requests").status_code == 200
    os.kill(server.pid, number)
    out, err = server.communicate(timeout=60)
    assert (server.returncode, out, err) == (0, "", "")


def test_a_stop_does_not_wait_for_a_silent_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    from aigateway.simulator import server
    from aigateway.simulator.faults import SlowFirstByte

    monkeypatch.setattr(server, "_STOP_SECONDS", 120)  # it ends by itself, and is not killed
    with start(CONFIG) as running, httpx.Client(base_url=running.url, timeout=0.3) as client:
        running.control.inject(SlowFirstByte(60))
        body = {"model": "gpt-5.3-codex", "input": "x"}
        path = "/openai/v1/responses"
        with pytest.raises(httpx.ReadTimeout):
            client.post(path, json=body, headers={"api-key": "a-secret-key"})
        running.control.inject(SlowFirstByte(60))
        begun = time.monotonic()
    assert time.monotonic() - begun < 60
    assert gone(running.pid)
