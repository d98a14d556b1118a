"""Roo as a client: what is on the wire, how often it tries, and how long it waits."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import openai
import pytest
from fake_gateway import FakeClock, FakeGateway, Script, serve

from aigateway.rehearsing.roo import (
    BATCHES_AT_ONCE,
    Batch,
    Pauses,
    RooIndexer,
    SharedBackOff,
    gather_batches,
    split,
)

KEY = "sk-a-clients-key"
BATCH = [f"def segment_{number}(): return {number}" for number in range(60)]


@dataclass(frozen=True)
class Indexed:
    gateway: FakeGateway
    clock: FakeClock
    batches: list[Batch]
    longest: float


def index(script: Script, batches: Sequence[Sequence[str]], *, gather: int = 0, sleepers: int = 1) -> Indexed:
    clock = FakeClock(sleepers=sleepers)

    async def send(base_url: str) -> tuple[list[Batch], float]:
        async with openai.AsyncOpenAI(base_url=f"{base_url}/v1", api_key=KEY, timeout=30) as client:
            roo = RooIndexer(client, "an-embedder", clock=clock)
            return await roo.index(batches), roo.back_off.longest

    with serve(script, gather=gather) as gateway:
        ended, longest = asyncio.run(send(gateway.base_url))
    return Indexed(gateway, clock, ended, longest)


def test_a_request_holds_three_fields_and_the_clients_key() -> None:
    done = index(lambda _number, _body: 200, [BATCH])
    assert done.gateway.bodies == [{"input": BATCH, "model": "an-embedder", "encoding_format": "base64"}]
    assert done.gateway.paths == ["/v1/embeddings"]
    assert done.gateway.headers[0]["authorization"] == f"Bearer {KEY}"
    assert [(batch.segments, batch.vectors, batch.error) for batch in done.batches] == [(60, 60, "")]
    assert done.batches[0].tokens == sum(-(-len(text) // 4) for text in BATCH)


def test_the_validation_asks_for_one_vector_of_test() -> None:
    async def validate(base_url: str) -> None:
        async with openai.AsyncOpenAI(base_url=f"{base_url}/v1", api_key=KEY) as client:
            await RooIndexer(client, "an-embedder").validate()

    with serve(lambda _number, _body: 200) as gateway:
        asyncio.run(validate(gateway.base_url))
    assert gateway.bodies == [{"input": ["test"], "model": "an-embedder", "encoding_format": "base64"}]


def test_ten_batches_are_under_way_at_once_and_no_more() -> None:
    batches = [[f"{number}-{text}" for text in BATCH] for number in range(25)]
    done = index(lambda _number, _body: 200, batches, gather=BATCHES_AT_ONCE)
    assert done.gateway.peak == BATCHES_AT_ONCE
    assert sorted(body["input"][0] for body in done.gateway.bodies) == sorted(batch[0] for batch in batches)


@pytest.mark.parametrize(
    ("status", "requests"),
    [
        pytest.param(429, 27, id="429: three by the package, three by the embedder, three by the scanner"),
        pytest.param(500, 9, id="500: the embedder does not try again"),
        pytest.param(400, 3, id="400: nor does the package"),
    ],
)
def test_a_batch_is_given_up_after_so_many_requests(status: int, requests: int) -> None:
    done = index(lambda _number, _body: status, [BATCH])
    assert len(done.gateway.bodies) == requests
    assert [(batch.vectors, batch.error) for batch in done.batches] == [(0, f"{status}: scripted {status}")]


def test_what_the_package_gets_over_holds_nobody_back() -> None:
    done = index(lambda number, _body: 429 if number < 2 else 200, [BATCH])
    assert [batch.vectors for batch in done.batches] == [60]
    assert (done.longest, done.clock.slept) == (0, [])


def test_a_refusal_that_outlasts_the_package_holds_everybody_back_for_five_seconds() -> None:
    done = index(lambda number, _body: 429 if number < 3 else 200, [BATCH])
    assert [batch.vectors for batch in done.batches] == [60]
    assert (done.longest, done.clock.slept) == (5, [5])


def test_ten_refusals_at_once_hold_everybody_back_for_five_minutes() -> None:
    times: dict[str, int] = {}

    def script(_number: int, body: dict[str, list[str]]) -> int:
        first = body["input"][0]
        times[first] = times.get(first, 0) + 1
        return 429 if times[first] <= 3 else 200

    batches = [[f"{number}-{text}" for text in BATCH] for number in range(10)]
    done = index(script, batches, sleepers=10)
    assert [batch.vectors for batch in done.batches] == [60] * 10
    # Each waits as long as the back-off lasted when it was refused itself, and then for what is left of it.
    assert done.clock.slept[:10] == [5, 10, 20, 40, 80, 160, 300, 300, 300, 300]
    assert done.longest == 300


def test_the_back_off_doubles_and_ends() -> None:
    clock = FakeClock()
    back_off = SharedBackOff(Pauses(), clock)
    lefts = []
    for _ in range(8):
        back_off.note_refusal()
        lefts.append(back_off.left())
    assert lefts == [5, 10, 20, 40, 80, 160, 300, 300]
    clock.time += 300
    assert back_off.left() == 0


def test_refusals_are_forgotten_by_who_comes_after_the_back_off() -> None:
    clock = FakeClock()
    back_off = SharedBackOff(Pauses(), clock)

    async def come_back() -> float:
        back_off.note_refusal()
        back_off.note_refusal()
        await back_off.wait()
        await back_off.wait()
        back_off.note_refusal()
        return back_off.left()

    assert asyncio.run(come_back()) == 5


def test_refusals_more_than_a_minute_apart_are_not_consecutive() -> None:
    clock = FakeClock()
    back_off = SharedBackOff(Pauses(), clock)
    back_off.note_refusal()
    back_off.note_refusal()
    clock.time += 60
    back_off.note_refusal()
    assert back_off.left() == 5


def test_compressed_pauses_keep_their_proportions() -> None:
    assert Pauses().compress(10) == Pauses(0.05, 0.5, 30, 6, 0.05)


def test_batches_have_sixty_segments_and_the_last_the_rest() -> None:
    assert [len(batch) for batch in gather_batches(["x"] * 130)] == [60, 60, 10]
    assert gather_batches([]) == []


def test_what_is_too_long_is_dropped_or_goes_into_another_request() -> None:
    longest, too_long = "x" * 4 * 8191, "x" * (4 * 8191 + 1)
    assert split([too_long]) == []
    assert [len(part) for part in split([longest] * 13 + ["short"])] == [12, 2]
