"""What may use so many processors gets no more; skipped where no control group can be made."""

from __future__ import annotations

import subprocess
import sys

import pytest

from aigateway.benchmarking.confinement import confine
from aigateway.benchmarking.processors import read_processor_seconds
from aigateway.errors import AigatewayError

SECONDS = 1.5
BUSY = f"""
import time
began, used = time.monotonic(), time.process_time()
while time.monotonic() - began < {SECONDS}: pass
print((time.process_time() - used) / (time.monotonic() - began))
"""


def test_it_gets_no_more_than_its_share_and_the_group_is_gone_after() -> None:
    try:
        with confine(0.2) as confinement:
            script = confinement.confine(f"exec '{sys.executable}' -c '{BUSY}'")
            done = subprocess.run(["/bin/sh", "-c", script], capture_output=True, check=True, text=True)
            assert confinement.folder.is_dir()
    except AigatewayError as error:
        pytest.skip(str(error))
    # A share of a period more, at either end.
    assert float(done.stdout) < 0.2 + 2 * 0.02 / SECONDS + 0.05
    assert not confinement.folder.exists()


def test_what_still_runs_in_it_ends_with_it() -> None:
    try:
        with confine(0.5) as confinement:
            process = subprocess.Popen(
                ["/bin/sh", "-c", confinement.confine("echo in; exec sleep 600")], stdout=-1
            )
            assert process.stdout
            assert process.stdout.readline() == b"in\n"
            process.stdout.close()
            # The kernel keeps the group until it is waited for.
            pid = process.pid
    except AigatewayError as error:
        pytest.skip(str(error))
    assert process.wait(10) == -9
    assert pid


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has /proc")
def test_processor_time_is_that_of_the_whole_group() -> None:
    code = "import time\nwhile time.process_time() < 0.3: pass\nprint('done', flush=True)\ninput()"
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, process_group=0
    )
    try:
        assert process.stdout
        assert process.stdout.readline()
        used = read_processor_seconds(process.pid)
        assert used is not None
        assert 0.2 < used < 5
    finally:
        process.kill()
        process.communicate()
    assert read_processor_seconds(process.pid) == 0
