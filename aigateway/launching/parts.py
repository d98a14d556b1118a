"""A running part of the gateway, and what any process may know of it.

The process that started a part holds a `Part`; other processes (the scenarios' workers) get its `PartReference`.
"""

from __future__ import annotations

import re
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field

from aigateway.errors import LaunchError
from aigateway.launching.commands import StartCommand

if TYPE_CHECKING:
    from docker.models.containers import Container

LauncherName = Literal["process", "container"]

_LAST_LINES = 15

# What a signal has ended has 128 and its number for an exit code.
_SIGNALS_FROM = 128

#: So many processes run scenarios side by side, and each may have so many edges at once. Scenarios mostly wait; more
#: processes cost memory and their start, and LiteLLM is what two cores are busy with.
PROCESSES, SLOTS_EACH = 3, 5

#: So many edges can stand in front of one LiteLLM at once: the gateway's own in slot 0, those of the processes that run
#: scenarios, and a broken one of `aigateway prove`.
EDGE_SLOTS = 1 + PROCESSES * SLOTS_EACH + 1


class ProcessReference(BaseModel):
    """A part that runs as the processes of group `pid`, listens on `port` and writes its log to `log_path`.

    `edge_port` is, for LiteLLM, where its first edge will listen; 0 for a free port.
    """

    model_config = ConfigDict(frozen=True)

    kind: Literal["process"] = "process"
    pid: int = 0
    port: int
    edge_port: int = 0
    log_path: Path

    def read_log(self) -> str:
        """Everything that the part has printed so far."""
        return self.log_path.read_text(encoding="utf-8", errors="replace") if self.log_path.exists() else ""

    def read_memory_bytes(self) -> int:
        """The memory that the part's processes hold just now."""
        return 1024 * sum(int(kibibytes) for kibibytes in self._ask_ps("rss"))

    def read_peak_memory_bytes(self) -> int:
        """The most that each of the part's processes has held so far, in all; just now, where no kernel tells."""
        statuses = (Path(f"/proc/{pid}/status") for pid in self._ask_ps("pid"))
        peaks = _add_peaks("".join(path.read_text("utf-8") for path in statuses if path.exists()))
        return max(peaks, self.read_memory_bytes())

    def read_cpu_seconds(self) -> float:
        """The time of one CPU that the part's processes have taken so far."""
        return sum(_read_duration(text) for text in self._ask_ps("time"))

    def _ask_ps(self, column: str) -> list[str]:
        """What `ps` says in a column of each of the part's processes."""
        listing = subprocess.run(
            ["ps", "-A", "-o", f"pgid=,{column}="], capture_output=True, check=True, text=True
        )
        processes = (line.split() for line in listing.stdout.splitlines())
        return [text for group, text in processes if group == str(self.pid)]

    def find_address(self) -> tuple[str, int]:
        """Where other parts reach it."""
        return "127.0.0.1", self.port


class ContainerReference(BaseModel):
    """A part that runs as a container; `edge_ports` are this machine's ports for the edges in its network, by slot."""

    model_config = ConfigDict(frozen=True)

    kind: Literal["container"] = "container"
    container_id: str
    edge_ports: Mapping[int, int] = {}

    def read_log(self) -> str:
        """Everything that the part has printed so far; nothing when it was removed."""
        import docker.errors  # as below

        try:
            with self.connect() as container:
                log: bytes = container.logs()
        except docker.errors.NotFound:
            return ""
        return log.decode(errors="replace")

    def read_memory_bytes(self) -> int:
        """The memory that the part holds just now, without what the kernel keeps of files."""
        memory = self._read_stats()["memory_stats"]["stats"]
        # Control groups of version 1 call it rss.
        return int(memory["anon"] if "anon" in memory else memory["rss"])

    def read_peak_memory_bytes(self) -> int:
        """The most that each of the part's processes has held so far, in all."""
        with self.connect() as container:
            # What the engine tells of a peak has the kernel's files in it, or is not there at all.
            answer: Any = container.exec_run(["/bin/sh", "-c", "cat /proc/[0-9]*/status"])
        return max(_add_peaks(answer.output.decode(errors="replace")), self.read_memory_bytes())

    def read_cpu_seconds(self) -> float:
        """The time of one CPU that the part's processes have taken so far."""
        return int(self._read_stats()["cpu_stats"]["cpu_usage"]["total_usage"]) / 1e9

    def _read_stats(self) -> Any:
        """What the engine counts of the container."""
        with self.connect() as container:
            return container.stats(stream=False, one_shot=True)

    def find_address(self) -> tuple[str, int]:
        """Where parts in other networks reach this edge, whose network is LiteLLM's."""
        with self.connect() as edge:
            environment = dict(variable.split("=", 1) for variable in edge.attrs["Config"]["Env"])
            owner = edge.attrs["HostConfig"]["NetworkMode"].removeprefix("container:")
        with ContainerReference(container_id=owner).connect() as litellm:
            (network,) = litellm.attrs["NetworkSettings"]["Networks"].values()
        return str(network["IPAddress"]), int(environment["EDGE_PORT"])

    @contextmanager
    def connect(self) -> Iterator[Container]:
        """The container, as Docker's client has it."""
        import docker  # slow to import, and not needed where processes run

        client = docker.from_env()
        try:
            yield client.containers.get(self.container_id)
        finally:
            client.close()


def _add_peaks(statuses: str) -> int:
    """The peaks in what the kernel says of processes, in bytes."""
    return 1024 * sum(int(kibibytes) for kibibytes in re.findall(r"(?m)^VmHWM:\s*(\d+) kB$", statuses))


def _read_duration(text: str) -> float:
    """A duration as `ps` writes it, [[days-]hours:]minutes:seconds, in seconds."""
    units = (1, 60, 60 * 60, 24 * 60 * 60)
    return sum(
        unit * float(number) for unit, number in zip(units, reversed(re.split("[-:]", text)), strict=False)
    )


PartReference = Annotated[ProcessReference | ContainerReference, Field(discriminator="kind")]


class Part(Protocol):
    """A part that this process started and must stop."""

    @property
    def name(self) -> str: ...

    @property
    def reference(self) -> PartReference: ...

    def is_running(self) -> bool: ...

    def explain_end(self) -> str:
        """By what it ended, which must have happened: `exit code 1`, `SIGKILL` …"""

    def stop(self) -> None:
        """Tell it to end, and wait for it."""

    def kill(self) -> None:
        """End it at once."""


class EdgePart(Part, Protocol):
    """Envoy, which also has an address for clients."""

    @property
    def base_url(self) -> str: ...


class Launcher(Protocol):
    """A way to run the parts; both ways run the same commands."""

    @property
    def name(self) -> LauncherName: ...

    @property
    def host_address(self) -> str:
        """The address of this machine's that the parts can reach: where the simulated Azure has to listen."""

    def url_for_parts(self, url: str) -> str:
        """The same server as `url`, as the parts must call it."""

    def start_litellm(self, command: StartCommand, *, port: int = 0) -> Part:
        """Start LiteLLM; `port` of 127.0.0.1 will be that of its first edge, 0 for a free one. Returns at once."""

    def start_edge(self, command: StartCommand, litellm: PartReference, *, slot: int = 0) -> EdgePart:
        """Start an Envoy in front of `litellm`: the gateway's own in slot 0, a scenario's in another.

        Returns at once.
        """

    def identify(self, litellm: PartReference) -> str:
        """A text that stands for the LiteLLM that runs there: where it is the same, so is LiteLLM's code."""

    def run_python(self, litellm: PartReference, code: str) -> str:
        """Run `code` with the Python and the packages of `litellm`, beside it; returns what it prints."""


def name_exit(code: int) -> str:
    """What an exit code means: `exit code 1`, or the signal that it stands for, as a shell counts it or Python."""
    number = -code if code < 0 else code - _SIGNALS_FROM
    with suppress(ValueError):
        return signal.Signals(number).name
    return f"exit code {code}"


def require_started(part: Part) -> None:
    """Raise LaunchError when a part that is not ready yet has ended."""
    require_running(part, f"{part.name} ended before it was ready")


def require_running(part: Part, complaint: str) -> None:
    """Raise LaunchError when a part has ended: with the complaint, how it ended and what it said last."""
    if not part.is_running():
        raise LaunchError(f"{complaint} {quote_end(part)}")


def quote_end(part: Part) -> str:
    """How a part ended and what it said last, for an error message that begins with its name and a verb."""
    return f"({part.explain_end()}); its last lines:\n{quote_log(part)}"


def quote_log(part: Part | PartReference) -> str:
    """The last lines of a part's log, for an error message."""
    reference = part if isinstance(part, ProcessReference | ContainerReference) else part.reference
    lines = reference.read_log().strip().splitlines()[-_LAST_LINES:]
    return "\n".join(f"    {line[:300]}" for line in lines) or "    (it has printed nothing)"
