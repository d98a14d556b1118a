"""What Envoy's start script does when it is told to stop: with a stand-in for Envoy, and with Envoy itself."""

from __future__ import annotations

import http.client
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from conftest import PATIENCE_SECONDS, ROOT
from rich.console import Console

from aigateway.launching import runtime
from aigateway.waiting import wait_until

SCRIPT = (ROOT / "infra/modules/aigateway_aca/start/envoy.sh").read_text()
SHELLS = [shell for shell in ("dash", "bash", "busybox") if shutil.which(shell)]
DRAINED = ["POST /healthcheck/fail", "POST /drain_listeners"]
#: It waits for as long as the answer to this is that there are requests.
BUSY = "GET /stats?filter=^http.edge.downstream_rq_active$"

# Envoy as its admin interface shows it; what it is to do is said by files in TEST_FOLDER.
STAND_IN = f"""#!{sys.executable}
import http.server, os, pathlib, signal, sys
folder = pathlib.Path(os.environ["TEST_FOLDER"])

class Admin(http.server.BaseHTTPRequestHandler):
    def answer(self):
        with (folder / "asked").open("a") as asked:
            asked.write(self.command + " " + self.path + chr(10))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"http.edge.downstream_rq_active: %d" % (folder / "busy").exists())

    do_GET = do_POST = answer

    def log_message(self, *arguments):
        pass

signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
if (folder / "failing").exists():
    sys.exit(3)
admin = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Admin)
address = pathlib.Path(sys.argv[sys.argv.index("--admin-address-path") + 1])
if not (folder / "starting").exists():
    address.write_text("127.0.0.1:%d" % admin.server_address[1])
(folder / "up").touch()
admin.serve_forever()
"""


class Started:
    """A start script that runs, with a stand-in for Envoy that looks into `folder`."""

    def __init__(self, process: subprocess.Popen[bytes], folder: Path) -> None:
        self.process = process
        self.folder = folder

    def stop(self, number: int = signal.SIGTERM) -> None:
        self.process.send_signal(number)

    def wait(self) -> int:
        return self.process.wait(PATIENCE_SECONDS)

    def list_asked(self) -> list[str]:
        path = self.folder / "asked"
        return path.read_text().splitlines() if path.exists() else []


@contextmanager
def start(shell: str, folder: Path, *states: str, grace: str = "") -> Iterator[Started]:
    programs = folder / "programs"
    programs.mkdir()
    (programs / "envoy").write_text(STAND_IN)
    (programs / "envoy").chmod(0o755)
    for state in states:
        (folder / state).touch()
    process = subprocess.Popen(
        [*([shell, "sh"] if shell == "busybox" else [shell]), "-c", SCRIPT],
        env={
            "PATH": f"{programs}:/usr/bin:/bin",
            "TMPDIR": str(folder),
            "TEST_FOLDER": str(folder),
            "ENVOY_CONFIG": "a: b",
            **({"TERMINATION_GRACE_SECONDS": grace} if grace else {}),
        },
        process_group=0,
    )
    try:
        yield Started(process, folder)
    finally:
        process.kill()
        process.wait()


@contextmanager
def start_up(shell: str, folder: Path, *states: str, grace: str = "") -> Iterator[Started]:
    """As `start`, and returns when the stand-in is up."""
    with start(shell, folder, *states, grace=grace) as started:
        assert wait_until((folder / "up").exists, seconds=PATIENCE_SECONDS)
        yield started


@pytest.fixture(params=SHELLS)
def shell(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_waits_for_what_is_open_and_lets_nobody_in(shell: str, tmp_path: Path, number: int) -> None:
    with start_up(shell, tmp_path, "busy") as started:
        started.stop(number)
        asked_twice = wait_until(lambda: len(started.list_asked()) >= 4, seconds=PATIENCE_SECONDS)
        assert asked_twice, "it does not wait"
        assert started.list_asked()[:2] == DRAINED
        assert started.process.poll() is None
        (tmp_path / "busy").unlink()
        assert started.wait() == 0


def test_it_ends_at_once_when_nothing_is_open(shell: str, tmp_path: Path) -> None:
    with start_up(shell, tmp_path) as started:
        started.stop()
        assert started.wait() == 0
        assert started.list_asked() == [*DRAINED, BUSY]


def test_it_ends_when_there_is_no_admin_interface_yet(shell: str, tmp_path: Path) -> None:
    with start_up(shell, tmp_path, "starting") as started:
        started.stop()
        assert started.wait() == 0


def test_it_ends_a_little_before_the_grace_period_does(shell: str, tmp_path: Path) -> None:
    with start_up(shell, tmp_path, "busy", grace="7") as started:
        begun = time.monotonic()
        started.stop()
        assert started.wait() == 0
        assert time.monotonic() - begun >= 1  # date counts whole seconds
        assert (tmp_path / "busy").exists()


@pytest.mark.parametrize("grace", ["0", "5"])
def test_with_no_grace_it_waits_for_nothing(shell: str, tmp_path: Path, grace: str) -> None:
    with start_up(shell, tmp_path, "busy", grace=grace) as started:
        started.stop()
        assert started.wait() == 0
        assert started.list_asked() == [*DRAINED, BUSY]


def test_a_second_signal_changes_nothing(shell: str, tmp_path: Path) -> None:
    with start_up(shell, tmp_path, "busy") as started:
        for _ in range(3):
            started.stop()
            assert wait_until(lambda: len(started.list_asked()) >= 3, seconds=PATIENCE_SECONDS)
        assert started.process.poll() is None
        (tmp_path / "busy").unlink()
        assert started.wait() == 0
        assert started.list_asked().count(DRAINED[1]) == 1


def test_it_ends_as_envoy_does_by_itself(shell: str, tmp_path: Path) -> None:
    with start(shell, tmp_path, "failing") as started:
        assert started.wait() == 3


def test_it_refuses_to_start_where_it_could_not_stop_well(shell: str, tmp_path: Path) -> None:
    path = str(shutil.which(shell))
    done = subprocess.run(
        [*([path, "sh"] if shell == "busybox" else [path]), "-c", SCRIPT],
        env={"PATH": str(tmp_path), "TMPDIR": str(tmp_path), "ENVOY_CONFIG": "a: b"},
        capture_output=True,
        check=False,
        timeout=PATIENCE_SECONDS,
    )
    assert done.returncode == 64
    assert b"there is no bash" in done.stderr


@pytest.mark.parametrize("grace", ["-1", "10m", "1.5", "$(id)"])
def test_it_refuses_a_grace_period_that_is_none(shell: str, tmp_path: Path, grace: str) -> None:
    with start(shell, tmp_path, grace=grace) as started:
        assert started.wait() == 64
        assert not (tmp_path / "up").exists()


def test_envoys_admin_interface_is_on_the_loopback_and_shows_no_keys(tmp_path: Path) -> None:
    path = ":".join([*runtime.ensure(Console(quiet=True)).path, "/usr/bin", "/bin"])
    environment = {"PATH": path, "TMPDIR": str(tmp_path), "ENVOY_CONFIG": "{}\n"}
    process = subprocess.Popen(["/bin/sh", "-c", SCRIPT], env=environment, process_group=0)
    try:
        assert wait_until(lambda: ":" in _read_admin(tmp_path), seconds=PATIENCE_SECONDS)
        host, _, port = _read_admin(tmp_path).partition(":")
        assert host == "127.0.0.1"
        statuses = {}
        for asked in ("/config_dump", "/certs", "/memory", "/quitquitquit", "/stats?filter=x"):
            connection = http.client.HTTPConnection(host, int(port), timeout=PATIENCE_SECONDS)
            connection.request("POST" if "quit" in asked else "GET", asked)
            statuses[asked] = connection.getresponse().status
            connection.close()
        assert statuses.pop("/stats?filter=x") == 200
        assert set(statuses.values()) == {403}, statuses
        process.terminate()
        assert process.wait(PATIENCE_SECONDS) == 0
    finally:
        process.kill()
        process.wait()


def _read_admin(folder: Path) -> str:
    return "".join(path.read_text() for path in folder.glob("envoy.*/admin"))
