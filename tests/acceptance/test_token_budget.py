"""A run never costs more than its budget, whoever of its processes and threads sends how much."""

from __future__ import annotations

import asyncio
import gzip
import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import httpx2
import openai
import pytest

from aigateway.acceptance.budget import (
    DEFAULT_TOKENS,
    Budget,
    BudgetSpentError,
    Tally,
    choose_budget,
    open_budget,
)
from aigateway.acceptance.metering import (
    MOST_INPUT_TOKENS,
    MOST_OUTPUT_TOKENS,
    Meter,
    estimate_most,
    read_usage,
)
from aigateway.acceptance.results import TargetName
from aigateway.errors import AigatewayError

ANSWER = {"object": "response", "usage": {"input_tokens": 4, "output_tokens": 3, "total_tokens": 7}}
BODY = {"model": "m", "input": "x", "max_output_tokens": 100}
MOST = len(json.dumps(BODY, separators=(",", ":"))) + 100


@pytest.fixture
def budget() -> Iterator[Budget]:
    with open_budget(1000) as opened:
        assert opened
        yield opened


@pytest.mark.parametrize(
    ("target", "given", "expected"),
    [("local", None, None), ("deployed", None, DEFAULT_TOKENS), ("local", 5, 5), ("deployed", 5, 5)],
)
def test_only_what_costs_has_a_budget_by_itself(
    target: TargetName, given: int | None, expected: int | None
) -> None:
    assert choose_budget(target, given) == expected


@pytest.mark.parametrize("given", [0, -1])
def test_a_budget_that_is_none(given: int) -> None:
    with pytest.raises(AigatewayError, match=f"a token budget of {given} lets nothing run"):
        choose_budget("deployed", given)


def test_what_is_reserved_is_replaced_with_what_was_spent(budget: Budget) -> None:
    budget.reserve(600)
    assert budget.read() == Tally(tokens=1000, reserved=600)
    budget.settle(600, 20)
    assert budget.read() == Tally(tokens=1000, spent=20)
    budget.reserve(980)


def test_what_can_never_fit_is_refused_at_once(budget: Budget) -> None:
    budget.reserve(600)
    budget.settle(600, 600)
    with pytest.raises(BudgetSpentError, match=r"600 of 1,000 are spent, .* may cost up to 401"):
        budget.reserve(401)
    assert budget.read().refused == 1


def test_a_reservation_is_waited_for(budget: Budget) -> None:
    budget.reserve(600)
    timer = threading.Timer(0.3, budget.settle, (600, 1))
    timer.start()
    budget.reserve(600)
    timer.join()
    assert budget.read() == Tally(tokens=1000, spent=1, reserved=600)


def test_a_reservation_is_not_waited_for_for_ever(budget: Budget) -> None:
    budget.reserve(600)
    with pytest.raises(BudgetSpentError):
        budget.reserve(600, patience=0.2)


def test_a_process_that_is_killed_leaves_a_tally_that_can_be_read(budget: Budget) -> None:
    spend = f"""
from pathlib import Path
from aigateway.acceptance.budget import Budget
budget = Budget(Path({str(budget.path)!r}))
print("ready", flush=True)
while True:
    budget.settle(0, 0)
"""
    for number in range(8):
        with subprocess.Popen([sys.executable, "-c", spend], stdout=subprocess.PIPE) as process:
            assert process.stdout
            process.stdout.readline()
            for _ in range(number):
                budget.read()
            process.kill()
        assert budget.read() == Tally(tokens=1000)


def test_many_at_once_never_spend_too_much(budget: Budget) -> None:
    seen: list[int] = []

    def spend(number: int) -> None:
        own = Budget(budget.path)  # as another process has
        try:
            own.reserve(90)
        except BudgetSpentError:
            return
        tally = own.read()
        seen.append(tally.spent + tally.reserved)
        own.settle(90, number % 90)

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(spend, range(100)))
    tally = budget.read()
    assert max(seen) <= 1000
    assert tally.spent <= 1000
    assert tally.reserved == 0
    assert tally.refused + len(seen) == 100


# --- what a request can cost, and what it did


@pytest.mark.parametrize(
    ("path", "body", "before", "expected"),
    [
        ("/v1/embeddings", b"x" * 50, 0, 50),
        ("/v1/responses", b"x" * 50, 0, 50 + MOST_OUTPUT_TOKENS),
        ("/v1/responses", b'{"max_output_tokens": 9}', 0, 24 + 9),
        ("/v1/chat/completions", b'{"max_completion_tokens": 9, "max_tokens": 20}', 0, 46 + 9),
        ("/v1/responses", b'{"max_output_tokens": 999999}', 0, 29 + MOST_OUTPUT_TOKENS),
        ("/v1/responses", b'{"max_output_tokens": null}', 0, 27 + MOST_OUTPUT_TOKENS),
        ("/v1/responses", b'{"max_output_tokens": -5}', 0, 25 + MOST_OUTPUT_TOKENS),
        ("/v1/responses", b"x" * 10_000_000, 0, MOST_INPUT_TOKENS + MOST_OUTPUT_TOKENS),
        ("/v1/responses", b'{"previous_response_id": "r"}', 40, 29 + 40 + MOST_OUTPUT_TOKENS),
        ("/v1/responses", b"[" * 100_000, 0, 100_000 + MOST_OUTPUT_TOKENS),
    ],
)
def test_the_most_that_a_request_can_cost(path: str, body: bytes, before: int, expected: int) -> None:
    assert estimate_most(path, body, before) == expected


def write_events(*events: Any) -> bytes:
    return (
        b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in events) + b"data: [DONE]\n\n"
    )


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (json.dumps(ANSWER).encode(), 7),
        (write_events({"type": "response.created"}, {"type": "x", "response": ANSWER}), 7),
        (write_events({"choices": []}, {"choices": [], "usage": {"total_tokens": 9}}), 9),
        (write_events({"choices": []}), None),
        (write_events({"response": {"usage": None}}), None),
        (b'{"usage": {"total_tokens": "many"}}', None),
        (b"<html>", None),
        (b"[" * 100_000, None),
        (b"", None),
    ],
)
def test_what_an_answer_says_it_has_cost(answer: bytes, expected: int | None) -> None:
    assert read_usage(answer) == expected


# --- clients that are metered


@pytest.fixture
def meter(budget: Budget) -> Meter:
    meter = Meter()
    meter.use(budget)
    return meter


def ask(meter: Meter, answer: Callable[[httpx.Request], httpx.Response]) -> httpx.Client:
    return httpx.Client(
        transport=httpx.MockTransport(answer), event_hooks=meter.hooks, base_url="https://gateway.test"
    )


def respond(status: int, content: Any) -> httpx.Response:
    """An answer that has still to be read, as those from a network."""
    return httpx.Response(status, stream=httpx.ByteStream(json.dumps(content).encode()))


@pytest.mark.parametrize(
    ("response", "spent"),
    [
        (respond(200, ANSWER), 7),
        (httpx.Response(200, stream=httpx.ByteStream(write_events({"response": ANSWER}))), 7),
        (
            httpx.Response(
                200,
                stream=httpx.ByteStream(gzip.compress(json.dumps(ANSWER).encode())),
                headers={"content-encoding": "gzip"},
            ),
            7,
        ),
        (respond(200, {}), MOST),
        (respond(401, {}), 0),
        (respond(429, {}), 0),
        (respond(408, {}), MOST),
        (respond(503, {}), MOST),
    ],
    ids=["JSON", "stream", "compressed", "says nothing", "401", "429", "408", "503"],
)
def test_an_answer_settles_what_was_reserved(
    meter: Meter, budget: Budget, response: httpx.Response, spent: int
) -> None:
    reserved = 0

    def answer(_: httpx.Request) -> httpx.Response:
        nonlocal reserved
        reserved = budget.read().reserved
        return response

    meter.begin()
    assert ask(meter, answer).post("/v1/responses", json=BODY).status_code == response.status_code
    assert reserved == MOST
    assert budget.read() == Tally(tokens=1000, spent=spent)
    assert meter.finish() == spent
    meter.begin()
    assert meter.finish() == 0


def test_reading_costs_nothing(meter: Meter, budget: Budget) -> None:
    assert ask(meter, lambda _: respond(200, ANSWER)).get("/v1/responses/1").json() == ANSWER
    assert budget.read() == Tally(tokens=1000)


def test_a_stream_that_is_left_settles_by_what_has_come(meter: Meter) -> None:
    pieces = [write_events({"response": ANSWER}), write_events({"more": 1})]
    client = ask(meter, lambda _: httpx.Response(200, content=iter(pieces)))
    with client.stream("POST", "/v1/responses", json=BODY) as response:
        assert next(response.iter_raw()) == pieces[0]
    assert meter.finish() == 7


def test_what_is_never_answered_counts_as_the_most(meter: Meter, budget: Budget) -> None:
    def time_out(_: httpx.Request) -> httpx.Response:
        raise httpx.ReadTimeout("no answer")

    meter.begin()
    with pytest.raises(httpx.ReadTimeout):
        ask(meter, time_out).post("/v1/responses", json=BODY)
    assert meter.finish() == MOST
    assert budget.read() == Tally(tokens=1000, spent=MOST)


def test_what_does_not_fit_is_not_sent_and_skips_the_scenario(meter: Meter, budget: Budget) -> None:
    budget.reserve(900)
    budget.settle(900, 900)
    sent: list[httpx.Request] = []
    client = ask(meter, lambda request: sent.append(request) or httpx.Response(200))  # type: ignore[func-returns-value]
    with pytest.raises(pytest.skip.Exception, match="the token budget is too small: 900 of 1,000 are spent"):
        client.post("/v1/responses", json=BODY)
    assert sent == []


def test_openais_clients_are_metered(meter: Meter, budget: Budget) -> None:
    def answer(_: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, stream=httpx2.ByteStream(json.dumps(ANSWER).encode()))

    settings: dict[str, Any] = {"api_key": "sk-x", "base_url": "https://gateway.test/v1", "max_retries": 0}
    client = openai.OpenAI(
        **settings,
        http_client=httpx2.Client(transport=httpx2.MockTransport(answer), event_hooks=meter.hooks),
    )
    client.responses.create(model="m", input="x", max_output_tokens=100)

    async def ask_asynchronously() -> None:
        async with openai.AsyncOpenAI(
            **settings,
            http_client=httpx2.AsyncClient(
                transport=httpx2.MockTransport(answer), event_hooks=meter.async_hooks
            ),
        ) as asynchronous:
            await asynchronous.responses.create(model="m", input="x", max_output_tokens=100)

    asyncio.run(ask_asynchronously())
    assert meter.finish() == 14
    budget.settle(0, 980)
    # OpenAI's package turns what goes wrong into errors of its own; this is none.
    with pytest.raises(pytest.skip.Exception):
        client.responses.create(model="m", input="x", max_output_tokens=100)


def test_without_a_budget_only_what_is_told_counts() -> None:
    meter = Meter()
    ask(meter, lambda _: respond(200, ANSWER)).post("/v1/responses", json=BODY)
    ask(meter, lambda _: respond(500, {})).post("/v1/responses", json=BODY)
    assert meter.finish() == 7
