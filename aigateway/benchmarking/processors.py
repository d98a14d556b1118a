"""Processor time of processes: what a request costs, however much else the machine has to do."""

from __future__ import annotations

import os
from pathlib import Path

_PROC = Path("/proc")

# proc(5): what stands in /proc/PID/stat behind the name, which may hold anything; from 0.
_GROUP, _FIRST_TIME, _LAST_TIME = 2, 11, 15


def read_processor_seconds(group: int) -> float | None:
    """What the processes of a process group have used, and those of their children that have ended; Linux only."""
    if not (_PROC / "self" / "stat").exists():
        return None
    ticks = sum(_read_ticks(folder, group) for folder in _PROC.iterdir() if folder.name.isdigit())
    return ticks / os.sysconf("SC_CLK_TCK")


def _read_ticks(folder: Path, group: int) -> int:
    try:
        fields = (folder / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:  # it has ended
        return 0
    return sum(map(int, fields[_FIRST_TIME:_LAST_TIME])) if int(fields[_GROUP]) == group else 0
