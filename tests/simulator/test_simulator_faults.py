"""Scripted faults, who takes them, and what the ledger says of it."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from aigateway.errors import SimulatorError
from aigateway.simulator.config import Quota, SimulatorConfig
from aigateway.simulator.control import SimulatorControl
from aigateway.simulator.faults import (
    CutBody,
    CutStream,
    EmptyBody,
    Failing,
    FaultQueue,
    Filtered,
    HungUp,
    MalformedBody,
    Refused,
    SilentStream,
    SlowFirstByte,
    Throttled,
    WebPage,
)
from aigateway.simulator.ledger import RecordedRequest
from aigateway.simulator.server import SimulatorProcess, start

RESPONSES = "/openai/responses?api-version=2025-04-01-preview"
EMBEDDINGS = "/openai/deployments/embedder/embeddings?api-version=2024-10-21"


@pytest.fixture
def control(simulator: SimulatorProcess) -> SimulatorControl:
    return simulator.control


def ask(wire: httpx.Client, text: str, **more: Any) -> httpx.Response:
    return wire.post(RESPONSES, json={"model": "coder", "input": text} | more)


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true"
        time.sleep(0.01)


def settled(control: SimulatorControl, marker: str) -> RecordedRequest:
    """The one request of a marker, when it is over."""
    until(lambda: control.requests(marker=marker)[-1].duration is not None)
    return control.requests(marker=marker)[-1]


def test_a_request_is_for_something_before_its_body_is_there(
    simulator: SimulatorProcess, control: SimulatorControl, marker: str
) -> None:
    address = urlsplit(simulator.url)
    head = f"POST {RESPONSES}&note={marker} HTTP/1.1\r\nHost: azure\r\nContent-Length: 9\r\n\r\n"

    def find() -> list[RecordedRequest]:
        return [one for one in control.requests() if one.query.get("note") == marker]

    with socket.create_connection((address.hostname, address.port)) as connection:
        connection.sendall(head.encode() + b"half")
        until(lambda: bool(find()))
        (request,) = find()
    assert (request.body, request.operation) == ("", "responses")


@pytest.mark.parametrize(
    ("dialect", "seconds", "milliseconds"),
    [("seconds", "2", None), ("milliseconds", None, "1500"), ("both", "2", "1500"), ("none", None, None)],
)
def test_429_in_each_dialect(
    wire: httpx.Client,
    control: SimulatorControl,
    marker: str,
    dialect: Any,
    seconds: str | None,
    milliseconds: str | None,
) -> None:
    control.inject(Throttled(1.5, dialect), marker=marker)
    answer = ask(wire, marker)
    assert (answer.status_code, answer.json()["error"]["code"]) == (429, "429")
    assert answer.headers.get("retry-after") == seconds
    assert answer.headers.get("retry-after-ms") == milliseconds
    assert ask(wire, marker).status_code == 200


@pytest.mark.parametrize("status", [400, 401, 403, 404, 408, 409, 500, 502, 503, 504])
def test_a_failing_status_for_the_next_requests(
    wire: httpx.Client, control: SimulatorControl, marker: str, status: int
) -> None:
    control.inject(Failing(status, operation="responses", times=2), marker=marker)
    embedded = wire.post(EMBEDDINGS, json={"input": marker})
    statuses = [embedded.status_code, *(ask(wire, marker).status_code for _ in range(3))]
    assert statuses == [200, status, status, 200]
    assert [each.fault for each in control.requests(marker=marker)] == [None, "failing", "failing", None]


def test_the_content_filter(wire: httpx.Client, control: SimulatorControl, marker: str) -> None:
    control.inject(Filtered(), marker=marker)
    answer = ask(wire, marker)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "content_filter")
    assert ask(wire, marker).status_code == 200


def test_an_echoed_prompt(wire: httpx.Client, control: SimulatorControl, marker: str) -> None:
    control.inject(Failing(400, echo_prompt=True), marker=marker)
    assert marker in ask(wire, marker).json()["error"]["message"]
    control.inject(Failing(400), marker=marker)
    assert marker not in ask(wire, marker).text


def test_a_fault_is_for_its_marker_only(wire: httpx.Client, control: SimulatorControl, marker: str) -> None:
    control.inject(Failing(500), marker=marker)
    assert ask(wire, "somebody else").status_code == 200
    assert ask(wire, marker).status_code == 500


def test_a_marker_reaches_stored_responses_and_later_turns(
    wire: httpx.Client, control: SimulatorControl, marker: str
) -> None:
    made = ask(wire, marker).json()["id"]
    control.inject(Failing(503, operation="stored_response", times=2), marker=marker)
    path = f"/openai/responses/{made}?api-version=2025-04-01-preview"
    assert [wire.get(path).status_code, wire.delete(path).status_code, wire.get(path).status_code] == [
        503,
        503,
        200,
    ]
    next_turn = ask(wire, "no mark in it", previous_response_id=made).json()["id"]
    control.inject(Failing(500, operation="responses"), marker=marker)
    assert ask(wire, "no mark either", previous_response_id=next_turn).status_code == 500
    assert len(control.requests(marker=marker)) == 6
    assert len(control.requests(marker=marker, operation="stored_response")) == 3


def test_exactly_n_of_many_at_once_take_a_fault(
    wire: httpx.Client, control: SimulatorControl, marker: str
) -> None:
    control.inject(Failing(500, times=7), marker=marker)
    with ThreadPoolExecutor(20) as pool:
        statuses = list(pool.map(lambda _: ask(wire, marker).status_code, range(40)))
    assert statuses.count(500) == 7


def test_a_window_of_time() -> None:
    now = [0.0]
    queue = FaultQueue(lambda: now[0])
    queue.add(Failing(500, for_seconds=10), None)
    took = []
    for now[0] in (0.0, 5.0, 9.9, 10.0, 11.0):
        took.append(queue.take("responses", streamed=False, marked=lambda _: False) is not None)
    assert took == [True, True, True, False, False]


def test_a_slow_first_byte(wire: httpx.Client, control: SimulatorControl, marker: str) -> None:
    control.inject(SlowFirstByte(0.3), marker=marker)
    begun = time.monotonic()
    assert ask(wire, marker).status_code == 200
    assert time.monotonic() - begun >= 0.3


def test_a_client_that_does_not_wait_is_recorded(
    wire: httpx.Client, control: SimulatorControl, marker: str
) -> None:
    control.inject(SlowFirstByte(30), marker=marker)
    with pytest.raises(httpx.ReadTimeout):
        wire.post(RESPONSES, json={"model": "coder", "input": marker}, timeout=0.2)
    record = settled(control, marker)
    assert (record.disconnected, record.finished, record.status) == (True, False, None)


def test_a_client_that_leaves_a_stream_is_recorded(
    wire: httpx.Client, control: SimulatorControl, marker: str
) -> None:
    control.inject(SilentStream(after_events=3, seconds=30), marker=marker)
    body = {"model": "coder", "input": marker, "stream": True}
    with wire.stream("POST", RESPONSES, json=body) as answer:
        lines = answer.iter_lines()
        next(lines)
        record = control.requests(marker=marker)[0]
        assert (record.status, record.finished, record.disconnected, record.duration) == (
            200,
            False,
            False,
            None,
        )
    record = settled(control, marker)
    assert (record.disconnected, record.finished, record.fault) == (True, False, "silent_stream")


def test_silence_inside_a_stream(wire: httpx.Client, control: SimulatorControl, marker: str) -> None:
    control.inject(SilentStream(after_events=4, seconds=0.3), marker=marker)
    arrived: list[float] = []
    with wire.stream("POST", RESPONSES, json={"model": "coder", "input": marker, "stream": True}) as answer:
        arrived.extend(time.monotonic() for line in answer.iter_lines() if line.startswith("event:"))
    gaps = [after - before for before, after in pairwise(arrived)]
    assert gaps.index(max(gaps)) == 3
    assert max(gaps) >= 0.28
    assert settled(control, marker).finished


def test_a_cut_stream(wire: httpx.Client, control: SimulatorControl, marker: str) -> None:
    control.inject(CutStream(after_events=3), marker=marker)
    assert ask(wire, marker).status_code == 200  # not streamed: not taken
    seen: list[str] = []
    with (
        pytest.raises(httpx.RemoteProtocolError),
        wire.stream("POST", RESPONSES, json={"model": "coder", "input": marker, "stream": True}) as answer,
    ):
        seen.extend(line for line in answer.iter_lines() if line.startswith("event:"))
    assert len(seen) == 3
    record = settled(control, marker)
    assert (record.finished, record.disconnected) == (False, False)


def test_a_stream_that_ends_early_as_if_it_were_whole(
    wire: httpx.Client, control: SimulatorControl, marker: str
) -> None:
    control.inject(CutStream(after_events=3, seconds=0.2, cleanly=True), marker=marker)
    begun = time.monotonic()
    answer = ask(wire, marker, stream=True)
    assert time.monotonic() - begun >= 0.2
    assert answer.text.count("event:") == 3
    assert settled(control, marker).finished


def test_an_answer_that_is_cut(wire: httpx.Client, control: SimulatorControl, marker: str) -> None:
    control.inject(CutBody(times=2), marker=marker)
    assert "response.completed" in ask(wire, marker, stream=True).text  # streamed: not taken
    for path, body in ((RESPONSES, {"model": "coder", "input": marker}), (EMBEDDINGS, {"input": marker})):
        with pytest.raises(httpx.RemoteProtocolError, match="without sending complete"):
            wire.post(path, json=body)
    assert ask(wire, marker).status_code == 200


@pytest.mark.parametrize("stream", [False, True])
def test_a_connection_that_is_closed_with_no_answer(
    wire: httpx.Client, control: SimulatorControl, marker: str, *, stream: bool
) -> None:
    control.inject(HungUp(), marker=marker)
    with pytest.raises(httpx.RemoteProtocolError, match="without sending a response"):
        ask(wire, marker, stream=stream)
    record = settled(control, marker)
    assert (record.status, record.finished, record.fault) == (None, False, "hung_up")
    assert ask(wire, marker, stream=stream).status_code == 200


@pytest.mark.parametrize("stream", [False, True])
def test_a_200_that_is_no_answer(
    wire: httpx.Client, control: SimulatorControl, marker: str, *, stream: bool
) -> None:
    control.inject(EmptyBody(), marker=marker)
    control.inject(WebPage(), marker=marker)
    empty, page = (ask(wire, marker, stream=stream) for _ in range(2))
    assert (empty.status_code, empty.content) == (200, b"")
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert page.text.startswith("<!doctype html>")


@pytest.mark.parametrize("stream", [False, True])
def test_a_malformed_body(
    wire: httpx.Client, control: SimulatorControl, marker: str, *, stream: bool
) -> None:
    control.inject(MalformedBody(), marker=marker)
    answer = ask(wire, marker, stream=stream)
    assert answer.status_code == 200
    text = answer.text.split("\n\n")[1].split("data: ")[1] if stream else answer.text
    with pytest.raises(ValueError, match=r"Unterminated|Expecting"):
        httpx.Response(200, text=text).json()


def test_a_malformed_event_of_choice(wire: httpx.Client, control: SimulatorControl, marker: str) -> None:
    control.inject(MalformedBody(event=4), marker=marker)
    frames = ask(wire, marker, stream=True).text.strip().split("\n\n")
    broken = [number for number, frame in enumerate(frames) if not frame.endswith("}")]
    assert broken == [4]


@pytest.fixture
def own() -> Iterator[SimulatorProcess]:
    """A simulator for what concerns everybody."""
    config = SimulatorConfig(api_key="k", responses_deployment="coder", quota=Quota(2, None, 0.5))
    with start(config) as running:
        yield running


def test_refused_connections_and_an_open_control(own: SimulatorProcess) -> None:
    with httpx.Client(base_url=own.url, headers={"api-key": "k"}) as client:
        assert ask(client, "before").status_code == 200  # leaves an idle connection open
        begun = time.monotonic()
        own.control.inject(Refused(2))
        with pytest.raises(httpx.ConnectError):
            ask(client, "while")
        assert [each.body["input"] for each in own.control.requests()] == ["before"]

        def back() -> bool:
            try:
                return ask(client, "after").status_code in (200, 429)
            except httpx.ConnectError:
                return False

        until(back)
        assert time.monotonic() - begun >= 1.9


def test_the_quota_answers_429_by_itself(own: SimulatorProcess) -> None:
    with httpx.Client(base_url=own.url, headers={"api-key": "k"}) as client:
        answers = [ask(client, "x") for _ in range(3)]
        assert [each.status_code for each in answers] == [200, 200, 429]
        assert [each.headers["x-ratelimit-remaining-requests"] for each in answers] == ["1", "0", "0"]
        assert answers[2].headers["retry-after"] == "1"
        assert 0 < int(answers[2].headers["retry-after-ms"]) <= 500
        until(lambda: ask(client, "x").status_code == 200)
        own.control.limit(Quota(tokens_per_minute=100))
        assert "token rate limit" in ask(client, "x" * 800).text
        own.control.limit(None)
        assert ask(client, "x" * 800).status_code == 200


def test_the_ledger_masks_keys_and_says_whether_they_were_right(
    wire: httpx.Client, control: SimulatorControl, marker: str
) -> None:
    ask(wire, marker, user="me")
    wire.post(
        RESPONSES, content=marker, headers={"api-key": "wrong-secret", "authorization": "Bearer other-secret"}
    )
    right, wrong = control.requests(marker=marker)
    assert (right.key_ok, right.status, right.finished) == (True, 200, True)
    assert right.body == {"model": "coder", "input": marker, "user": "me"}
    assert (right.method, right.path, right.query) == (
        "POST",
        "/openai/responses",
        {"api-version": "2025-04-01-preview"},
    )
    assert (wrong.key_ok, wrong.status, wrong.body) == (False, 401, marker)
    assert wrong.headers["authorization"] == wrong.headers["api-key"] == "***"
    assert right.arrived < wrong.arrived <= time.monotonic()
    assert abs(right.arrived_at - time.time()) < 60
    assert "secret" not in repr((right, wrong))


def test_parallel_requests_are_counted(own: SimulatorProcess) -> None:
    own.control.limit(None)
    own.control.inject(SlowFirstByte(0.3, operation="embeddings", times=5))
    path = "/openai/deployments/text-embedding-3-large/embeddings?api-version=2024-10-21"
    with httpx.Client(base_url=own.url, headers={"api-key": "k"}) as client, ThreadPoolExecutor(5) as pool:
        assert {
            each.status_code for each in pool.map(lambda _: client.post(path, json={"input": "a"}), range(5))
        } == {200}
    assert (own.control.peak_parallel("embeddings"), own.control.peak_parallel("responses")) == (5, 0)
    own.control.reset()
    assert (own.control.peak_parallel(), own.control.requests()) == (0, [])


def test_answers_are_tallied_by_status_until_a_full_reset(own: SimulatorProcess) -> None:
    own.control.limit(None)
    own.control.reset()
    path = "/openai/deployments/text-embedding-3-large/embeddings?api-version=2024-10-21"
    with httpx.Client(base_url=own.url, headers={"api-key": "k"}) as client:
        own.control.limit(Quota(2))
        assert [client.post(path, json={"input": "a"}).status_code for _ in range(3)] == [200, 200, 429]
    assert own.control.tally("embeddings") == {200: 2, 429: 1}
    assert own.control.tally("responses") == {}
    own.control.reset()
    assert own.control.tally("embeddings") == {}


def test_a_reset_of_one_marker_leaves_the_others(
    wire: httpx.Client, control: SimulatorControl, marker: str
) -> None:
    for each in (f"{marker}-a", f"{marker}-b"):
        ask(wire, each)
        control.inject(Failing(500), marker=each)
    control.reset(f"{marker}-a")
    assert [each.body["input"] for each in control.requests(marker=marker)] == [f"{marker}-b"]
    assert [ask(wire, f"{marker}-{each}").status_code for each in "ab"] == [200, 500]


def test_the_control_is_not_on_the_data_port(wire: httpx.Client) -> None:
    assert [wire.get(path).status_code for path in ("/requests", "/peak", "/faults")] == [404, 404, 404]


def test_misuse_of_the_control_is_an_error_that_says_why(control: SimulatorControl) -> None:
    with pytest.raises(SimulatorError, match="for one marker"):
        control.inject(Refused(1), marker="x")
    with pytest.raises(SimulatorError, match="unknown operation"):
        control.requests(operation="speech")  # type: ignore[arg-type] # the mistake under test
    with pytest.raises(SimulatorError, match="cannot be reached"):
        SimulatorControl("http://127.0.0.1:9").reset()
