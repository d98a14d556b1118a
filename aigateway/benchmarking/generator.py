"""Sends load, by the program `load.py`, which lives in Locust's environment, and takes down what came of it."""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from aigateway.benchmarking.workloads import Request
from aigateway.errors import AigatewayError
from aigateway.files import make_temporary_folder
from aigateway.launching.ports import find_free_port

KEYS_VARIABLE = "AIGATEWAY_BENCH_KEYS"

_PROGRAM = Path(__file__).with_name("load.py")
_START_SECONDS = 60.0
_JOIN_SECONDS = 600.0
# Longer than load.py waits for a request that is not answered.
_PATIENCE_SECONDS = 300.0
_STOP_SECONDS = 5.0
_UNLIMITED = 10**9


@dataclass(frozen=True)
class Load:
    """`users` who send `request` again and again, with the key that is called `key`.

    At first they are unwatched, while it settles; then for `seconds`, or for longer until `least` have been answered or
    one has failed, but not for more than `most_seconds`, and at most `most` times in all. With an interval, the users
    together send one request each `interval_seconds`.
    """

    request: Request
    key: str
    users: int
    seconds: float
    settle_seconds: float = 0.0
    least: int = 1
    most: int = _UNLIMITED
    most_seconds: float = 60.0
    interval_seconds: float = 0.0


class Slice(BaseModel):
    """What came of one load. Milliseconds; the first event's time is none where nothing was streamed."""

    model_config = ConfigDict(frozen=True)

    samples: tuple[tuple[float, float | None], ...] = Field(
        description="until the end, until the first event"
    )
    within: int = Field(description="so many were answered while it was watched")
    served: int = Field(description="so many were answered in all")
    failures: dict[str, int]
    tokens: int
    watched_seconds: float = Field(gt=0)
    processor_seconds: float | None = Field(
        default=None, description="that the processes which served it used"
    )

    @property
    def rate(self) -> float:
        """Answers a second while it was watched."""
        return self.within / self.watched_seconds

    @property
    def failed(self) -> int:
        """How many were not answered as they should."""
        return sum(self.failures.values())

    @property
    def answered(self) -> int:
        """How many of those that were watched from their beginning were answered."""
        return len(self.samples)


_SLICE: TypeAdapter[Slice] = TypeAdapter(Slice)


class Generator:
    """A running load program."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self._process = process
        self._log = log

    def send(self, load: Load) -> Slice:
        """Send `load`, and wait for what comes of it. Raises AigatewayError when the program died."""
        order = {
            **asdict(load),
            **asdict(load.request),
            "name": load.request.url.partition("?")[0].rpartition("/")[2],
        }
        del order["request"]
        stdin = _require(self._process.stdin)
        try:
            stdin.write(json.dumps(order).encode() + b"\n")
            stdin.flush()
        except BrokenPipeError as error:
            raise self._died() from error
        answer = json.loads(self._read_line(load.settle_seconds + load.most_seconds + _PATIENCE_SECONDS))
        if "error" in answer:
            raise AigatewayError(f"Locust could not send its load: {answer['error']}")
        return _SLICE.validate_python(answer)

    def wait_until_ready(self, seconds: float) -> None:
        """Wait until it can send. Raises AigatewayError when it cannot."""
        self._read_line(seconds)

    def _read_line(self, seconds: float) -> bytes:
        descriptor = _require(self._process.stdout).fileno()
        deadline = time.monotonic() + seconds
        line = b""
        while not line.endswith(b"\n"):
            ready, _, _ = select.select([descriptor], [], [], max(0.0, deadline - time.monotonic()))
            if not ready:
                raise AigatewayError(f"Locust has not answered for {seconds:.0f} s; {self._quote()}")
            data = os.read(descriptor, 1 << 16)
            if not data:
                raise self._died()
            line += data
        return line

    def _died(self) -> AigatewayError:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_STOP_SECONDS)
        return AigatewayError(f"Locust ended with exit code {self._process.returncode}; {self._quote()}")

    def _quote(self) -> str:
        lines = self._log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-5:]
        return "its last lines:\n" + ("\n".join(f"    {line[:300]}" for line in lines) or "    (none)")


@contextlib.contextmanager
def start_generator(
    python: Path, keys: Mapping[str, str], *, workers: int = 0, listen: int = 0
) -> Iterator[Generator]:
    """A load program with `keys` by name, stopped at the end.

    With `workers`, the load comes from so many processes, in Locust's distributed mode: of this machine, or, where a
    port to `listen` at is given, of other machines, which have to join there.
    """
    with contextlib.ExitStack() as undo:
        folder = undo.enter_context(make_temporary_folder("bench"))
        environment = {
            "PATH": "/usr/bin:/bin",
            "HOME": str(folder),
            "TMPDIR": str(folder),
            KEYS_VARIABLE: json.dumps(dict(keys)),
        }
        port = listen or (find_free_port() if workers else 0)
        arguments = ["--listen", str(port), str(workers)] if workers else []
        log = folder / "log"
        process = _start(python, arguments, environment, log)
        started = [process]
        # The first one tells the others that it is over.
        undo.callback(_stop_all, started)
        for number in range(0 if listen else workers):
            join = ["--join", f"127.0.0.1:{port}"]
            started.append(_start(python, join, environment, Path(folder) / f"log{number}"))
        generator = Generator(process, log)
        generator.wait_until_ready(_JOIN_SECONDS if listen else _START_SECONDS)
        yield generator


def join_generator(python: Path, address: str, keys: Mapping[str, str]) -> int:
    """Send load for the bench that listens at `address`, HOST:PORT, until it ends; gives the exit code."""
    environment = {**os.environ, KEYS_VARIABLE: json.dumps(dict(keys))}
    process = subprocess.Popen([python, "-I", _PROGRAM, "--join", address], env=environment)
    try:
        return process.wait()
    finally:
        _stop(process)


def _start(
    python: Path, arguments: Sequence[str], environment: Mapping[str, str], log: Path
) -> subprocess.Popen[bytes]:
    with log.open("wb") as file:
        # Isolated: what stands beside the program is not for it to import.
        return subprocess.Popen(
            [python, "-I", _PROGRAM, *arguments],
            env=dict(environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=file,
            # Ctrl-C goes to this process alone, which then stops what it started in order.
            process_group=0,
        )


def _stop_all(processes: Sequence[subprocess.Popen[bytes]]) -> None:
    for process in processes:
        _stop(process)


def _stop(process: subprocess.Popen[bytes]) -> None:
    """The end of its input ends it; what does not end in time is ended."""
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with contextlib.suppress(BrokenPipeError):
                pipe.close()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _require(pipe: IO[bytes] | None) -> IO[bytes]:
    if pipe is None:
        raise AigatewayError("Locust was started without pipes")
    return pipe
