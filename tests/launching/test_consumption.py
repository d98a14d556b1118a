"""What a part has taken: the memory that its processes held at most, and the time of a CPU."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from aigateway.launching.parts import ProcessReference

_BYTES = 200 * 1024**2
_HOLD = f"""
held = b"x" * {_BYTES}
del held
"""

_SECONDS = 2.5
_WORK = f"""
import time
while time.process_time() < {_SECONDS}:
    pass
"""


@contextmanager
def _run(code: str, log: Path) -> Iterator[ProcessReference]:
    """A part that has done `code` in a process beside the first one of its group."""
    script = f'{code}\nimport sys\nprint("done", flush=True)\nsys.stdin.read()'
    process = subprocess.Popen(
        ["/bin/sh", "-c", '"$0" -c "$1"; :', sys.executable, script],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        process_group=0,
    )
    try:
        assert process.stdout
        assert process.stdout.readline() == b"done\n"
        yield ProcessReference(pid=process.pid, port=1, log_path=log)
    finally:
        process.communicate(b"")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells")
def test_a_peak_is_known_afterwards_also_of_a_process_beside_the_first(tmp_path: Path) -> None:
    with _run(_HOLD, tmp_path / "log") as part:
        assert part.read_memory_bytes() < _BYTES < part.read_peak_memory_bytes() < 2 * _BYTES


def test_the_time_of_a_cpu_is_what_was_worked_and_not_what_was_waited(tmp_path: Path) -> None:
    with _run(_WORK, tmp_path / "log") as part:
        # ps knows whole seconds.
        assert int(_SECONDS) <= part.read_cpu_seconds() < _SECONDS + 1


@pytest.mark.parametrize(
    ("said", "seconds"),
    [("00:00:14", 14), ("1-02:03:04", 93_784), ("12:34.56", 754.56), ("0:00.07", 0.07)],
)
def test_a_duration_is_read_as_every_ps_writes_it(
    said: str, seconds: float, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    answer = subprocess.CompletedProcess([], 0, f"  7 {said}\n  8 09:09:09\n")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: answer)

    part = ProcessReference(pid=7, port=1, log_path=tmp_path / "log")

    assert part.read_cpu_seconds() == pytest.approx(seconds)
