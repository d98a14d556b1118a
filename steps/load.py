"""More requests than anybody should send."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Self

import httpx
import pytest
from pytest_bdd import parsers, then, when

from aigateway.settings.model import RateLimit
from aigateway.settings.values import Endpoint
from aigateway.simulator.ledger import RecordedRequest
from steps.answers import (
    Outcome,
    ask_for_answer,
    assert_openai_error,
    attempt,
    describe,
    read_retry_after,
)
from steps.gateway import PATIENCE_SECONDS, Gateway, LocalControl

_ENDPOINTS: dict[str, Endpoint] = {"an answer": "responses", "embeddings": "embeddings"}
_WINDOW_SECONDS = 60.0
_FLOOD_REQUESTS = 200


@dataclass(frozen=True)
class Flood:
    """Requests that were sent at once, and how each ended."""

    outcomes: tuple[Outcome, ...]


def send_at_once(gateway: Gateway, operation: str, marker: str, count: int = _FLOOD_REQUESTS) -> Flood:
    """Send `count` requests of one client at once, with no retry, and wait for all."""

    async def send_all() -> Flood:
        async with _Sender(gateway, _ENDPOINTS[operation], marker, count) as sender:
            return Flood(tuple(await asyncio.gather(*(sender.send() for _ in range(count)))))

    return asyncio.run(send_all())


class _Sender:
    """One client that can have `count` requests under way."""

    def __init__(self, gateway: Gateway, endpoint: Endpoint, marker: str, count: int) -> None:
        self._url = f"{gateway.base_url}/v1/{endpoint}"
        self._body = {
            "model": getattr(gateway.settings.azure, endpoint).model,
            "input": f"Reply with exactly: {marker}",
        }
        self._client = httpx.AsyncClient(
            headers={"Authorization": f"Bearer {gateway.key}"},
            limits=httpx.Limits(max_connections=count),
            timeout=PATIENCE_SECONDS,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()

    async def send(self) -> Outcome:
        """Send one request."""
        started = time.monotonic()
        answer = await self._client.post(self._url, json=self._body)
        return describe(answer, time.monotonic() - started)


class FloodInBackground:
    """A flood of embeddings that goes on while the scenario does something else.

    Its requests never pause, refused or not: a limit that it shared with somebody would leave nothing to them.
    """

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1)
        self._flood: Future[Flood] | None = None
        self._refused = threading.Event()
        self._stopped = threading.Event()

    def start(self, gateway: Gateway) -> None:
        """Begin, and return when the gateway has begun to refuse."""
        self._flood = self._pool.submit(asyncio.run, self._send(gateway))
        assert self._refused.wait(PATIENCE_SECONDS), f"{_FLOOD_REQUESTS} requests at once met no limit"

    async def _send(self, gateway: Gateway) -> Flood:
        outcomes: list[Outcome] = []

        async def keep_sending(sender: _Sender) -> None:
            while not self._stopped.is_set():
                outcome = await sender.send()
                outcomes.append(outcome)
                if outcome.status == 429:
                    self._refused.set()

        async with _Sender(gateway, "embeddings", "flood", _FLOOD_REQUESTS) as sender:
            await asyncio.gather(*(keep_sending(sender) for _ in range(_FLOOD_REQUESTS)))
        return Flood(tuple(outcomes))

    def stop(self) -> None:
        """Send no more, and wait for what is still under way."""
        self._stopped.set()
        self._pool.shutdown()

    def wait(self) -> Flood:
        """How the flood's requests ended, once it has been stopped."""
        assert self._flood is not None
        return self._flood.result(PATIENCE_SECONDS)


@pytest.fixture
def flood_in_background() -> Iterator[FloodInBackground]:
    """Ends with the scenario."""
    flood = FloodInBackground()
    yield flood
    flood.stop()


@when(parsers.parse("one client sends {count:d} requests for {operation} at once"), target_fixture="flood")
def _(gateway: Gateway, marker: str, count: int, operation: str) -> Flood:
    return send_at_once(gateway, operation, marker, count)


@when(
    "another client asks for an answer while one client floods it with embeddings", target_fixture="outcome"
)
def _(
    gateway: Gateway, control: LocalControl, marker: str, flood_in_background: FloodInBackground
) -> Outcome:
    other = replace(gateway, key=control.keys.of(gateway.settings.clients[1]))
    flood_in_background.start(gateway)
    try:
        return attempt(lambda: ask_for_answer(other, marker))
    finally:
        flood_in_background.stop()


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
