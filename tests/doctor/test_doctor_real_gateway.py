"""The doctor and the real gateway, Envoy and LiteLLM, with a simulated Azure behind it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from laboratory import Lab
from rich.console import Console

from aigateway.doctor.clients import CLIENT_NAMES, CLIENTS, DEFAULT_TOKENS, ClientName
from aigateway.doctor.results import Diagnosis
from aigateway.launching.choice import choose_launcher
from aigateway.launching.stack import Stack, run_stack
from aigateway.rendering.renderer import render_environment
from aigateway.simulator.control import SimulatorControl
from aigateway.simulator.faults import CutStream, FailedStream, Failing, Fault, SilentStream, Throttled

pytest_plugins = ["laboratory_fixtures"]

_ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    rendering = render_environment(_ROOT, "dev")
    launcher = choose_launcher("process", rendering.settings, Console(quiet=True))
    with run_stack(_ROOT, rendering, launcher) as running:
        running.wait_until_ready()
        yield running


def examine(
    lab: Lab, stack: Stack, client: ClientName | None = None, end: str = "/v1", **more: Any
) -> Diagnosis:
    key = stack.keys.of(stack.rendering.settings.clients[0])
    return lab.examine(f"{stack.base_url}{end}", client, token_budget=DEFAULT_TOKENS, **{"key": key, **more})


@pytest.mark.parametrize("client", [None, *CLIENT_NAMES])
def test_all_is_well_with_every_client(lab: Lab, stack: Stack, client: ClientName | None) -> None:
    end = "" if client and CLIENTS[client].form == "without /v1" else "/v1"
    diagnosis = examine(lab, stack, client, end)
    assert diagnosis.findings == ()
    assert {check.outcome for check in diagnosis.checks} == {"ok"}
    assert diagnosis.exit_code == 0
    # Each answer says what it cost: far less than was kept for it.
    assert 0 < diagnosis.tokens < diagnosis.tokens_at_most < DEFAULT_TOKENS


def test_roo_gets_along_with_v1_and_is_warned(lab: Lab, stack: Stack) -> None:
    diagnosis = examine(lab, stack, "roo", end="/v1")
    assert [finding.id for finding in diagnosis.findings] == ["url-with-v1"]
    assert diagnosis.exit_code == 0


@pytest.mark.parametrize(
    ("more", "troubles"),
    [
        ({"key": "sk-of-another-environment-0123456789"}, ["key-refused"]),
        ({"model": "gpt-5.4-codex"}, ["model-unknown", "model-unknown"]),
    ],
)
def test_what_the_gateway_refuses_is_understood(
    lab: Lab, stack: Stack, more: dict[str, Any], troubles: list[str]
) -> None:
    diagnosis = examine(lab, stack, **more)
    assert [finding.id for finding in diagnosis.findings] == troubles


@pytest.fixture
def azure(stack: Stack) -> Iterator[SimulatorControl]:
    control = SimulatorControl(stack.simulator.control_url)
    yield control
    control.reset()


_ALWAYS = 100


@pytest.mark.parametrize(
    ("fault", "trouble"),
    [
        (Failing(status=403, operation="responses", times=_ALWAYS), "forbidden"),
        (Failing(status=404, operation="responses", times=_ALWAYS), "deployment-missing"),
        (Throttled(retry_after=60, operation="responses", times=_ALWAYS), "rate-limited"),
        (CutStream(after_events=8, times=_ALWAYS), "model-failed"),
        (SilentStream(after_events=8, seconds=1.5, times=_ALWAYS), "stream-gap"),
        (FailedStream(after_output=True, times=_ALWAYS), "model-failed"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_azure_does_is_understood(
    lab: Lab, stack: Stack, azure: SimulatorControl, fault: Fault, trouble: str
) -> None:
    azure.inject(fault)
    diagnosis = examine(lab, stack, silence=1)
    assert trouble in {finding.id for finding in diagnosis.findings}
