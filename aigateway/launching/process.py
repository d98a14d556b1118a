"""The gateway as two processes of this machine, from PyPI's releases: what runs where no Docker engine does."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from aigateway.errors import LaunchError
from aigateway.launching.commands import PartName, StartCommand
from aigateway.launching.parts import LauncherName, PartReference, ProcessReference, name_exit
from aigateway.launching.ports import find_free_port
from aigateway.launching.runtime import Runtime

_LOOPBACK = "127.0.0.1"
_GRACE_SECONDS = 10
_PR_SET_PDEATHSIG = 1

# What a part may see of this machine's environment: nothing that could change its configuration.
_INHERITED = ("LANG", "LC_ALL", "SSL_CERT_FILE", "SSL_CERT_DIR")


@dataclass(frozen=True)
class ProcessPart:
    """A process in a group and a temporary folder of its own."""

    name: str
    reference: ProcessReference
    process: subprocess.Popen[bytes]
    folder: tempfile.TemporaryDirectory[str]

    @property
    def base_url(self) -> str:
        """Where it listens."""
        return f"http://{_LOOPBACK}:{self.reference.port}"

    def is_running(self) -> bool:
        """Whether it has not ended."""
        return self.process.poll() is None

    def explain_end(self) -> str:
        """The exit code or the signal that it ended with."""
        return name_exit(self.process.wait())

    def stop(self) -> None:
        """End it, with force if it does not end by itself, and remove its folder."""
        try:
            if self.is_running():
                self.process.terminate()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self.process.wait(_GRACE_SECONDS)
        finally:
            # Also when a second Ctrl-C cuts the wait short.
            self.kill()

    def kill(self) -> None:
        """End it at once, and remove its folder."""
        if self.is_running():
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        self.folder.cleanup()


class ProcessLauncher:
    """Runs the parts on 127.0.0.1."""

    name: LauncherName = "process"
    host_address = _LOOPBACK

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    def url_for_parts(self, url: str) -> str:
        """Processes see this machine as it is."""
        return url

    def start_litellm(self, command: StartCommand, *, port: int = 0) -> ProcessPart:
        """Start LiteLLM on a free port."""
        own_port = find_free_port()
        return self._start(command, {"LITELLM_PORT": str(own_port)}, port=own_port, edge_port=port)

    def start_edge(self, command: StartCommand, litellm: PartReference, *, slot: int = 0) -> ProcessPart:
        """Start an Envoy in front of `litellm`."""
        if not isinstance(litellm, ProcessReference):
            raise LaunchError("a process cannot stand in front of a container; start both with one launcher")
        port = (litellm.edge_port if slot == 0 else 0) or find_free_port()
        addresses = {"EDGE_ADDRESS": _LOOPBACK, "EDGE_PORT": str(port), "LITELLM_PORT": str(litellm.port)}
        return self._start(command, addresses, port=port)

    def identify(self, litellm: PartReference) -> str:  # noqa: ARG002 - this launcher has but one
        """The place of the runtime: its name stands for all that is in it."""
        return str(self._runtime.python)

    def run_python(self, litellm: PartReference, code: str) -> str:  # noqa: ARG002 - as above
        """Run `code` in the runtime."""
        with _make_folder("litellm") as folder:
            process = subprocess.run(
                [self._runtime.python, "-c", code],
                cwd=folder,
                env=self._make_environment(folder),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                check=False,
            )
        if process.returncode:
            raise LaunchError(
                f"what was run beside litellm failed; its last lines:\n{process.stderr[-2000:]}"
            )
        return process.stdout

    def _make_environment(self, folder: str) -> dict[str, str]:
        return {
            **{name: os.environ[name] for name in _INHERITED if name in os.environ},
            "PATH": os.pathsep.join([*self._runtime.path, "/usr/bin", "/bin"]),
            "HOME": folder,
            "TMPDIR": folder,
        }

    def _start(
        self, command: StartCommand, addresses: dict[str, str], *, port: int, edge_port: int = 0
    ) -> ProcessPart:
        folder = _make_folder(command.part)
        log_path = Path(folder.name) / "log"
        environment = {**self._make_environment(folder.name), **command.environment, **addresses}
        try:
            with log_path.open("wb") as log:
                process = subprocess.Popen(
                    command.arguments,
                    cwd=folder.name,
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    # Ctrl-C goes to this process alone, which then stops its parts in order.
                    process_group=0,
                    preexec_fn=_die_with_parent,  # noqa: PLW1509 - the child only calls prctl
                )
        except OSError as error:
            folder.cleanup()
            raise LaunchError(f"{command.part} could not be started: {error}") from error
        reference = ProcessReference(pid=process.pid, port=port, edge_port=edge_port, log_path=log_path)
        return ProcessPart(command.part, reference, process, folder)


def _make_folder(part: PartName) -> tempfile.TemporaryDirectory[str]:
    try:
        return tempfile.TemporaryDirectory(prefix=f"aigateway-{part}-", ignore_cleanup_errors=True)
    except OSError as error:
        raise LaunchError(
            f"no temporary folder can be made for {part}: {error.strerror}; name another place in TMPDIR"
        ) from error


def _die_with_parent() -> None:
    """Have the kernel end the child when this process is killed and cannot stop it; Linux only."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
