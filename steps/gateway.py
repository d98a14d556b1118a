"""The gateway under test, as every other module of steps sees it."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cache, cached_property

import httpx
import openai
import pytest
from pytest_bdd import given
from rich.console import Console

from aigateway.acceptance.target import Target
from aigateway.launching.choice import choose_launcher
from aigateway.launching.commands import command_envoy
from aigateway.launching.keys import GatewayKeys
from aigateway.launching.parts import PartReference
from aigateway.launching.stack import StackReference, require_ready
from aigateway.rendering.renderer import ENVOY, render_settings
from aigateway.settings.model import Settings
from aigateway.simulator.control import SimulatorControl

_EDGE_READY_SECONDS = 20.0

#: No answer of the simulated Azure takes this long; a request that does hangs.
PATIENCE_SECONDS = 60.0


@dataclass(frozen=True)
class LocalControl:
    """What a scenario can do only on this machine: command Azure, read logs, start another edge."""

    stack: StackReference
    slot: int

    @cached_property
    def azure(self) -> SimulatorControl:
        """The simulated Azure."""
        return SimulatorControl(self.stack.simulator_control_url)

    @property
    def keys(self) -> GatewayKeys:
        """Every secret of the run."""
        return self.stack.keys


@dataclass(frozen=True)
class Gateway:
    """A gateway that clients can call: `base_url` without /v1, the settings that it is meant to follow, and a key."""

    base_url: str
    settings: Settings
    key: str = field(repr=False)
    edge: PartReference | None = field(default=None, compare=False)

    def connect(self) -> openai.OpenAI:
        """OpenAI's own client, as a user would set it up; it does not retry, so that the gateway is what is seen."""
        return _connect_openai(self.base_url, self.key)


# One client of each kind for a process: making one costs more than most requests.
@cache
def _connect_openai(base_url: str, key: str) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{base_url}/v1", api_key=key, max_retries=0, timeout=PATIENCE_SECONDS)


@cache
def connect_http() -> httpx.Client:
    """A client that sends just what it is told to, for whatever OpenAI's own would not send."""
    return httpx.Client(timeout=PATIENCE_SECONDS)


@pytest.fixture
def marker() -> str:
    """A word that no other scenario uses. It stands in everything that the scenario sends, so that what the
    simulated Azure received, or is to fail, can be told apart from what other scenarios send at the same time."""
    return f"marker{secrets.token_hex(6)}"


@pytest.fixture
def gateway(target: Target) -> Gateway:
    """The gateway of the run, which all scenarios share."""
    edge = target.stack.edge if target.stack else None
    return Gateway(target.base_url, target.settings, target.key, edge)


@pytest.fixture
def control(target: Target, worker_id: str) -> LocalControl:
    """Control of this machine's stack; only scenarios that are not tagged @deployed may ask for it."""
    if target.stack is None:
        raise LookupError("this scenario controls Azure, which only a local run can do; tag it @local alone")
    worker = int(worker_id.removeprefix("gw")) if worker_id != "master" else 0
    return LocalControl(target.stack, slot=worker + 1)


@pytest.fixture
def edges(control: LocalControl) -> Iterator[Edges]:
    """Starts edges for this scenario alone, and stops them after it."""
    with ExitStack() as undo:
        yield Edges(control, undo)


@dataclass(frozen=True)
class Edges:
    """Makes gateways with an Envoy of their own, its buckets full, in front of the run's LiteLLM."""

    control: LocalControl
    undo: ExitStack

    def start(self, settings: Settings) -> Gateway:
        """Start an Envoy that runs what `settings` render to, in the place of this scenario's last one."""
        self.undo.close()
        stack = self.control.stack
        config = render_settings(stack.root, settings).texts[ENVOY]
        launcher = choose_launcher(stack.launcher, settings, Console(stderr=True))
        edge = launcher.start_edge(
            command_envoy(stack.root, config, stack.keys, stack.edits), stack.litellm, slot=self.control.slot
        )
        self.undo.callback(edge.stop)
        require_ready((edge,), edge.base_url, _EDGE_READY_SECONDS)
        return Gateway(edge.base_url, settings, stack.keys.of(settings.clients[0]), edge.reference)


@given("a gateway that has been idle", target_fixture="gateway")
def _(edges: Edges, target: Target) -> Gateway:
    return edges.start(target.settings)
