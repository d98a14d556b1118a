"""The real gateway, started once: a small folder is indexed through it, with and without room in Azure's quota."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from rich.console import Console

from aigateway.launching.choice import choose_launcher
from aigateway.launching.stack import Stack, run_stack
from aigateway.rehearsing.results import Count, End, Measured
from aigateway.rehearsing.roo import gather_batches
from aigateway.rehearsing.run import Sending, find_client, read_folder, read_refusals
from aigateway.rendering.renderer import render_environment
from aigateway.simulator.config import Quota
from aigateway.simulator.control import SimulatorControl

ROOT = Path(__file__).parents[2]

#: Far longer than LiteLLM needs: a machine that is busy is no failure.
READY_SECONDS = 360

QUIET = Console(quiet=True)


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    rendering = render_environment(ROOT, "dev")
    launcher = choose_launcher("process", rendering.settings, QUIET)
    with run_stack(ROOT, rendering, launcher) as running:
        running.wait_until_ready(seconds=READY_SECONDS)
        yield running


@pytest.fixture
def control(stack: Stack) -> SimulatorControl:
    control = SimulatorControl(stack.simulator.control_url)
    control.reset()
    return control


@pytest.fixture
def folder(tmp_path: Path) -> tuple[Count, list[str]]:
    for number in range(150):
        body = f"def f_{number}(argument: int) -> int:\n    return argument * {number} + argument\n"
        (tmp_path / f"f_{number:03}.py").write_text(body)
    return read_folder(tmp_path, QUIET, threading.Event())


def send(stack: Stack, segments: list[str], ask_whether_to_end: Callable[[Sending], End | None]) -> Sending:
    settings = stack.rendering.settings
    sending = Sending(
        stack.base_url,
        stack.keys.of(find_client(settings, "")),
        settings.azure.embeddings.model,
        gather_batches(segments),
    )
    asyncio.run(sending.run(lambda: ask_whether_to_end(sending)))
    return sending


def ask_all_sides(stack: Stack, control: SimulatorControl, sending: Sending) -> Measured:
    edge = read_refusals(stack.edge.reference, sending.traffic.statuses[429])
    return sending.sum_up(edge, control.tally("embeddings"))


def test_a_small_folder_is_indexed(
    stack: Stack, control: SimulatorControl, folder: tuple[Count, list[str]]
) -> None:
    count, segments = folder
    sending = send(stack, segments, lambda _sending: None)
    measured = ask_all_sides(stack, control, sending)
    assert (measured.end, measured.problem) == ("done", "")
    assert (measured.segments, measured.failed_segments) == (count.segments, 0) == (150, 0)
    assert (measured.requests, measured.azure_requests, measured.refused, measured.azure_refused) == (
        4,
        4,
        0,
        0,
    )
    forecast = sending.foretell(count, 0)
    assert (forecast.verdict, forecast.basis) == ("finishes", "measured")
    received = [request.body for request in control.requests(operation="embeddings")]
    assert sorted(len(body["input"]) for body in received) == [1, 30, 60, 60]
    assert all(body["encoding_format"] == "base64" and "dimensions" not in body for body in received)


def test_azures_refusals_are_told_from_the_edges(
    stack: Stack, control: SimulatorControl, folder: tuple[Count, list[str]]
) -> None:
    _, segments = folder
    # One request tries the settings and one batch comes through; the next has room after a minute.
    control.limit(Quota(requests_per_minute=2))

    def is_enough_known(sending: Sending) -> End | None:
        return "time" if sending.ended and sending.traffic.statuses[429] else None

    measured = ask_all_sides(stack, control, send(stack, segments, is_enough_known))
    assert (measured.end, measured.batches) == ("time", 1)
    assert measured.azure_refused >= measured.passed_on >= 1
    assert measured.refused_by_edge == 0
    assert measured.refused == measured.passed_on
    assert measured.azure_requests >= measured.requests
