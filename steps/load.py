"""More requests than anybody should send."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import pytest
from pytest_bdd import given, parsers, then, when

from aigateway.settings.model import RateLimit
from aigateway.settings.values import Endpoint
from aigateway.simulator.ledger import RecordedRequest
from steps.answers import Outcome, assert_openai_error, describe, read_retry_after
from steps.gateway import PATIENCE_SECONDS, Edges, Gateway

_ENDPOINTS: dict[str, Endpoint] = {"an answer": "responses", "embeddings": "embeddings"}
_WINDOW_SECONDS = 60.0


@dataclass(frozen=True)
class Flood:
    """Requests that were sent at once, and how each ended."""

    outcomes: tuple[Outcome, ...]


def send_at_once(gateway: Gateway, operation: str, count: int, marker: str) -> Flood:
    """Send `count` requests of one client at once, without a retry, and wait for all."""
    return asyncio.run(_send_at_once(gateway, _ENDPOINTS[operation], count, marker))


async def _send_at_once(gateway: Gateway, endpoint: Endpoint, count: int, marker: str) -> Flood:
    body = {
        "model": getattr(gateway.settings.azure, endpoint).model,
        "input": f"Reply with exactly: {marker}",
    }
    limits = httpx.Limits(max_connections=count)
    headers = {"Authorization": f"Bearer {gateway.key}"}

    async def send() -> Outcome:
        started = time.monotonic()
        answer = await client.post(f"{gateway.base_url}/v1/{endpoint}", json=body)
        return describe(answer, time.monotonic() - started)

    async with httpx.AsyncClient(headers=headers, limits=limits, timeout=PATIENCE_SECONDS) as client:
        return Flood(tuple(await asyncio.gather(*(send() for _ in range(count)))))


@when(parsers.parse("one client sends {count:d} requests for {operation} at once"), target_fixture="flood")
def _(gateway: Gateway, marker: str, count: int, operation: str) -> Flood:
    return send_at_once(gateway, operation, count, marker)


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
