"""Clients that come back when they are told to: OpenAI's package, and Roo's indexing, which makes a storm of it."""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import httpx
import openai
from pytest_bdd import given, parsers, then, when

from aigateway.acceptance.target import Target
from aigateway.acceptance.watching import ASYNC_HOOKS, HOOKS
from aigateway.rehearsing.roo import Batch, Pauses, RooIndexer
from aigateway.settings.model import EndpointLimit
from steps.answers import Outcome, describe, read_retry_after
from steps.gateway import PATIENCE_SECONDS, Edges, Gateway, trust_openai
from steps.load import Flood, limit

# Roo's own waits are shortened by this, which makes its storm the fiercer. OpenAI's package in it waits in earnest.
_COMPRESSED = 10


@given(
    parsers.parse(
        "a gateway that takes {burst:d} requests of a client at once, and {refill:d} more each second"
    ),
    target_fixture="gateway",
)
def _(edges: Edges, target: Target, burst: int, refill: int) -> Gateway:
    limits = EndpointLimit(requests_per_minute=burst + 60 * refill, burst=burst, parallel=50, queue=100)
    return edges.start(limit(target.settings, limits))


@dataclass(frozen=True)
class Try:
    """One of the requests that a client made for an answer; when it was sent and answered, of the monotonic clock."""

    sent: float
    answered: float
    outcome: Outcome


@dataclass
class NotingClient:
    """OpenAI's package as it comes, which tries again by itself, and a note of each of its tries."""

    gateway: Gateway
    retries: int = openai.DEFAULT_MAX_RETRIES
    tries: list[Try] = field(default_factory=list)

    def __enter__(self) -> openai.OpenAI:
        self._client = openai.OpenAI(
            base_url=f"{self.gateway.base_url}/v1",
            api_key=self.gateway.key,
            max_retries=self.retries,
            timeout=PATIENCE_SECONDS,
            http_client=openai.DefaultHttpxClient(
                verify=trust_openai(),
                event_hooks={
                    "request": [*HOOKS["request"], self._note_start],
                    "response": [*HOOKS["response"], self._note_end],
                },
            ),
        )
        return self._client

    def __exit__(self, *_: object) -> None:
        self._client.close()

    async def __aenter__(self) -> openai.AsyncOpenAI:
        self._async_client = openai.AsyncOpenAI(
            base_url=f"{self.gateway.base_url}/v1",
            api_key=self.gateway.key,
            max_retries=self.retries,
            timeout=PATIENCE_SECONDS,
            http_client=openai.DefaultAsyncHttpxClient(
                verify=trust_openai(),
                event_hooks={
                    "request": [*ASYNC_HOOKS["request"], self._note_async_start],
                    "response": [*ASYNC_HOOKS["response"], self._note_async_end],
                },
            ),
        )
        return self._async_client

    async def __aexit__(self, *_: object) -> None:
        await self._async_client.close()

    # Requests and responses are those of the HTTP library that the package has chosen.

    async def _note_async_start(self, request: Any) -> None:
        self._note_start(request)

    async def _note_async_end(self, response: Any) -> None:
        self._note(response, await response.aread())

    def _note_start(self, request: Any) -> None:
        request.extensions["sent"] = time.monotonic()

    def _note_end(self, response: Any) -> None:
        self._note(response, response.read())

    def _note(self, response: Any, content: bytes) -> None:
        sent, now = response.request.extensions["sent"], time.monotonic()
        answer = httpx.Response(response.status_code, headers=response.headers.multi_items(), content=content)
        self.tries.append(Try(sent, now, describe(answer, now - sent)))


# --- OpenAI's package


@dataclass(frozen=True)
class Asked:
    """What an assistant got, and the tries that it took."""

    answer: str
    tries: tuple[Try, ...]


@when(
    parsers.parse(
        "{count:d} assistants ask at once with OpenAI's package, which tries again {retries:d} time"
    ),
    target_fixture="asked",
)
def _(gateway: Gateway, marker: str, count: int, retries: int) -> list[Asked]:
    # Clients take a while to make, in which the first one's place would have come back.
    all_made = threading.Barrier(count, timeout=PATIENCE_SECONDS)

    def ask(_: int) -> Asked:
        noting = NotingClient(gateway, retries)
        with noting as client:
            # The package loads what it has for responses when that is first named.
            create = client.responses.create
            all_made.wait()
            response = create(
                model=gateway.settings.azure.responses.model, input=f"Reply with exactly: {marker}"
            )
        return Asked(response.output_text, tuple(noting.tries))

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(ask, range(count)))


@then("every assistant gets its answer")
def _(asked: list[Asked], marker: str) -> None:
    assert [one.answer for one in asked] == [marker] * len(asked)


@then("who was refused came back when the refusal had said, and not before")
def _(asked: list[Asked]) -> None:
    returned = [one.tries for one in asked if len(one.tries) > 1]
    assert returned, "nobody was refused"
    for first, second in returned:
        assert first.outcome.status == 429
        # Left to itself the package comes back within half a second.
        assert second.sent - first.answered >= read_retry_after(first.outcome) >= 1


# --- Roo


@dataclass(frozen=True)
class Storm(Flood):
    """What Roo's indexing sent, every try of it, and how many vectors it got for each batch in the end."""

    vectors: tuple[int, ...]


@when(
    parsers.parse("Roo indexes {count:d} batches of 60 segments, 10 at once, and tries again as it does"),
    target_fixture="flood",
)
def _(gateway: Gateway, segments: list[str], count: int) -> Storm:
    began = time.monotonic()
    noting = NotingClient(gateway)

    async def index() -> list[Batch]:
        async with noting as client:
            roo = RooIndexer(client, gateway.settings.azure.embeddings.model, Pauses().compress(_COMPRESSED))
            return await roo.index([segments] * count)

    batches = asyncio.run(index())
    return Storm(began, tuple(one.outcome for one in noting.tries), tuple(batch.vectors for batch in batches))


@then("every batch has its vectors in the end")
def _(flood: Storm, segments: list[str]) -> None:
    assert set(flood.vectors) == {len(segments)}


@then("the storm met the limit, and was never told anything but to come back")
def _(flood: Storm) -> None:
    assert flood.refused, "the storm met no limit"
    assert {outcome.status for outcome in flood.refused} == {429}
