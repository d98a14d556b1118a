"""What the tests of running things share: a checkout to break, the command line, and parts that start at once.

The stand-in for LiteLLM is put where the runtime is looked for, so that everything around it is real: the command
line, the start scripts, Envoy, the simulated Azure.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import docker
import pytest
from docker.errors import ImageNotFound
from rich.console import Console

from aigateway.installing.environment import find_home
from aigateway.launching import runtime
from aigateway.launching.container import is_engine_running
from aigateway.settings.loading import load_environment
from aigateway.waiting import wait_until

ROOT = Path(__file__).parents[1]

#: Far longer than anything takes: a machine that is busy is no failure.
PATIENCE_SECONDS = 300

#: Set where a skipped container run must not pass for a good one.
_REQUIRE = "AIGATEWAY_REQUIRE_CONTAINERS"

#: Answers as LiteLLM does where the launchers look: it is alive, and it serves the models of the settings.
SERVING = """
import http.server, json, sys

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        body = json.dumps({"data": [{"id": name} for name in MODELS]}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass

print("a stand-in serves", flush=True)
port = int(sys.argv[sys.argv.index("--port") + 1])
http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()
"""
ALL_MODELS = "MODELS = ['gpt-5.3-codex', 'text-embedding-3-large']\n"


_OWN_CACHE = os.environ.get("AIGATEWAY_CACHE")


def _restore_cache(patch: pytest.MonkeyPatch) -> None:
    """Look for the real runtime where this machine really keeps it."""
    if _OWN_CACHE is None:
        patch.delenv("AIGATEWAY_CACHE", raising=False)
    else:
        patch.setenv("AIGATEWAY_CACHE", _OWN_CACHE)


@dataclass(frozen=True)
class Machine:
    """A checkout, a temporary folder and, unless `keep_cache`, a cache that belong to one test alone."""

    checkout: Path
    cache: Path
    temporary: Path
    extra: dict[str, str] = field(default_factory=dict)
    keep_cache: bool = False

    @property
    def environment(self) -> dict[str, str]:
        """What a command on this machine sees; nothing of the person's own set-up."""
        own = ("AIGATEWAY_", "GITHUB_")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(own)}
        cache = _OWN_CACHE if self.keep_cache else str(self.cache)
        if cache:
            kept["AIGATEWAY_CACHE"] = cache
        return {**kept, "TMPDIR": str(self.temporary), "COLUMNS": "200", **self.extra}

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """The command line, running."""
        return subprocess.Popen(
            [Path(sys.executable).with_name("aigateway"), *arguments],
            cwd=self.checkout,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            process_group=0,
        )

    def run(self, *arguments: str, seconds: float = PATIENCE_SECONDS) -> subprocess.CompletedProcess[str]:
        """The command line, run to its end."""
        process = self.start(*arguments)
        try:
            output, errors = process.communicate(timeout=seconds)
        finally:
            self.kill(process)
        return subprocess.CompletedProcess(arguments, process.returncode, output, errors)

    def kill(self, process: subprocess.Popen[str]) -> None:
        """Make sure that a failed test leaves nothing running."""
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        for pid in self.find_processes():
            os.kill(pid, signal.SIGKILL)

    def find_processes(self) -> list[int]:
        """Every process that was started, by whomever, with this machine's temporary folder."""
        found = []
        for folder in Path("/proc").iterdir():
            if not folder.name.isdigit():
                continue
            try:
                variables = (folder / "environ").read_bytes()
            except OSError:  # it has ended, or is not ours
                continue
            if str(self.temporary).encode() in variables:
                found.append(int(folder.name))
        return found

    def find_leftovers(self) -> list[str]:
        """What still runs or lies about; what has just been told to end gets time to."""
        wait_until(lambda: not self.find_processes(), seconds=PATIENCE_SECONDS / 4)
        commands = [_read_command(pid) for pid in self.find_processes()]
        return commands + [path.name for path in self.temporary.iterdir()]

    def use_litellm(self, script: str) -> None:
        """Have the process launcher run `script` (Python) as LiteLLM, and the real Envoy in front of it."""
        programs = self.home / "bin"
        programs.mkdir(parents=True, exist_ok=True)
        program = programs / "litellm"
        program.write_text(f"#!{sys.executable} -S\n{script}")
        program.chmod(0o755)
        with pytest.MonkeyPatch.context() as patch:
            _restore_cache(patch)
            envoy = runtime.ensure(Console(quiet=True)).envoy
        for name, target in (("python", Path(sys.executable)), ("envoy", envoy)):
            if not (programs / name).exists():
                (programs / name).symlink_to(target)
        (self.home / "complete").touch()

    @property
    def home(self) -> Path:
        """Where the runtime of this machine is looked for."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("AIGATEWAY_CACHE", str(self.cache))
            return find_home(runtime.LOCK)


def _read_command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return "(ended)"


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A machine of this test's own."""
    return make_machine(tmp_path)


def make_machine(tmp_path: Path) -> Machine:
    """A machine whose checkout is a copy of this one; no part is installed."""
    checkout = tmp_path / "checkout"
    for name in ("infra", "templates", "features", "docs"):
        shutil.copytree(
            ROOT / name, checkout / name, ignore=shutil.ignore_patterns("__pycache__", ".terraform*")
        )
    (checkout / "pyproject.toml").write_text("[tool.pytest.ini_options]\n")
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    return Machine(checkout, tmp_path / "cache", temporary)


@pytest.fixture
def started(machine: Machine) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts commands that end with the test."""
    running: list[subprocess.Popen[str]] = []

    def start(*arguments: str) -> subprocess.Popen[str]:
        running.append(machine.start(*arguments))
        return running[-1]

    yield start
    for process in running:
        machine.kill(process)
        for stream in (process.stdout, process.stderr):
            if stream:
                stream.close()


def require_engine() -> None:
    if is_engine_running():
        return
    if os.environ.get(_REQUIRE) == "1":
        pytest.fail(f"no Docker engine answers, and {_REQUIRE}=1 says that containers have to be tested")
    pytest.skip("no Docker engine answers")


def name_images(undo: ExitStack) -> dict[str, str]:
    """Names of this run's own for both images, so that its containers can be told from everybody else's."""
    settings = load_environment(ROOT, "dev")
    client = docker.from_env()
    undo.callback(client.close)
    names = {}
    for part, image in (("LITELLM", settings.images.litellm), ("ENVOY", settings.images.envoy)):
        variable = f"AIGATEWAY_{part}_IMAGE"
        original = os.environ.get(variable) or image.reference
        try:
            found = client.images.get(original)
        except ImageNotFound:
            found = client.images.pull(original)
        repository, tag = f"aigateway-test-{part.lower()}", uuid.uuid4().hex
        found.tag(repository, tag)
        names[variable] = f"{repository}:{tag}"
        undo.callback(client.images.remove, names[variable])
    return names


def find_containers(images: dict[str, str]) -> list[str]:
    client = docker.from_env()
    try:
        every = client.api.containers(all=True)
    finally:
        client.close()
    return [container["Id"] for container in every if container["Image"] in images.values()]
