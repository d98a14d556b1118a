"""More requests than anybody should send."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace

import httpx
import pytest
from pytest_bdd import given, parsers, then, when

from aigateway.acceptance.target import Target
from aigateway.settings.model import ClientLimits, RateLimit
from aigateway.settings.values import Endpoint
from aigateway.simulator.control import SimulatorControl
from aigateway.simulator.faults import SlowFirstByte
from aigateway.simulator.ledger import RecordedRequest
from steps.answers import (
    Outcome,
    ask_for_answer,
    assert_openai_error,
    attempt,
    describe,
    probe_health,
    read_retry_after,
)
from steps.gateway import PATIENCE_SECONDS, Edges, Gateway, LocalControl

_ENDPOINTS: dict[str, Endpoint] = {"an answer": "responses", "embeddings": "embeddings"}
_WINDOW_SECONDS = 60.0
_FLOOD_REQUESTS = 200

# So long Azure holds back as many of a flood's requests as the gateway sends it at once.
_HELD_SECONDS = 4.0

# Of a replica: a flood takes it all at once, and next to nothing of it comes back while a scenario runs.
_LOW = {"requests_per_minute": 64, "burst": 60, "parallel": 5, "queue": 100}


@dataclass(frozen=True)
class Flood:
    """Requests that were sent at once, and how each ended."""

    outcomes: tuple[Outcome, ...]


def send_at_once(
    gateway: Gateway,
    operation: str,
    marker: str,
    count: int = _FLOOD_REQUESTS,
    on_refusal: Callable[[], None] = lambda: None,
) -> Flood:
    """Send `count` requests of one client at once, with no retry, and wait for all."""
    return asyncio.run(_send_at_once(gateway, _ENDPOINTS[operation], marker, count, on_refusal))


async def _send_at_once(
    gateway: Gateway, endpoint: Endpoint, marker: str, count: int, on_refusal: Callable[[], None]
) -> Flood:
    body = {
        "model": getattr(gateway.settings.azure, endpoint).model,
        "input": f"Reply with exactly: {marker}",
    }
    limits = httpx.Limits(max_connections=count)
    headers = {"Authorization": f"Bearer {gateway.key}"}

    async def send() -> Outcome:
        started = time.monotonic()
        answer = await client.post(f"{gateway.base_url}/v1/{endpoint}", json=body)
        if answer.status_code == 429:
            on_refusal()
        return describe(answer, time.monotonic() - started)

    async with httpx.AsyncClient(headers=headers, limits=limits, timeout=PATIENCE_SECONDS) as client:
        return Flood(tuple(await asyncio.gather(*(send() for _ in range(count)))))


class FloodInBackground:
    """A flood of which Azure holds back the first, while the scenario does something else."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1)
        self._flood: Future[Flood] | None = None

    def start(self, gateway: Gateway, operation: str, azure: SimulatorControl, marker: str) -> None:
        """Begin, and return when the gateway has begun to refuse."""
        refused = threading.Event()
        limit = gateway.settings.endpoint_limit(_ENDPOINTS[operation])
        held = limit.divide(gateway.settings.scale.max_replicas).parallel
        azure.inject(SlowFirstByte(seconds=_HELD_SECONDS, times=held), marker=marker)
        self._flood = self._pool.submit(send_at_once, gateway, operation, marker, on_refusal=refused.set)
        assert refused.wait(PATIENCE_SECONDS), f"{_FLOOD_REQUESTS} requests at once met no limit"

    def wait(self) -> Flood:
        """How the flood's requests ended."""
        assert self._flood is not None
        return self._flood.result(PATIENCE_SECONDS)

    def stop(self) -> None:
        """Wait for what is still under way."""
        self._pool.shutdown()


@pytest.fixture
def flood_in_background() -> Iterator[FloodInBackground]:
    """Ends with the scenario."""
    flood = FloodInBackground()
    yield flood
    flood.stop()


@given("a gateway with low limits that has been idle", target_fixture="gateway")
def _(edges: Edges, target: Target) -> Gateway:
    settings = target.settings
    low = {name: value * settings.scale.max_replicas for name, value in _LOW.items()}
    limits = {
        endpoint: settings.endpoint_limit(endpoint).model_copy(update=low) for endpoint in _ENDPOINTS.values()
    }
    clients = tuple(client.model_copy(update={"limits": ClientLimits()}) for client in settings.clients)
    changed = {
        "limits": settings.limits.model_copy(update=limits | {"client_share": 0.5}),
        "clients": clients,
    }
    return edges.start(settings.model_copy(update=changed))


@when(parsers.parse("one client sends {count:d} requests for {operation} at once"), target_fixture="flood")
def _(gateway: Gateway, marker: str, count: int, operation: str) -> Flood:
    return send_at_once(gateway, operation, marker, count)


@when(
    "another client asks for an answer while one client floods it with embeddings", target_fixture="outcome"
)
def _(
    gateway: Gateway, control: LocalControl, marker: str, flood_in_background: FloodInBackground
) -> Outcome:
    flood_in_background.start(gateway, "embeddings", control.azure, f"flood-of-{marker}")
    other = replace(gateway, key=control.keys.of(gateway.settings.clients[1]))
    return attempt(lambda: ask_for_answer(other, marker))


@when("a probe asks whether it is healthy while one client floods it with answers", target_fixture="outcome")
def _(
    gateway: Gateway, control: LocalControl, marker: str, flood_in_background: FloodInBackground
) -> Outcome:
    flood_in_background.start(gateway, "an answer", control.azure, f"flood-of-{marker}")
    return probe_health(gateway)


@then("it did not have to wait for the flood")
def _(outcome: Outcome) -> None:
    assert outcome.seconds < _HELD_SECONDS


@then("the flood met the limit")
def _(flood_in_background: FloodInBackground) -> None:
    assert any(outcome.status == 429 for outcome in flood_in_background.wait().outcomes)


@then(parsers.parse("every request is answered within {seconds:d} seconds"))
def _(flood: Flood, seconds: int) -> None:
    slowest = max(outcome.seconds for outcome in flood.outcomes)
    assert slowest <= seconds


@then("some are served and the others are told 429 in OpenAI's error shape")
def _(flood: Flood) -> None:
    statuses = {outcome.status for outcome in flood.outcomes}
    assert statuses == {200, 429}, sorted(statuses)
    for outcome in flood.outcomes:
        if outcome.status == 429:
            assert_openai_error(outcome)


@then("each refusal says when to come back")
def _(flood: Flood) -> None:
    assert all(read_retry_after(outcome) >= 1 for outcome in flood.outcomes if outcome.status == 429)


@then(parsers.parse("Azure received no more than a client's limit for {operation}"))
def _(received: list[RecordedRequest], flood: Flood, gateway: Gateway, operation: str) -> None:
    limit = _find_client_limit(gateway, _ENDPOINTS[operation])
    # Since the flood began the bucket has been refilled for as long as it lasted.
    refill = (limit.requests_per_minute - limit.burst) / _WINDOW_SECONDS
    allowed = limit.burst + refill * max(outcome.seconds for outcome in flood.outcomes)
    assert 0 < len(received) <= allowed + 1
    served = [outcome for outcome in flood.outcomes if outcome.status == 200]
    assert len(served) == len(received)


def _find_client_limit(gateway: Gateway, endpoint: Endpoint) -> RateLimit:
    """The limit of the client whose key the gateway's steps use, in one replica."""
    settings = gateway.settings
    return settings.client_limit(settings.clients[0], endpoint).divide(settings.scale.max_replicas)
