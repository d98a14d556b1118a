"""A part of this machine for one container: so many processors, by the kernel's control groups, as Azure gives them.

Container Apps runs on Kubernetes, which limits a container by the same quota: in each 100 ms it may use the processors
for so long, all of them together, and then waits for the next 100 ms (docs.kernel.org/scheduler/sched-bwc.html).
"""

from __future__ import annotations

import contextlib
import os
import signal
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from aigateway.errors import AigatewayError
from aigateway.waiting import wait_until

_PERIOD_MICROSECONDS = 100_000
_MOUNT = Path("/sys/fs/cgroup")
_END_SECONDS = 5.0


@dataclass(frozen=True)
class Confinement:
    """A control group that is given `vcpu` processors."""

    folder: Path
    vcpu: float

    def confine(self, script: str) -> str:
        """A start script whose processes are in the group from its first line on."""
        return f"echo $$ >'{self.folder}/cgroup.procs'\n{script}"


@contextlib.contextmanager
def confine(vcpu: float) -> Iterator[Confinement]:
    """A group of its own for one container. Raises AigatewayError where none can be made."""
    folder, files = _describe(vcpu)
    try:
        folder.mkdir()
        for name, text in files.items():
            (folder / name).write_text(text, encoding="ascii")
    except OSError as error:
        with contextlib.suppress(OSError):
            folder.rmdir()
        raise AigatewayError(
            f"{folder}: no control group can be made: {error.strerror}; --vcpu takes root on a Linux whose "
            f"control groups have processors: run as root, or leave --vcpu out"
        ) from error
    try:
        yield Confinement(folder, vcpu)
    finally:
        _remove(folder)


def _describe(vcpu: float) -> tuple[Path, dict[str, str]]:
    """Where the group goes and what has to be written there, for either version of control groups."""
    quota = round(vcpu * _PERIOD_MICROSECONDS)
    name = f"aigateway-bench-{uuid.uuid4().hex[:12]}"
    old = _MOUNT / "cpu"
    if (old / "cpu.cfs_quota_us").exists() or (old / "cgroup.procs").exists():
        return old / name, {"cpu.cfs_period_us": str(_PERIOD_MICROSECONDS), "cpu.cfs_quota_us": str(quota)}
    controllers = _MOUNT / "cgroup.subtree_control"
    if controllers.exists() and "cpu" in controllers.read_text(encoding="ascii").split():
        return _MOUNT / name, {"cpu.max": f"{quota} {_PERIOD_MICROSECONDS}"}
    raise AigatewayError(
        f"{_MOUNT}: has no control groups with processors, which --vcpu needs; measure on a Linux that has them, or "
        f"leave --vcpu out"
    )


def _remove(folder: Path) -> None:
    """The kernel takes a group away only when the last process in it has been reaped."""
    for pid in _list_processes(folder):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not _list_processes(folder), seconds=_END_SECONDS)
    with contextlib.suppress(OSError):
        folder.rmdir()


def _list_processes(folder: Path) -> list[int]:
    try:
        return [int(line) for line in (folder / "cgroup.procs").read_text(encoding="ascii").split()]
    except OSError:
        return []
