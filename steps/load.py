"""More requests than anybody should send, and how many of them Azure gets to see."""

from __future__ import annotations

import asyncio
import math
import threading
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, TypeVar

import httpx
import pytest
from pytest_bdd import given, parsers, then, when

from aigateway.acceptance.target import Target
from aigateway.acceptance.watching import ASYNC_HOOKS
from aigateway.settings.model import Client, ClientLimits, EndpointLimit, RateLimit, Settings
from aigateway.settings.values import Endpoint
from aigateway.simulator.faults import SlowFirstByte
from aigateway.simulator.ledger import RecordedRequest
from aigateway.waiting import wait_until
from steps.access_log import Line, wait_for_lines
from steps.answers import (
    OPERATIONS,
    Outcome,
    assert_openai_error,
    attempt,
    describe,
    read_retry_after,
)
from steps.gateway import PATIENCE_SECONDS, Edges, Gateway, LocalControl, trust_http

_WINDOW_SECONDS = 60.0
_FLOOD_REQUESTS = 50

# Far more than a refusal takes the edge, which may have to wait for its turn on a busy machine.
_AT_ONCE_SECONDS = 2.0

# So long Azure would hold back a flood that the scenario ends much earlier.
_HELD_SECONDS = 20.0

T = TypeVar("T")

#: Of one replica: a flood takes it all at once, and next to nothing of it comes back while a scenario runs.
LOW = EndpointLimit(requests_per_minute=24, burst=20, parallel=4, queue=40)

#: A client's share of such limits: two clients together could have more than there is.
LOW_SHARE = 0.75


def limit(
    settings: Settings, of_replica: EndpointLimit, *, share: float = 1.0, replicas: int = 1
) -> Settings:
    """The settings with these limits for both endpoints, and at least two clients, of which each may have the share."""
    whole = {name: getattr(of_replica, name) * replicas for name in EndpointLimit.model_fields}
    limits = {
        endpoint: getattr(settings.limits, endpoint).model_copy(update=whole)
        for endpoint in ("responses", "embeddings")
    }
    scale = settings.scale.model_copy(update={"min_replicas": 0, "max_replicas": replicas})
    clients = [client.model_copy(update={"limits": ClientLimits()}) for client in settings.clients]
    if len(clients) == 1:
        clients.append(Client(name="another" if clients[0].name != "another" else "other"))
    return settings.model_copy(
        update={
            "limits": settings.limits.model_copy(update=limits | {"client_share": share}),
            "scale": scale,
            "clients": tuple(clients),
        }
    )


def find_endpoint(operation: str) -> Endpoint:
    """The endpoint that serves an operation of the features'."""
    return "embeddings" if operation == "embeddings" else "responses"


# --- sending


@dataclass(frozen=True)
class Flood:
    """Requests that were sent at once, and how each ended; when they began, by the monotonic clock."""

    began: float
    outcomes: tuple[Outcome, ...]

    @property
    def served(self) -> list[Outcome]:
        """Those that got what they asked for."""
        return [outcome for outcome in self.outcomes if outcome.status == 200]

    @property
    def refused(self) -> list[Outcome]:
        """The others."""
        return [outcome for outcome in self.outcomes if outcome.status != 200]


def send_at_once(gateway: Gateway, operation: str, marker: str, count: int) -> Flood:
    """Send `count` requests of one client at once, with no retry, and wait for all."""
    return asyncio.run(flood([gateway], operation, marker, count))


async def flood(
    clients: Sequence[Gateway],
    operation: str,
    marker: str,
    count: int,
    on_refusal: Callable[[], None] = lambda: None,
) -> Flood:
    """Send `count` requests of the clients in turn, all at once and with no retry, and wait for all."""
    endpoint = find_endpoint(operation)
    body = {
        "model": getattr(clients[0].settings.azure, endpoint).model,
        "input": f"Reply with exactly: {marker}",
        **({"stream": True} if "streamed" in operation else {}),
    }

    async def send(gateway: Gateway) -> Outcome:
        started = time.monotonic()
        answer = await http.post(
            f"{gateway.base_url}/v1/{endpoint}",
            json=body,
            headers={"Authorization": f"Bearer {gateway.key}"},
        )
        if answer.status_code == 429:
            on_refusal()
        return describe(answer, time.monotonic() - started)

    began = time.monotonic()
    limits = httpx.Limits(max_connections=count)
    async with httpx.AsyncClient(
        limits=limits, timeout=PATIENCE_SECONDS, event_hooks=ASYNC_HOOKS, verify=trust_http()
    ) as http:
        sent = (send(clients[number % len(clients)]) for number in range(count))
        return Flood(began, tuple(await asyncio.gather(*sent)))


class Background:
    """Does things beside the scenario; what is still under way when the scenario ends is given up."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()

    def start(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        """Begin, and return at once."""
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def stop(self) -> None:
        """Give up what is under way."""
        asyncio.run_coroutine_threadsafe(_cancel_others(), self._loop).result(PATIENCE_SECONDS)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


async def _cancel_others() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


@pytest.fixture
def background() -> Iterator[Background]:
    """Ends with the scenario."""
    background = Background()
    yield background
    background.stop()


def mark_flood(marker: str) -> str:
    """The word in what a flood beside the scenario sends; the scenario's own marker is no part of it."""
    return f"flood{marker.removeprefix('marker')}"


# --- limits


@given(
    parsers.parse("a gateway that has been idle, whose limit for a client is below {count:d} at once"),
    target_fixture="gateway",
)
def _(edges: Edges, target: Target, count: int) -> Gateway:
    return edges.start(_cap(target.settings, count))


def _cap(settings: Settings, count: int) -> Settings:
    """The settings; where they let a client send more than `count` requests in a few seconds, with lower limits."""
    first, *others = settings.clients
    replicas = settings.scale.max_replicas
    own = {}
    for endpoint in ("responses", "embeddings"):
        whole = settings.client_limit(first, endpoint)
        refill = min(whole.requests_per_minute - whole.burst, 2 * count * replicas)
        burst = min(whole.burst, count // 2 * replicas)
        own[endpoint] = RateLimit(requests_per_minute=burst + refill, burst=burst)
    capped = first.model_copy(update={"limits": ClientLimits(**own)})
    return settings.model_copy(update={"clients": (capped, *others)})


@given("a gateway with low limits that has been idle", target_fixture="gateway")
def _(edges: Edges, target: Target) -> Gateway:
    return edges.start(limit(target.settings, LOW, share=LOW_SHARE))


@given(
    "a gateway with low limits that has been idle, which fills up faster for its first client alone",
    target_fixture="gateway",
)
def _(edges: Edges, target: Target) -> Gateway:
    settings = limit(target.settings, LOW, share=LOW_SHARE)
    first, *others = settings.clients
    own = RateLimit(requests_per_minute=LOW.requests_per_minute, burst=LOW.burst // 4)
    eager = first.model_copy(update={"limits": ClientLimits(responses=own, embeddings=own)})
    return edges.start(settings.model_copy(update={"clients": (eager, *others)}))


@given(parsers.parse("a client floods it with requests for {operation}"))
def _(gateway: Gateway, background: Background, marker: str, operation: str) -> None:
    _flood_beside(gateway, background, mark_flood(marker), operation)


@given(parsers.parse("a client floods it with slow requests for {operation}"))
def _(gateway: Gateway, background: Background, control: LocalControl, marker: str, operation: str) -> None:
    own = mark_flood(marker)
    places = gateway.settings.endpoint_limit(find_endpoint(operation)).parallel
    control.azure.inject(SlowFirstByte(seconds=_HELD_SECONDS, times=places), marker=own)
    _flood_beside(gateway, background, own, operation)
    taken = wait_until(lambda: len(control.azure.requests(marker=own)) == places, seconds=_HELD_SECONDS)
    assert taken, "the flood did not take all places"


def _flood_beside(gateway: Gateway, background: Background, marker: str, operation: str) -> None:
    """Begin a flood, and return when the gateway has begun to refuse."""
    refused = threading.Event()
    background.start(flood([gateway], operation, marker, _FLOOD_REQUESTS, on_refusal=refused.set))
    assert refused.wait(PATIENCE_SECONDS), f"{_FLOOD_REQUESTS} requests at once met no limit"


@when(parsers.parse("one client sends {count:d} requests for {operation} at once"), target_fixture="flood")
def _(gateway: Gateway, marker: str, count: int, operation: str) -> Flood:
    return send_at_once(gateway, operation, marker, count)


@when(
    parsers.parse("all clients together send {count:d} requests for {operation} at once"),
    target_fixture="flood",
)
def _(gateway: Gateway, marker: str, count: int, operation: str) -> Flood:
    return asyncio.run(flood(gateway.split_by_client(), operation, marker, count))


@when(parsers.parse("another client asks for {operation}"), target_fixture="outcome")
def _(gateway: Gateway, marker: str, operation: str) -> Outcome:
    another = gateway.split_by_client()[1]
    return attempt(lambda: OPERATIONS[operation](another, marker))


@then("it did not have to wait for the flood")
def _(control: LocalControl, marker: str) -> None:
    # A time would not say it: Azure has held the flood for a while when somebody else comes.
    flooding = control.azure.requests(marker=mark_flood(marker))
    assert flooding
    assert all(request.duration is None for request in flooding), (
        "Azure had done with some of the flood before"
    )


@then(parsers.parse("every request is answered within {seconds:d} seconds"))
def _(flood: Flood, seconds: int) -> None:
    slowest = max(outcome.seconds for outcome in flood.outcomes)
    assert slowest <= seconds


@then("all of them are served")
def _(flood: Flood) -> None:
    assert [(outcome.status, outcome.body) for outcome in flood.refused] == []


@then(parsers.parse("all of them are told {status:d} in OpenAI's error shape"))
def _(flood: Flood, status: int) -> None:
    for outcome in flood.outcomes:
        assert outcome.status == status
        assert_openai_error(outcome)


@then("some are served and the others are told 429 in OpenAI's error shape")
def _(flood: Flood) -> None:
    assert flood.served
    assert flood.refused
    for outcome in flood.refused:
        assert outcome.status == 429
        assert_openai_error(outcome)


@pytest.fixture
def flood_lines(gateway: Gateway, flood: Flood) -> list[Line]:
    """What the edge has noted of each request of a flood."""
    assert gateway.edge is not None
    ids = {outcome.headers["x-request-id"] for outcome in flood.outcomes}
    return list(wait_for_lines(gateway.edge, ids).values())


@then("each refusal was the edge's own, and came at once")
def _(flood_lines: list[Line]) -> None:
    # A refusal's own time: not that of a client who has 200 of them to read.
    refused = [line for line in flood_lines if line.status == 429]
    assert {(line.failed, line.attempts) for line in refused} == {("edge", 0)}
    slowest = max(line.duration_ms for line in refused) / 1000
    assert slowest < _AT_ONCE_SECONDS, f"one took {slowest:.2f} s"


@then("each refusal says when to come back")
def _(flood: Flood) -> None:
    assert all(read_retry_after(outcome) >= 1 for outcome in flood.refused)


# --- what Azure saw


@then("Azure received each that was served, and none of the others")
def _(received: list[RecordedRequest], flood: Flood) -> None:
    assert len(received) == len(flood.served)


@then(parsers.parse("at no time did Azure receive more than a client's limit for {operation}"))
def _(received: list[RecordedRequest], flood: Flood, gateway: Gateway, operation: str) -> None:
    settings = gateway.settings
    whole = settings.client_limit(settings.clients[0], find_endpoint(operation))
    assert_within(gateway.find_share(whole), received, flood)


@then(parsers.parse("at no time did Azure receive more than the limit of all clients for {operation}"))
def _(received: list[RecordedRequest], flood: Flood, gateway: Gateway, operation: str) -> None:
    whole = gateway.settings.endpoint_limit(find_endpoint(operation))
    assert_within(gateway.find_share(whole), received, flood)


def assert_within(limit: RateLimit, received: Sequence[RecordedRequest], flood: Flood) -> None:
    """In every span of time, not only in the whole, Azure received no more than the burst and what had come back."""
    refill = (limit.requests_per_minute - limit.burst) / _WINDOW_SECONDS
    # The limit is kept where requests come in; each reaches Azure a little later, at most so much.
    late = max(outcome.seconds for outcome in flood.served)
    arrivals = [request.arrived for request in received]
    assert arrivals
    for first, start in enumerate(arrivals):
        for count, end in enumerate(arrivals[first:], start=1):
            seconds = min(end - start + late, end - flood.began)
            most = math.floor(limit.burst + refill * seconds)
            assert count <= most, f"{count} requests in {end - start:.2f} s, where {most} are allowed"


def count_at_once(received: Sequence[RecordedRequest]) -> int:
    """The most requests that were with Azure at the same time."""
    changes = [(request.arrived, 1) for request in received]
    # What Azure still works on has no duration yet.
    changes += [(request.arrived + (request.duration or math.inf), -1) for request in received]
    most = now = 0
    for _, change in sorted(changes):
        now += change
        most = max(most, now)
    return most
