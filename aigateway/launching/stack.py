"""The whole thing on this machine: simulated Azure, LiteLLM, Envoy; started together, ready together, gone together."""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx
from pydantic import BaseModel, ConfigDict

from aigateway.errors import LaunchError
from aigateway.launching.commands import command_envoy, command_litellm
from aigateway.launching.edits import Edit
from aigateway.launching.keys import GatewayKeys, generate_keys
from aigateway.launching.parts import (
    EdgePart,
    Launcher,
    LauncherName,
    Part,
    PartReference,
    quote_log,
    require_started,
)
from aigateway.rendering.renderer import ENVOY, LITELLM, Rendering
from aigateway.settings.model import Settings
from aigateway.simulator.config import SimulatorConfig
from aigateway.simulator.server import Addresses
from aigateway.simulator.server import start as start_simulator
from aigateway.waiting import wait_until

#: So long a replica may take to start: here, and by the start-up probe of the deployment, which allows the same.
#: LiteLLM needs 8-10 s, and up to 82 s were seen on a machine that had six times as much to do as it could.
READY_SECONDS = 300.0

HEALTH_PATH = "/healthz"


class StackReference(BaseModel):
    """What another process needs to use a running stack. It holds throw-away keys: keep it out of reports."""

    model_config = ConfigDict(frozen=True)

    root: Path
    environment: str
    launcher: LauncherName
    base_url: str
    keys: GatewayKeys
    simulator_url: str
    simulator_control_url: str
    litellm: PartReference
    edge: PartReference
    edits: tuple[Edit, ...] = ()


@dataclass(frozen=True)
class Stack:
    """A stack that this process started."""

    rendering: Rendering
    keys: GatewayKeys
    launcher: Launcher
    simulator: Addresses
    litellm: Part
    edge: EdgePart
    edits: tuple[Edit, ...] = ()

    @property
    def base_url(self) -> str:
        """The gateway's address, without /v1."""
        return self.edge.base_url

    @property
    def reference(self) -> StackReference:
        """For other processes."""
        return StackReference(
            root=self.rendering.folder.parents[2],
            environment=self.rendering.settings.environment,
            launcher=self.launcher.name,
            base_url=self.base_url,
            keys=self.keys,
            simulator_url=self.simulator.url,
            simulator_control_url=self.simulator.control_url,
            litellm=self.litellm.reference,
            edge=self.edge.reference,
            edits=self.edits,
        )

    def wait_until_ready(
        self, seconds: float = READY_SECONDS, give_up: Callable[[], bool] = lambda: False
    ) -> None:
        """Wait until clients are served with every configured model, or until `give_up` says so.

        Raises LaunchError, with the last log lines of whichever part is not ready.
        """
        if not require_ready((self.litellm, self.edge), self.base_url, seconds, give_up):
            return
        settings = self.rendering.settings
        key = self.keys.of(settings.clients[0])
        try:
            with open_local_client() as client:
                answer = client.get(f"{self.base_url}/v1/models", headers={"Authorization": f"Bearer {key}"})
            served = {model["id"] for model in answer.raise_for_status().json()["data"]}
        except (httpx.HTTPError, ValueError, LookupError) as error:
            raise LaunchError(
                f"the gateway runs, but does not say which models it serves: {error}; litellm's last lines:\n"
                f"{quote_log(self.litellm)}"
            ) from error
        missing = {settings.azure.responses.model, settings.azure.embeddings.model} - served
        if missing:
            raise LaunchError(
                f"LiteLLM runs without {', '.join(sorted(missing))}: it drops a deployment that it cannot read "
                f"without a word; check model_list in {self.rendering.folder / LITELLM}"
            )


def require_ready(
    parts: tuple[Part, ...],
    base_url: str,
    seconds: float,
    give_up: Callable[[], bool] = lambda: False,
) -> bool:
    """Wait until the edge at `base_url` and LiteLLM behind it answer; False when `give_up` ended the wait.

    Raises LaunchError when a part ends or does not answer in time.
    """
    state = "no answer"

    def is_ready() -> bool:
        nonlocal state
        if give_up():
            return True
        for part in parts:
            require_started(part)
        try:
            status = client.get(f"{base_url}{HEALTH_PATH}").status_code
        except httpx.HTTPError as error:
            state = f"envoy does not answer ({type(error).__name__})"
            return False
        state = f"{HEALTH_PATH} says {status}" + (": litellm does not answer" if status == 503 else "")
        return status == 200

    with open_local_client() as client:
        if wait_until(is_ready, seconds=seconds, every=0.1):
            return not give_up()
    logs = "\n".join(f"  {part.name}, last lines:\n{quote_log(part)}" for part in parts)
    raise LaunchError(f"the gateway was not ready within {seconds:.0f} s; last state: {state}\n{logs}")


def open_local_client(timeout: float = 5.0) -> httpx.Client:
    """A client for what this machine runs for itself: past its proxy, and without TLS.

    It trusts nobody: to read the roots of trust takes 60 ms, and whoever waits for an edge is waiting for less.
    """
    return httpx.Client(timeout=timeout, trust_env=False, verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))


@contextlib.contextmanager
def run_stack(
    root: Path,
    rendering: Rendering,
    launcher: Launcher,
    *,
    port: int = 0,
    edits: Sequence[Edit] = (),
    keys: GatewayKeys | None = None,
    simulator: Addresses | None = None,
) -> Iterator[Stack]:
    """Start a stack that runs `rendering`, and stop it whatever happens; it is not ready yet.

    `edits` break it on purpose; without them it runs unchanged. It has new keys and a simulated Azure of its own, or
    shares `keys` and `simulator` with another stack, as replicas do.
    """
    settings = rendering.settings
    keys = keys or generate_keys(settings)
    with contextlib.ExitStack() as undo:
        simulator = simulator or undo.enter_context(_start_own_simulator(settings, keys, launcher))
        endpoint = launcher.url_for_parts(simulator.url)
        litellm = launcher.start_litellm(
            command_litellm(root, rendering.texts[LITELLM], endpoint, keys, edits), port=port
        )
        undo.callback(litellm.stop)
        try:
            edge = launcher.start_edge(
                command_envoy(
                    root, rendering.texts[ENVOY], keys, edits, settings.scale.termination_grace_seconds
                ),
                litellm.reference,
            )
        except LaunchError:
            # That the other part has ended is the reason, or the better one.
            require_started(litellm)
            raise
        undo.callback(edge.stop)
        yield Stack(rendering, keys, launcher, simulator, litellm, edge, tuple(edits))


@contextlib.contextmanager
def _start_own_simulator(settings: Settings, keys: GatewayKeys, launcher: Launcher) -> Iterator[Addresses]:
    config = describe_simulator(settings, keys.azure)
    with start_simulator(config, host=launcher.host_address) as process:
        yield Addresses(process.url, process.control_url)


def describe_simulator(settings: Settings, api_key: str) -> SimulatorConfig:
    """The simulated Azure that an environment's settings expect."""
    azure = settings.azure
    return SimulatorConfig(
        api_key=api_key,
        responses_deployment=azure.responses.deployment,
        responses_model=azure.responses.model,
        embeddings_deployment=azure.embeddings.deployment,
        embeddings_model=azure.embeddings.model,
        embeddings_dimensions=azure.embeddings.full_dimensions,
    )
