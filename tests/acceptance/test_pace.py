"""A run stays below its own client's rate limit, whoever of its processes sends."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from aigateway.acceptance import pacing
from aigateway.acceptance.metering import Meter
from aigateway.acceptance.pacing import Pace, find_endpoint, open_pace
from aigateway.rendering.edge import derive_edge
from aigateway.settings.loading import load_environment
from aigateway.settings.values import ENDPOINTS

ROOT = Path(__file__).parents[2]


@pytest.fixture
def settings() -> Any:
    return load_environment(ROOT, "dev")


class Clock:
    """Time that passes only while somebody waits."""

    def __init__(self) -> None:
        self.now = 1000.0

    def time(self) -> float:
        return self.now

    def wait_until(self, condition: object, *, seconds: float) -> bool:
        assert condition
        self.now += seconds
        return True


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(pacing, "time", clock)
    monkeypatch.setattr(pacing, "wait_until", clock.wait_until)
    return clock


@pytest.fixture
def pace(clock: Clock, tmp_path: Path) -> Iterator[Pace]:
    for endpoint in ENDPOINTS:
        (tmp_path / endpoint).write_text(repr(clock.now))
    return Pace(folder=tmp_path, interval=0.5, burst=4)


def send(pace: Pace, clock: Clock, requests: int) -> list[float]:
    """The seconds from now at which each may be sent."""
    began = clock.now
    sent = []
    for _ in range(requests):
        pace.wait_for_turn("responses")
        sent.append(clock.now - began)
    return sent


def test_nothing_is_fresh_when_a_run_begins(pace: Pace, clock: Clock) -> None:
    assert send(pace, clock, 4) == [0, 0.5, 1, 1.5]


def test_what_was_not_sent_may_be_sent_at_once_up_to_the_burst(pace: Pace, clock: Clock) -> None:
    clock.now += 3600
    assert send(pace, clock, 7) == [0, 0, 0, 0, 0, 0.5, 1]


def test_endpoints_do_not_wait_for_each_other(pace: Pace, clock: Clock) -> None:
    send(pace, clock, 4)
    at = clock.now
    pace.wait_for_turn("embeddings")
    assert clock.now == at


def test_threads_take_turns(tmp_path: Path) -> None:
    path = tmp_path / "responses"
    began = time.time()
    path.write_text(repr(began))
    pace = Pace(folder=tmp_path, interval=2**-7, burst=1)  # which floats add without an error
    with ThreadPoolExecutor(8) as threads:
        for _ in range(20):
            threads.submit(pace.wait_for_turn, "responses")
    assert float(path.read_text()) >= began + 20 * pace.interval


def test_it_is_slower_than_the_clients_bucket_on_one_replica(settings: Any) -> None:
    limit = settings.client_limit(settings.clients[0], "responses")
    many = settings.model_copy(update={"scale": settings.scale.model_copy(update={"max_replicas": 5})})
    for replicas, each in ((1, settings), (5, many)):
        with open_pace(each) as pace:
            assert pace.burst < limit.burst / replicas
            assert pace.burst + 60 / pace.interval < limit.requests_per_minute / replicas
        assert not pace.folder.exists()


@pytest.mark.parametrize(("fresh", "at_once"), [(True, 26), (False, 1)])
def test_a_gateway_that_was_just_started_is_full(
    fresh: bool, at_once: int, settings: Any, clock: Clock
) -> None:
    began = clock.now
    with open_pace(settings, fresh=fresh) as pace:
        for _ in range(at_once):
            pace.wait_for_turn("responses")
        assert clock.now == pytest.approx(began, abs=1e-6)
        pace.wait_for_turn("responses")
        assert clock.now > began + 0.1


@pytest.mark.parametrize(
    ("path", "endpoint"),
    [
        ("/v1/responses", "responses"),
        ("/v1/responses/resp_1/cancel", "responses"),
        ("/v1/chat/completions", "responses"),
        ("/v1/embeddings", "embeddings"),
        ("", "responses"),
        ("/v1/models", None),
        ("/healthz", None),
    ],
)
def test_only_what_counts_against_a_limit_waits(path: str, endpoint: str | None) -> None:
    assert find_endpoint(path) == endpoint


def test_every_limited_path_of_the_edge_waits(settings: Any) -> None:
    for route in derive_edge(settings).routes:
        assert find_endpoint(route.path or route.pattern) == (route.endpoint if route.limited else None)


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
@pytest.mark.parametrize(
    ("base_url", "seconds"), [("", 1), ("http://GATEWAY.test:80", 1), ("http://other.test", 0)]
)
def test_every_request_to_the_gateway_of_the_run_keeps_it(
    method: str, base_url: str, seconds: float, pace: Pace, clock: Clock
) -> None:
    began = clock.now
    meter = Meter()
    meter.keep_pace(pace, base_url)
    hooks: Any = meter.hooks
    answer = httpx.MockTransport(lambda _: httpx.Response(200, json={}))
    with httpx.Client(transport=answer, event_hooks=hooks) as client:
        for _ in range(3):
            client.request(method, "http://gateway.test/v1/responses")
    assert clock.now - began == seconds
