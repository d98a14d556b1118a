"""Clients that come back when they are told to: OpenAI's package, and Roo's indexing, which makes a storm of it."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

import httpx
import openai
from pytest_bdd import given, parsers, then, when

from aigateway.acceptance.target import Target
from aigateway.acceptance.watching import HOOKS
from aigateway.settings.model import EndpointLimit
from aigateway.waiting import wait_until
from steps.answers import Outcome, describe, read_retry_after
from steps.gateway import PATIENCE_SECONDS, Edges, Gateway
from steps.load import Flood, limit

# Roo's own waits are shortened by this, which makes its storm the fiercer. OpenAI's package in it waits in earnest.
_COMPRESSED = 10

_AT_ONCE = 10
_ROOS_ATTEMPTS = 3
_SCANNERS_ATTEMPTS = 3
_FIRST_WAIT_SECONDS = 0.5 / _COMPRESSED
_FIRST_SHARED_WAIT_SECONDS = 5.0 / _COMPRESSED
_SCANNERS_FIRST_WAIT_SECONDS = 1.0 / _COMPRESSED


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
                event_hooks={
                    "request": [*HOOKS["request"], self._note_start],
                    "response": [*HOOKS["response"], self._note_end],
                }
            ),
        )
        return self._client

    def __exit__(self, *_: object) -> None:
        self._client.close()

    # Requests and responses are those of the HTTP library that the package has chosen.

    def _note_start(self, request: Any) -> None:
        request.extensions["sent"] = time.monotonic()

    def _note_end(self, response: Any) -> None:
        content = response.read()
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
    def ask(_: int) -> Asked:
        noting = NotingClient(gateway, retries)
        with noting as client:
            response = client.responses.create(
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


class RoosIndexing:
    """Roo's retries, on 429 alone, around those of OpenAI's package; all its batches wait while one of them has to.

    From Roo Code 3.52.1: src/services/code-index/embedders/openai-compatible.ts, processors/scanner.ts.
    """

    def __init__(self, client: openai.OpenAI, model: str) -> None:
        self._client = client
        self._model = model
        self._lock = Lock()
        self._refusals = 0
        self._free_at = 0.0

    def embed(self, segments: list[str]) -> int:
        """The number of vectors that came for a batch; 0 when Roo gave it up."""
        for attempt in range(_SCANNERS_ATTEMPTS):
            try:
                return self._embed(segments)
            except openai.RateLimitError:
                self._wait(_SCANNERS_FIRST_WAIT_SECONDS * 2**attempt)
        return 0

    def _embed(self, segments: list[str]) -> int:
        for attempt in range(_ROOS_ATTEMPTS - 1):
            self._wait(0)
            try:
                return self._ask(segments)
            except openai.RateLimitError:
                self._hold_back()
                self._wait(_FIRST_WAIT_SECONDS * 2**attempt)
        return self._ask(segments)

    def _ask(self, segments: list[str]) -> int:
        answer = self._client.embeddings.create(input=segments, model=self._model, encoding_format="base64")
        return len(answer.data)

    def _hold_back(self) -> None:
        with self._lock:
            pause = _FIRST_SHARED_WAIT_SECONDS * 2**self._refusals
            self._refusals += 1
            self._free_at = max(self._free_at, time.monotonic() + pause)

    def _wait(self, seconds: float) -> None:
        """Wait so long, and as long as all have to."""
        end = time.monotonic() + seconds
        wait_until(lambda: time.monotonic() >= max(end, self._free_at), seconds=PATIENCE_SECONDS)


@when(
    parsers.parse("Roo indexes {count:d} batches of 60 segments, 10 at once, and tries again as it does"),
    target_fixture="flood",
)
def _(gateway: Gateway, segments: list[str], count: int) -> Storm:
    began = time.monotonic()
    noting = NotingClient(gateway)
    with noting as client, ThreadPoolExecutor(_AT_ONCE) as pool:
        roo = RoosIndexing(client, gateway.settings.azure.embeddings.model)
        vectors = tuple(pool.map(roo.embed, [segments] * count))
    return Storm(began, tuple(one.outcome for one in noting.tries), vectors)


@then("every batch has its vectors in the end")
def _(flood: Storm, segments: list[str]) -> None:
    assert set(flood.vectors) == {len(segments)}


@then("the storm met the limit, and was never told anything but to come back")
def _(flood: Storm) -> None:
    assert flood.refused, "the storm met no limit"
    assert {outcome.status for outcome in flood.refused} == {429}
