"""A run stays below its own client's rate limit, whoever of its processes sends."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import httpx
import pytest

from aigateway.acceptance import pacing
from aigateway.acceptance.metering import Meter
from aigateway.acceptance.pacing import Pace, open_pace
from aigateway.errors import LaunchError
from aigateway.launching.parts import EDGE_SLOTS, PROCESSES, SLOTS_EACH
from aigateway.rendering.edge import derive_edge
from aigateway.settings.loading import load_environment
from steps import gateway as steps_gateway
from steps import wire
from steps.gateway import Gateway

ROOT = Path(__file__).parents[2]
ADDRESS = "127.0.0.1:1"


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
def pace(settings: Any, clock: Clock, tmp_path: Path) -> Pace:
    return make_pace(settings, tmp_path, began=clock.now)


def make_pace(settings: Any, folder: Path, began: float, interval: float = 0.5, burst: int = 4) -> Pace:
    routes = tuple(route for route in derive_edge(settings).routes if route.limited)
    return Pace(folder=folder, interval=interval, burst=burst, routes=routes, began=began)


def ask(pace: Pace, address: str = ADDRESS, path: str = "/v1/responses", method: str = "POST") -> None:
    pace.wait_for_turn(address, method, path)


def send(pace: Pace, clock: Clock, requests: int) -> list[float]:
    """The seconds from now at which each may be sent."""
    began = clock.now
    sent = []
    for _ in range(requests):
        ask(pace)
        sent.append(clock.now - began)
    return sent


def test_nothing_is_saved_up_when_a_run_begins(pace: Pace, clock: Clock) -> None:
    assert send(pace, clock, 4) == [0, 0.5, 1, 1.5]


def test_what_was_not_sent_may_be_sent_at_once_up_to_the_burst(pace: Pace, clock: Clock) -> None:
    clock.now += 3600
    assert send(pace, clock, 7) == [0, 0, 0, 0, 0, 0.5, 1]


@pytest.mark.parametrize(
    ("address", "path"),
    [(ADDRESS, "/v1/embeddings"), ("127.0.0.1:2", "/v1/responses"), ("127.0.0.1:2", "/v1/embeddings")],
)
def test_endpoints_and_gateways_do_not_wait_for_each_other(
    address: str, path: str, pace: Pace, clock: Clock
) -> None:
    send(pace, clock, 4)
    at = clock.now
    ask(pace, address, path)
    assert clock.now == at


def test_threads_take_turns(settings: Any, tmp_path: Path) -> None:
    began = time.time()
    pace = make_pace(settings, tmp_path, began, interval=2**-7, burst=1)  # which floats add without an error
    with ThreadPoolExecutor(8) as threads:
        for _ in range(20):
            threads.submit(ask, pace)
    (path,) = tmp_path.iterdir()
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
            ask(pace)
        assert clock.now == pytest.approx(began, abs=1e-6)
        ask(pace)
        assert clock.now > began + 0.1


@pytest.mark.parametrize(
    ("method", "path", "waits"),
    [
        ("POST", "/v1/responses", True),
        ("POST", "/v1/responses/resp_1/cancel", True),
        ("GET", "/v1/responses/resp_1", True),
        ("POST", "/v1/chat/completions", True),
        ("POST", "/v1/embeddings", True),
        ("GET", "/v1/models", False),
        ("GET", "/healthz", False),
        ("GET", "/v1/embeddings", False),
        ("POST", "/v1/responses/", False),
        ("POST", "/openai/responses", False),
        ("GET", "/model/metrics/slow_responses", False),
        ("GET", "", False),
    ],
)
def test_only_what_counts_against_a_limit_waits(
    method: str, path: str, waits: bool, pace: Pace, clock: Clock
) -> None:
    began = clock.now
    for _ in range(3):
        ask(pace, method=method, path=path)
    assert clock.now - began == (1 if waits else 0)


@pytest.mark.parametrize(("base_url", "seconds"), [("http://GATEWAY.test:80", 1), ("http://other.test", 0)])
@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/v1/responses?a=b"), ("DELETE", "/v1/responses/resp_1")]
)
def test_what_clients_send_to_the_gateway_that_all_share_waits(
    method: str, path: str, base_url: str, seconds: float, pace: Pace, clock: Clock
) -> None:
    began = clock.now
    meter = Meter()
    meter.use(None, pace)
    meter.aim(base_url)
    hooks: Any = meter.hooks
    answer = httpx.MockTransport(lambda _: httpx.Response(200, json={}))
    with httpx.Client(transport=answer, event_hooks=hooks) as client:
        for _ in range(3):
            client.request(method, f"http://gateway.test{path}")
    assert clock.now - began == seconds


@pytest.fixture
def meter(monkeypatch: pytest.MonkeyPatch, pace: Pace) -> Meter:
    """The one that steps use, as it is in a process of its own."""
    meter = Meter()
    meter.use(None, pace)
    for module in (wire, steps_gateway):
        monkeypatch.setattr(module, "METER", meter)
    return meter


def test_what_is_written_to_a_connection_waits_too(settings: Any, meter: Meter, clock: Clock) -> None:
    gateway = Gateway("http://127.0.0.1:1", settings, "key")
    meter.aim(gateway.base_url)
    began = clock.now
    for target in ("/v1/responses?a=b", "/v1/responses", "/v1/responses", "/nothing", "localhost:4000"):
        wire.charge_request(gateway, wire.write_request("POST", target))
    assert clock.now - began == 1


def test_the_gateway_that_all_scenarios_share_is_what_waits(settings: Any, meter: Meter) -> None:
    """For the first process the run's own; for another one an edge of its own, as long as that runs."""
    started = Gateway("http://127.0.0.1:2", settings, "key")
    edges = Mock()
    edges.start.return_value = started
    target = Mock(stack=None, base_url="http://127.0.0.1:1", settings=settings, key="key")
    share: Any = steps_gateway.shared_gateway.__wrapped__  # type: ignore[attr-defined] # pytest's
    for own_edges, port in ((None, 1), (edges, 2)):
        gateway = share(target, own_edges)
        assert gateway.base_url == f"http://127.0.0.1:{port}"
        assert meter._paced == f"127.0.0.1:{port}"
    edges.require_running.side_effect = LaunchError("died")
    with pytest.raises(LaunchError, match="died"):
        steps_gateway.gateway.__wrapped__(started, edges)  # type: ignore[attr-defined] # pytest's


@pytest.mark.parametrize("worker", [0, 1, 2])
def test_no_two_processes_have_an_edge_in_the_same_place(worker: int) -> None:
    places = [
        {steps_gateway._control(Mock(), each).slot + by for by in range(SLOTS_EACH)}
        for each in range(PROCESSES)
    ]
    own = places.pop(worker)
    assert own.isdisjoint({0, EDGE_SLOTS - 1}.union(*places))
    assert max(own) < EDGE_SLOTS


def test_a_process_too_many_is_told_so() -> None:
    with pytest.raises(LaunchError, match="only 3 processes"):
        steps_gateway._control(Mock(), PROCESSES)
