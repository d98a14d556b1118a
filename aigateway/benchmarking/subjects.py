"""What is compared: each a way to reach the same simulated Azure, started and stopped by this process."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import httpx

from aigateway.benchmarking.confinement import confine
from aigateway.benchmarking.processors import read_processor_seconds
from aigateway.benchmarking.results import Kind
from aigateway.benchmarking.variants import Variant
from aigateway.benchmarking.workloads import Request, WorkloadName, ask_azure, ask_gateway
from aigateway.errors import LaunchError
from aigateway.launching.commands import StartCommand, command_envoy, command_litellm
from aigateway.launching.edits import Edit
from aigateway.launching.keys import GatewayKeys
from aigateway.launching.parts import Launcher, Part, PartReference, quote_log, require_running
from aigateway.launching.stack import HEALTH_PATH
from aigateway.rendering.renderer import ENVOY, LITELLM, Rendering, render_settings
from aigateway.settings.model import Settings
from aigateway.waiting import wait_until

_STOCK = Path(__file__).with_name("stock.yaml")

# As its documentation starts it; but where there is no network, it would wait for a list of prices until it gave up.
_STOCK_SCRIPT = """\
set -eu
export LITELLM_LOCAL_MODEL_COST_MAP=True
printf '%s' "$LITELLM_CONFIG" >"$TMPDIR/config.yaml"
exec litellm --config "$TMPDIR/config.yaml" --host 127.0.0.1 --port "$LITELLM_PORT"
"""

# Several may start on a machine that is busy, or in a small part of one.
_READY_SECONDS = 300.0

#: So often whether it answers is asked while it starts: the start time is not known better than that.
_ASK_SECONDS = 0.02

#: So many at once have to get through the edge: more than any load has users.
_PARALLEL = 1000
_REQUESTS_PER_MINUTE = 1_000_000


def lift_limits(settings: Settings) -> Settings:
    """The same settings with limits that no load meets: how fast it is asked, not how fast it lets anybody be."""
    lifted = {
        "requests_per_minute": _REQUESTS_PER_MINUTE,
        "burst": _REQUESTS_PER_MINUTE - 1,
        "parallel": _PARALLEL,
        "queue": _PARALLEL,
    }
    data = settings.model_dump(mode="json", exclude_unset=True)
    data["limits"] = {"responses": lifted, "embeddings": lifted, "client_share": 1.0}
    data["clients"] = [
        {key: value for key, value in client.items() if key != "limits"} for client in data["clients"]
    ]
    # One replica is measured; with several, each would get a share.
    data["scale"] = {**data.get("scale", {}), "min_replicas": 0, "max_replicas": 1}
    return Settings.model_validate(data)


@dataclass(frozen=True)
class Site:
    """Where all of them stand: what they are rendered from, and the one simulated Azure behind them."""

    root: Path
    rendering: Rendering
    launcher: Launcher
    keys: GatewayKeys
    azure_url: str
    vcpu: float | None = None

    @property
    def settings(self) -> Settings:
        """What they are rendered from."""
        return self.rendering.settings

    @property
    def named_keys(self) -> dict[str, str]:
        """What subjects are called with."""
        return {
            "azure": self.keys.azure,
            "master": self.keys.master,
            "client": self.keys.of(self.settings.clients[0]),
        }


@dataclass(frozen=True)
class Plan:
    """One subject before it runs."""

    name: str
    kind: Kind
    title: str
    edits: tuple[Edit, ...] = ()

    @property
    def starts(self) -> bool:
        """Whether it has processes of its own."""
        return self.kind in {"gateway", "variant", "stock"}


def plan_subjects(variants: Sequence[Variant]) -> tuple[Plan, ...]:
    """Everything that a run compares."""
    return (
        Plan("direct", "direct", "the simulated Azure, called directly"),
        Plan("stock", "stock", "LiteLLM with its stock config, without an edge; prices from its package"),
        Plan("gateway", "gateway", "the rendered config: Envoy and LiteLLM"),
        Plan("edgeless", "edgeless", "the rendered config's LiteLLM, without the edge"),
        *(Plan(one.variant, "variant", one.why, one.edits) for one in variants),
    )


class Running:
    """A subject that can be called."""

    def __init__(self, plan: Plan, site: Site, base_url: str, key: str, parts: Sequence[Part] = ()) -> None:
        self.plan = plan
        #: The name of the key that it is called with.
        self.key = key
        self._site = site
        self._base_url = base_url
        self._parts = parts

    def ask(self, workload: WorkloadName) -> Request:
        """A request of `workload` to it."""
        ask = ask_azure if self.plan.kind == "direct" else ask_gateway
        return ask(workload, self._site.settings, self._base_url)

    def bypass_edge(self, plan: Plan) -> Running:
        """Its LiteLLM, called as the edge calls it, as a subject of its own."""
        return Running(plan, self._site, _locate(self._parts[0].reference), "master", self._parts[:1])

    def read_memory_bytes(self) -> int:
        """What its processes hold just now."""
        return sum(part.reference.read_memory_bytes() for part in self._parts)

    def read_processor_seconds(self) -> float | None:
        """What its processes have used so far; none where nobody knows."""
        groups = [read_processor_seconds(part.reference.pid) for part in self._parts]  # type: ignore[union-attr] # they are processes
        known = [seconds for seconds in groups if seconds is not None]
        return sum(known) if known and len(known) == len(groups) else None

    def require_alive(self) -> None:
        """Raises LaunchError when a part of it has ended."""
        for part in self._parts:
            require_running(part, f"{self.plan.name}: {part.name} died")


def render_lifted(root: Path, rendering: Rendering) -> Rendering:
    """What an environment renders to when its limits are lifted."""
    return render_settings(root, lift_limits(rendering.settings))


def start_subject(plan: Plan, site: Site, undo: contextlib.ExitStack) -> tuple[Running, float]:
    """Start a subject that has processes, and wait until it answers; gives the seconds that this took too.

    Raises LaunchError when it does not start.
    """
    litellm_command, envoy_command = _command(plan, site)
    if site.vcpu is not None:
        litellm_command = _confine(litellm_command, site.vcpu, undo)
        if envoy_command:
            envoy_command = _confine(envoy_command, site.settings.scale.envoy.cpu, undo)
    began = time.monotonic()
    litellm = site.launcher.start_litellm(litellm_command)
    undo.callback(litellm.stop)
    if envoy_command is None:
        base_url = _locate(litellm.reference)
        parts: tuple[Part, ...] = (litellm,)
        health, key = f"{base_url}/health/liveliness", "master"
    else:
        edge = site.launcher.start_edge(envoy_command, litellm.reference)
        undo.callback(edge.stop)
        base_url, parts, key = edge.base_url, (litellm, edge), "client"
        health = f"{base_url}{HEALTH_PATH}"
    _wait_for_answer(plan, health, parts)
    return Running(plan, site, base_url, key, parts), time.monotonic() - began


def _command(plan: Plan, site: Site) -> tuple[StartCommand, StartCommand | None]:
    endpoint = site.launcher.url_for_parts(site.azure_url)
    texts = site.rendering.texts
    if plan.kind != "stock":
        return (
            command_litellm(site.root, texts[LITELLM], endpoint, site.keys, plan.edits),
            command_envoy(site.root, texts[ENVOY], site.keys, plan.edits),
        )
    command = command_litellm(site.root, _fill_stock(site.settings), endpoint, site.keys)
    return replace(command, script=_STOCK_SCRIPT), None


def _fill_stock(settings: Settings) -> str:
    azure = settings.azure
    text = _STOCK.read_text(encoding="utf-8")
    for name, value in {
        "responses_model": azure.responses.model,
        "responses_deployment": azure.responses.deployment,
        "responses_version": azure.responses.api_version,
        "embeddings_model": azure.embeddings.model,
        "embeddings_deployment": azure.embeddings.deployment,
        "embeddings_version": azure.embeddings.api_version,
    }.items():
        text = text.replace(f"{{{name}}}", str(value))
    return text


def _confine(command: StartCommand, vcpu: float, undo: contextlib.ExitStack) -> StartCommand:
    confinement = undo.enter_context(confine(vcpu))
    return replace(command, script=confinement.confine(command.script))


def _locate(litellm: PartReference) -> str:
    host, port = litellm.find_address()
    return f"http://{host}:{port}"


def _wait_for_answer(plan: Plan, url: str, parts: Sequence[Part]) -> None:
    state = "no answer"

    def answers() -> bool:
        nonlocal state
        for part in parts:
            require_running(part, f"{plan.name}: {part.name} ended before it was ready")
        try:
            status = client.get(url).status_code
        except httpx.HTTPError as error:
            state = type(error).__name__
            return False
        state = f"status {status}"
        return status == 200

    with httpx.Client(timeout=5, trust_env=False) as client:
        if wait_until(answers, seconds=_READY_SECONDS, every=_ASK_SECONDS):
            return
    logs = "\n".join(f"  {part.name}, last lines:\n{quote_log(part)}" for part in parts)
    raise LaunchError(
        f"{plan.name}: was not ready within {_READY_SECONDS:.0f} s; last state: {state}\n{logs}"
    )
