"""Running the simulator: in this process until a signal, or as a child that dies with its parent."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import IO

import uvloop

from aigateway.errors import SimulatorError
from aigateway.simulator.app import create_app
from aigateway.simulator.config import CONFIG_JSON, SimulatorConfig
from aigateway.simulator.control import SimulatorControl
from aigateway.simulator.control_app import create_control_app
from aigateway.simulator.listener import Listener
from aigateway.simulator.state import SimulatorState

_START_SECONDS = 20.0
_STOP_SECONDS = 5.0


@dataclass(frozen=True)
class Addresses:
    """Where a running simulator is."""

    url: str
    control_url: str


@dataclass(frozen=True)
class SimulatorProcess:
    """A simulator that runs as a child process."""

    url: str
    control_url: str
    pid: int

    @property
    def control(self) -> SimulatorControl:
        return SimulatorControl(self.control_url)


def serve(
    config: SimulatorConfig,
    host: str = "127.0.0.1",
    port: int = 0,
    control_host: str = "127.0.0.1",
    control_port: int = 0,
    on_ready: Callable[[Addresses], None] = lambda _addresses: None,
) -> None:
    """Run until SIGINT or SIGTERM, or until `on_ready` raises. A port that is taken is a `SimulatorError`."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(config, (host, port), (control_host, control_port), on_ready, None))


def serve_parent(stdin: IO[bytes], stdout: IO[str]) -> int:
    """The child's side of `start`: one line of JSON in, one line out, then run until the input ends."""
    line = stdin.readline()
    if not line:  # who wanted it was stopped before saying what
        return 0
    ordered = json.loads(line)

    def report(addresses: Addresses) -> None:
        # Nobody may be there any more to read it; the end of the input says so too.
        with contextlib.suppress(BrokenPipeError):
            stdout.write(json.dumps(asdict(addresses)) + "\n")
            stdout.flush()

    config = CONFIG_JSON.validate_python(ordered["config"])
    data, control = (ordered["host"], ordered["port"]), (ordered["host"], ordered["control_port"])
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_serve(config, data, control, report, stdin))
    except SimulatorError as error:
        stdout.write(json.dumps({"error": str(error)}) + "\n")
        stdout.flush()
        return error.exit_code
    return 0


@contextmanager
def start(
    config: SimulatorConfig, host: str = "127.0.0.1", port: int = 0, control_port: int = 0
) -> Iterator[SimulatorProcess]:
    """Run a simulator as a child for as long as the context is open.

    The child holds the reading end of a pipe whose writing end only this process has: when this process
    ends, however it ends, the pipe closes and the child stops. It is in a session of its own, so a Ctrl-C
    reaches only this process.
    """
    order = {
        "config": CONFIG_JSON.dump_python(config, mode="json"),
        "host": host,
        "port": port,
        "control_port": control_port,
    }
    child = subprocess.Popen(
        [sys.executable, "-m", "aigateway.simulator"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        addresses = _handshake(child, order)
        yield SimulatorProcess(addresses.url, addresses.control_url, child.pid)
    finally:
        _stop(child)


async def _serve(
    config: SimulatorConfig,
    data_address: tuple[str, int],
    control_address: tuple[str, int],
    on_ready: Callable[[Addresses], None],
    parent: IO[bytes] | None,
) -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    state = SimulatorState(config)
    data = Listener(create_app(config, state), *data_address)
    control = Listener(create_control_app(state), *control_address)
    state.refuse = data.refuse
    if parent is not None:
        _stop_with(parent, stop)
    try:
        await data.open()
        await control.open()
        on_ready(Addresses(data.url, control.url))
        await stop.wait()
    finally:
        await asyncio.gather(data.close(), control.close())


def _stop_with(parent: IO[bytes], stop: asyncio.Event) -> None:
    """Set `stop` when the pipe to the parent closes; nothing more is ever sent through it."""
    loop = asyncio.get_running_loop()
    descriptor = parent.fileno()

    def readable() -> None:
        if not os.read(descriptor, 1024):
            loop.remove_reader(descriptor)
            stop.set()

    loop.add_reader(descriptor, readable)


def _handshake(child: subprocess.Popen[bytes], order: dict[str, object]) -> Addresses:
    """Hand the order over and wait for the addresses."""
    if child.stdin is None or child.stdout is None:
        raise SimulatorError("The simulated Azure was started without pipes.")
    try:
        child.stdin.write(json.dumps(order).encode() + b"\n")
        child.stdin.flush()
    except BrokenPipeError:
        raise _died(child) from None
    line = _read_line(child, child.stdout.fileno(), time.monotonic() + _START_SECONDS)
    answer = json.loads(line)
    if "error" in answer:
        raise SimulatorError(answer["error"])
    return Addresses(**answer)


def _read_line(child: subprocess.Popen[bytes], descriptor: int, deadline: float) -> bytes:
    line = b""
    while not line.endswith(b"\n"):
        ready, _, _ = select.select([descriptor], [], [], max(0.0, deadline - time.monotonic()))
        if not ready:
            raise SimulatorError(
                f"The simulated Azure was not ready within {_START_SECONDS:.0f} s; the machine may be "
                "overloaded."
            )
        data = os.read(descriptor, 4096)
        if not data:
            raise _died(child)
        line += data
    return line


def _died(child: subprocess.Popen[bytes]) -> SimulatorError:
    code = child.wait(_STOP_SECONDS)
    return SimulatorError(f"The simulated Azure ended with exit code {code} before it was ready; see above.")


def _stop(child: subprocess.Popen[bytes]) -> None:
    """Close the pipe, which ends the child; kill it when it does not end in time."""
    for pipe in (child.stdin, child.stdout):
        if pipe is not None:
            pipe.close()
    try:
        child.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
