"""Several replicas behind one address, and a replica that starts: each a LiteLLM and an Envoy with the same keys."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import httpx
import pytest
from openai.types.responses import ResponseInputParam
from pytest_bdd import given, parsers, then, when
from rich.console import Console

from aigateway.acceptance.target import Target
from aigateway.launching.choice import choose_launcher
from aigateway.launching.commands import command_envoy
from aigateway.launching.stack import READY_SECONDS, require_ready
from aigateway.settings.model import Settings
from aigateway.simulator.server import Addresses
from aigateway.waiting import wait_until
from steps.access import Asked
from steps.access_log import Line, read_access_log
from steps.answers import (
    Outcome,
    ask_for_answer,
    assert_openai_error,
    attempt,
    describe,
    read_retry_after,
)
from steps.coding import Turn
from steps.gateway import (
    PATIENCE_SECONDS,
    REPLICA_SLOT,
    AnyLimit,
    Edges,
    Gateway,
    LocalControl,
    OwnStack,
    Stacks,
    connect_http,
)
from steps.load import LOW, LOW_SHARE, limit
from steps.places import write_ample_limit

_REPLICAS = 2
_LONG_AGO = datetime.min.replace(tzinfo=UTC)

_BALANCER_READY_SECONDS = 20.0
_LOG_SECONDS = 10.0


# --- the second replica


@dataclass(frozen=True)
class Start:
    """How a replica started: what a client was told who came too early, when it was ready, what the next one got.

    `cpu_seconds` is the time of one CPU that LiteLLM had taken by then.
    """

    early: Outcome
    seconds: float
    cpu_seconds: float
    first: Outcome


@dataclass(frozen=True)
class SecondReplica:
    """A replica beside the run's own; `earlier` is a response that the older one had given before this one started."""

    own: OwnStack
    earlier: Turn
    start: Start


@pytest.fixture(scope="session")
def second_replica(target: Target, control: LocalControl, shared_gateway: Gateway) -> Iterator[SecondReplica]:
    """The same one for all of a process: it starts slowly."""
    run = control.stack
    marker = f"replica{secrets.token_hex(6)}"
    with ExitStack() as undo:
        earlier = _give_answer(shared_gateway, marker)
        began = time.monotonic()
        own = Stacks(run, undo).start(
            target.settings, simulator=Addresses(run.simulator_url, run.simulator_control_url)
        )
        early = _come_early(own.gateway, marker)
        # Longer than it may take, so that a scenario can say that it took too long.
        own.stack.wait_until_ready(2 * READY_SECONDS)
        seconds = time.monotonic() - began
        cpu_seconds = own.stack.litellm.reference.read_cpu_seconds()
        first = attempt(lambda: ask_for_answer(own.gateway, marker))
        yield SecondReplica(own, earlier, Start(early, seconds, cpu_seconds, first))


def _give_answer(gateway: Gateway, marker: str) -> Turn:
    sent: ResponseInputParam = [{"role": "user", "content": f"Reply with exactly: {marker}"}]
    model = gateway.settings.azure.responses.model
    return Turn(sent, gateway.connect().responses.create(model=model, input=sent, store=True))


def _come_early(gateway: Gateway, marker: str) -> Outcome:
    """What a client is told when the edge is there and LiteLLM is not yet."""
    answers: list[httpx.Response] = []

    def is_answered() -> bool:
        try:
            answers.append(_ask(gateway, marker))
        except httpx.TransportError:
            return False
        return True

    assert wait_until(is_answered, seconds=PATIENCE_SECONDS), "the edge did not start"
    return describe(answers[0])


def _ask(gateway: Gateway, marker: str) -> httpx.Response:
    return connect_http().post(
        f"{gateway.base_url}/v1/responses",
        json={"model": gateway.settings.azure.responses.model, "input": f"Reply with exactly: {marker}"},
        headers={"Authorization": f"Bearer {gateway.key}"},
    )


# --- one address


@dataclass(frozen=True)
class OneAddress(Gateway):
    """Several replicas behind the address of a load balancer; a scenario uses it `since` then."""

    replicas: tuple[Gateway, ...] = ()
    since: datetime = _LONG_AGO

    def find_share(self, limit: AnyLimit) -> AnyLimit:
        """All of it: here are all replicas."""
        return limit

    def read_lines(self) -> list[list[Line]]:
        """What each replica has noted so far of the requests of the scenario's clients."""
        logs = [read_access_log(replica.edge) for replica in self.replicas if replica.edge]
        return [[line for line in log.lines if self._belongs(line)] for log in logs]

    def _belongs(self, line: Line) -> bool:
        return line.route != "health" and datetime.fromisoformat(line.time) >= self.since


@dataclass(frozen=True)
class Replicas:
    """Puts the run's LiteLLM and the second one behind one address, each with an edge of its own."""

    first: Edges
    second: Edges
    balancer_slot: int
    undo: ExitStack

    def start(self, settings: Settings) -> OneAddress:
        """Start edges that run what `settings` render to, their buckets full, and the load balancer."""
        self.undo.close()
        keys = self.first.control.keys.cover(settings)
        replicas = (self.first.start(settings, keys), self.second.start(settings, keys))
        stack = self.second.control.stack
        config = _write_balancer([replica.edge.find_address() for replica in replicas if replica.edge])
        launcher = choose_launcher(stack.launcher, settings, Console(stderr=True))
        balancer = launcher.start_edge(
            command_envoy(stack.root, config, keys), stack.litellm, slot=self.balancer_slot
        )
        self.undo.callback(balancer.kill)
        require_ready((balancer,), balancer.base_url, _BALANCER_READY_SECONDS)
        return OneAddress(balancer.base_url, settings, replicas[0].key, keys=keys, replicas=replicas)


@pytest.fixture
def replicas(control: LocalControl, second_replica: SecondReplica) -> Iterator[Replicas]:
    """Ends with the scenario; the second LiteLLM goes on."""
    with ExitStack() as undo:
        yield _prepare(control, second_replica, undo, slots=(2, 3))


@pytest.fixture(scope="session")
def lasting_address(
    control: LocalControl, second_replica: SecondReplica, target: Target
) -> Iterator[OneAddress]:
    """Ends with the process's last scenario."""
    scale = target.settings.scale.model_copy(update={"max_replicas": _REPLICAS})
    with ExitStack() as undo:
        lasting = _prepare(control.move(REPLICA_SLOT), second_replica, undo, slots=(4, 5))
        yield lasting.start(target.settings.model_copy(update={"scale": scale}))


def _prepare(first: LocalControl, second: SecondReplica, undo: ExitStack, slots: tuple[int, int]) -> Replicas:
    """Replicas of which the second one's edge, and the load balancer, have these places in its network."""
    edge_slot, balancer_slot = slots
    stack = second.own.stack.reference
    of_first, of_second, of_balancer = (undo.enter_context(ExitStack()) for _ in range(3))
    return Replicas(
        Edges(first, of_first), Edges(LocalControl(stack, edge_slot), of_second), balancer_slot, of_balancer
    )


def _write_balancer(addresses: Iterable[tuple[str, int]]) -> str:
    """A config of Envoy's that gives each request to the next replica, as the platform's ingress may."""
    api = "type.googleapis.com/envoy.extensions.filters"
    manager = {
        "@type": f"{api}.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "balancer",
        "http_filters": [
            {
                "name": "envoy.filters.http.router",
                "typed_config": {"@type": f"{api}.http.router.v3.Router"},
            }
        ],
        "route_config": {
            "virtual_hosts": [
                {
                    "name": "gateway",
                    "domains": ["*"],
                    "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "replicas", "timeout": "0s"}}],
                }
            ]
        },
    }
    filters = [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]
    listener = {
        "address": _write_address("${EDGE_ADDRESS}", "${EDGE_PORT}"),
        "filter_chains": [{"filters": filters}],
    }
    endpoints = [{"endpoint": {"address": _write_address(host, port)}} for host, port in addresses]
    cluster = {
        "name": "replicas",
        "type": "STATIC",
        "lb_policy": "ROUND_ROBIN",
        "load_assignment": {"cluster_name": "replicas", "endpoints": [{"lb_endpoints": endpoints}]},
    }
    return json.dumps({"static_resources": {"listeners": [listener], "clusters": [cluster]}})


def _write_address(host: str, port: int | str) -> dict[str, object]:
    return {"socket_address": {"address": host, "port_value": port}}


@given("two replicas behind one address", target_fixture="gateway")
def _(lasting_address: OneAddress) -> OneAddress:
    now = datetime.now(UTC)
    # The log has whole milliseconds.
    return replace(lasting_address, since=now.replace(microsecond=now.microsecond // 1000 * 1000))


@given("two replicas behind one address, with low limits", target_fixture="gateway")
def _(replicas: Replicas, target: Target) -> OneAddress:
    return replicas.start(limit(target.settings, LOW, share=LOW_SHARE, replicas=_REPLICAS))


@given(
    parsers.parse("two replicas behind one address, with {places:d} places in all"), target_fixture="gateway"
)
def _(replicas: Replicas, target: Target, places: int) -> OneAddress:
    share = write_ample_limit(places // _REPLICAS)
    return replicas.start(limit(target.settings, share, replicas=_REPLICAS))


@then("each replica has served some of it")
def _(gateway: OneAddress) -> None:
    def have_served() -> bool:
        return all(any(line.status == 200 for line in lines) for lines in gateway.read_lines())

    assert wait_until(have_served, seconds=_LOG_SECONDS), "one replica did it all"


@when("each client asks twice with each of its valid keys", target_fixture="asked")
def _(gateway: OneAddress, marker: str) -> list[Asked]:
    assert gateway.keys
    return [
        Asked(client.name, describe(_ask(replace(gateway, key=gateway.keys.of(client, slot)), marker)))
        for client in gateway.settings.clients
        for slot in client.keys
        for _ in range(_REPLICAS)
    ]


@then("each replica has served each client")
def _(gateway: OneAddress) -> None:
    clients = {client.name for client in gateway.settings.clients}

    def have_served() -> bool:
        return all({line.client for line in lines} == clients for lines in gateway.read_lines())

    assert wait_until(have_served, seconds=_LOG_SECONDS), "a client was not served by each replica"


# --- starting


@given("a gateway that was restarted", target_fixture="gateway")
def _(second_replica: SecondReplica) -> Gateway:
    # A process that is new, and knows of the older one what a restarted one would: its keys.
    return second_replica.own.gateway


@given("a response that it had stored before", target_fixture="turn")
def _(second_replica: SecondReplica) -> Turn:
    return second_replica.earlier


@when("a replica starts", target_fixture="start")
def _(second_replica: SecondReplica) -> Start:
    return second_replica.start


@then("until it is ready its clients are told 503 in OpenAI's error shape, and when to come back")
def _(start: Start) -> None:
    assert start.early.status == 503
    assert_openai_error(start.early)
    assert read_retry_after(start.early) >= 1


@then("it is ready within the time that the deployment gives it")
def _(start: Start) -> None:
    assert start.seconds <= READY_SECONDS


@then("it would be so with no more CPU than its container has")
def _(start: Start, gateway: Gateway) -> None:
    share = gateway.settings.scale.litellm.cpu
    assert start.cpu_seconds / share <= READY_SECONDS, (
        f"{start.cpu_seconds:.0f} s of a CPU, and it has {share:g}"
    )


@then("it serves the first request after that")
def _(start: Start) -> None:
    assert start.first.status == 200, start.first.body
