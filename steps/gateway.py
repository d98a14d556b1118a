"""The gateway under test, as every other module of steps sees it."""

from __future__ import annotations

import secrets
import ssl
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from pathlib import Path
from typing import TypeVar

import httpx
import httpx2
import openai
import pytest
from pytest_bdd import given
from rich.console import Console

from aigateway.acceptance.metering import METER
from aigateway.acceptance.recording import RecordedControl
from aigateway.acceptance.target import Target
from aigateway.acceptance.watching import ASYNC_HOOKS, HOOKS
from aigateway.errors import LaunchError
from aigateway.launching.choice import choose_launcher
from aigateway.launching.commands import command_envoy
from aigateway.launching.edits import Edit
from aigateway.launching.keys import GatewayKeys
from aigateway.launching.parts import PROCESSES, SLOTS_EACH, EdgePart, PartReference, require_running
from aigateway.launching.stack import Stack, StackReference, require_ready, run_stack
from aigateway.rendering.renderer import ENVOY, Rendering, render_settings
from aigateway.settings.model import RateLimit, Settings
from aigateway.simulator.server import Addresses

_EDGE_READY_SECONDS = 20.0

# A process's places for edges, beside a scenario's own: for one that lasts, for one of several replicas, for one with
# room for many requests, and for the one that all its scenarios share.
LASTING_SLOT, REPLICA_SLOT, ROOMY_SLOT, _SHARED_SLOT = 1, 2, 3, 4

AnyLimit = TypeVar("AnyLimit", bound=RateLimit)

#: No answer of the simulated Azure takes this long; a request that does hangs.
PATIENCE_SECONDS = 60.0


@dataclass(frozen=True)
class LocalControl:
    """What a scenario can do only on this machine: command Azure, read logs, start another edge."""

    stack: StackReference
    slot: int

    @cached_property
    def azure(self) -> RecordedControl:
        """The simulated Azure."""
        return RecordedControl(self.stack.simulator_control_url)

    @property
    def keys(self) -> GatewayKeys:
        """Every secret of the run."""
        return self.stack.keys

    def move(self, by: int) -> LocalControl:
        """The same, with another place for an edge."""
        return replace(self, slot=self.slot + by)


@dataclass(frozen=True)
class Gateway:
    """A gateway that clients can call: `base_url` without /v1, the settings that it is meant to follow, and a key.

    `keys` are those of all its clients, where it is one of this machine's.
    """

    base_url: str
    settings: Settings
    key: str = field(repr=False)
    edge: PartReference | None = field(default=None, compare=False)
    patience_seconds: float = PATIENCE_SECONDS
    keys: GatewayKeys | None = field(default=None, repr=False, compare=False)

    def find_share(self, limit: AnyLimit) -> AnyLimit:
        """What an environment's limit comes to at this address: the share of one replica."""
        return limit.divide(self.settings.scale.max_replicas)

    def split_by_client(self) -> tuple[Gateway, ...]:
        """The same gateway as each of its clients sees it, in the order of the settings."""
        if self.keys is None:
            raise LookupError("only a gateway of this machine's can be seen by each client")
        return tuple(replace(self, key=self.keys.of(client)) for client in self.settings.clients)

    def connect(self) -> openai.OpenAI:
        """OpenAI's own client, as a user would set it up; it does not retry, so that the gateway is what is seen."""
        return _connect_openai(self.base_url, self.key, self.patience_seconds)

    def connect_async(self) -> openai.AsyncOpenAI:
        """The same, asynchronous; whoever asks for it closes it."""
        return openai.AsyncOpenAI(
            base_url=f"{self.base_url}/v1",
            api_key=self.key,
            max_retries=0,
            timeout=self.patience_seconds,
            http_client=openai.DefaultAsyncHttpxClient(event_hooks=ASYNC_HOOKS, verify=trust_openai()),
        )


# The roots of trust, read once in a process: a client that reads them by itself takes 60 ms for that.
@cache
def trust_http() -> ssl.SSLContext:
    """What a client of httpx trusts by itself."""
    return httpx.create_ssl_context()


@cache
def trust_openai() -> ssl.SSLContext:
    """What OpenAI's client trusts by itself: that of the HTTP library that it brings."""
    return httpx2.create_ssl_context()


# One client of each kind for a process: making one costs more than most requests.
@cache
def _connect_openai(base_url: str, key: str, patience_seconds: float) -> openai.OpenAI:
    return openai.OpenAI(
        base_url=f"{base_url}/v1",
        api_key=key,
        max_retries=0,
        timeout=patience_seconds,
        http_client=openai.DefaultHttpxClient(event_hooks=HOOKS, verify=trust_openai()),
    )


@cache
def connect_http() -> httpx.Client:
    """A client that sends just what it is told to, for whatever OpenAI's own would not send."""
    return httpx.Client(timeout=PATIENCE_SECONDS, event_hooks=HOOKS, verify=trust_http())


@pytest.fixture
def marker() -> str:
    """A word that no other scenario uses. It stands in everything that the scenario sends, so that what the
    simulated Azure received, or is to fail, can be told apart from what other scenarios send at the same time."""
    return f"marker{secrets.token_hex(6)}"


@pytest.fixture(scope="session")
def worker(worker_id: str) -> int:
    """Which of the run's processes this one is."""
    return int(worker_id.removeprefix("gw")) if worker_id != "master" else 0


@pytest.fixture(scope="session")
def own_edges(target: Target, worker: int) -> Iterator[Edges | None]:
    """Where the edge is started that all scenarios of this process share; none where it is one that is there already.

    That is the run's own edge for the first process. Together they would use up what one client may send.
    """
    if target.stack is None or worker == 0:
        yield None
        return
    with ExitStack() as undo:
        yield Edges(_control(target.stack, worker).move(_SHARED_SLOT), undo)


@pytest.fixture(scope="session")
def shared_gateway(target: Target, own_edges: Edges | None) -> Gateway:
    """The gateway of the run as this process sees it."""
    if own_edges:
        gateway = own_edges.start(target.settings)
    else:
        edge, keys = (target.stack.edge, target.stack.keys) if target.stack else (None, None)
        gateway = Gateway(target.base_url, target.settings, target.key, edge, keys=keys)
    METER.aim(gateway.base_url)
    return gateway


@pytest.fixture
def gateway(shared_gateway: Gateway, own_edges: Edges | None) -> Gateway:
    """The gateway of a scenario that starts none of its own."""
    if own_edges:
        own_edges.require_running()
    return shared_gateway


@pytest.fixture(scope="session")
def control(target: Target, worker: int) -> LocalControl:
    """Control of this machine's stack; only scenarios that are not tagged @deployed may ask for it."""
    if target.stack is None:
        raise LookupError("this scenario controls Azure, which only a local run can do; tag it @local alone")
    return _control(target.stack, worker)


def _control(stack: StackReference, worker: int) -> LocalControl:
    if worker >= PROCESSES:
        raise LaunchError(
            f"only {PROCESSES} processes can run scenarios at a time, and this is another: pytest was told to start "
            "more, or one has crashed"
        )
    return LocalControl(stack, slot=1 + worker * SLOTS_EACH)


@pytest.fixture
def edges(control: LocalControl) -> Iterator[Edges]:
    """Starts edges for this scenario alone, and stops them after it."""
    with ExitStack() as undo:
        yield Edges(control, undo)


@pytest.fixture(scope="session")
def lasting_edge(control: LocalControl) -> Iterator[LastingEdge]:
    """Ends with the process's last scenario."""
    with ExitStack() as undo:
        yield LastingEdge(Edges(control.move(LASTING_SLOT), undo))


@cache
def _render(root: Path, settings: Settings) -> Rendering:
    """What many scenarios start once more; the templates do not change while they run."""
    return render_settings(root, settings)


@dataclass
class Edges:
    """Makes gateways with an Envoy of their own, its buckets full, in front of the run's LiteLLM."""

    control: LocalControl
    undo: ExitStack
    _edge: EdgePart | None = field(default=None, init=False)

    def start(
        self, settings: Settings, keys: GatewayKeys | None = None, edits: Sequence[Edit] = ()
    ) -> Gateway:
        """Start an Envoy that runs what `settings` render to, in the place of this scenario's last one.

        It has the run's keys, and new ones for clients that the run does not know; or `keys`. `edits` are made after
        those of the run.
        """
        self.undo.close()
        stack = self.control.stack
        keys = keys or stack.keys.cover(settings)
        config = _render(stack.root, settings).texts[ENVOY]
        launcher = choose_launcher(stack.launcher, settings, Console(stderr=True))
        edge = launcher.start_edge(
            command_envoy(
                stack.root, config, keys, (*stack.edits, *edits), settings.scale.termination_grace_seconds
            ),
            stack.litellm,
            slot=self.control.slot,
        )
        self.undo.callback(edge.kill)
        self._edge = edge
        require_ready((edge,), edge.base_url, _EDGE_READY_SECONDS)
        return Gateway(edge.base_url, settings, keys.of(settings.clients[0]), edge.reference, keys=keys)

    def require_running(self) -> None:
        """Raise LaunchError when the last edge has ended."""
        if self._edge:
            require_running(self._edge, "the envoy that this process's scenarios share died")

    def stop(self) -> None:
        """Stop this scenario's last edge, as the platform does: it is told to, and has time to."""
        if self._edge:
            self._edge.stop()


class LastingEdge:
    """An edge for scenarios that leave it as they found it, so that the next one need not start another."""

    def __init__(self, edges: Edges) -> None:
        self._edges = edges
        self._gateway: Gateway | None = None

    def take(self, settings: Settings) -> Gateway:
        """The edge that runs what `settings` render to."""
        if self._gateway is None or self._gateway.settings != settings:
            self._gateway = self._edges.start(settings)
        return self._gateway


@dataclass(frozen=True)
class OwnStack:
    """A whole gateway that a scenario may spoil: the stack itself, how clients see it, and control of it."""

    stack: Stack
    gateway: Gateway
    control: LocalControl


@pytest.fixture
def stacks(control: LocalControl) -> Iterator[Stacks]:
    """Starts whole gateways for this scenario alone, and stops them after it."""
    with ExitStack() as undo:
        yield Stacks(control.stack, undo)


@dataclass(frozen=True)
class Stacks:
    """Makes gateways with a LiteLLM of their own, which takes some ten seconds."""

    run: StackReference
    undo: ExitStack

    def start(
        self, settings: Settings, *, keys: GatewayKeys | None = None, simulator: Addresses | None = None
    ) -> OwnStack:
        """Start a gateway that runs what `settings` render to, in front of `simulator` or an Azure of its own.

        It has `keys`, or those of the run. It is not ready yet, so that two can start side by side:
        `stack.wait_until_ready()`.
        """
        launcher = choose_launcher(self.run.launcher, settings, Console(stderr=True))
        stack = self.undo.enter_context(
            run_stack(
                self.run.root,
                _render(self.run.root, settings),
                launcher,
                edits=self.run.edits,
                keys=keys or self.run.keys,
                simulator=simulator,
            )
        )
        gateway = Gateway(
            stack.base_url,
            settings,
            stack.keys.of(settings.clients[0]),
            stack.edge.reference,
            keys=stack.keys,
        )
        return OwnStack(stack, gateway, LocalControl(stack.reference, slot=1))


@given("a gateway that has been idle", target_fixture="gateway")
def _(edges: Edges, target: Target) -> Gateway:
    return edges.start(target.settings)
