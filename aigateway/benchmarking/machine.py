"""This machine, as a figure's reader has to know it."""

from __future__ import annotations

import os
import platform
from pathlib import Path

from aigateway.benchmarking.results import Machine


def describe_machine() -> Machine:
    """What this process may use of it, and how busy it is."""
    return Machine(
        processor=_read_processor(),
        cores=_count_cores(),
        memory_gib=round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1024**3, 1),
        system=f"{platform.system()} {platform.release()}",
        python=platform.python_version(),
        load_before=read_load(),
    )


def read_load() -> float | None:
    """The mean of runnable processes over the last minute."""
    try:
        return round(os.getloadavg()[0], 2)
    except OSError:
        return None


def _count_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _read_processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
