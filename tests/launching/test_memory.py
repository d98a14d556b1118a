"""What a part's processes held at most is known when they hold it no more."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from aigateway.launching.parts import ProcessReference

_BYTES = 200 * 1024**2
_SCRIPT = f"""
import sys
held = b"x" * {_BYTES}
del held
print("held", flush=True)
sys.stdin.read()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells")
def test_a_peak_is_known_afterwards_also_of_a_process_beside_the_first(tmp_path: Path) -> None:
    process = subprocess.Popen(
        ["/bin/sh", "-c", '"$0" -c "$1"; :', sys.executable, _SCRIPT],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        process_group=0,
    )
    try:
        assert process.stdout
        assert process.stdout.readline() == b"held\n"
        part = ProcessReference(pid=process.pid, port=1, log_path=tmp_path / "log")
        assert part.read_memory_bytes() < _BYTES < part.read_peak_memory_bytes() < 2 * _BYTES
    finally:
        process.communicate(b"")
