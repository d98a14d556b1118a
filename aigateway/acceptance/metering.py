"""Counts the tokens that a scenario's requests cost, and sends none that the run's budget might not cover.

Nor any faster than the run's pace allows.

Whatever sends requests to the gateway is metered: httpx's and OpenAI's clients by `METER.hooks`, all else by
`METER.charge`. Before a request is sent as much is reserved as it can cost at most; when its answer has come, that is
replaced with what the answer says it cost. An answer that does not say so counts as the most, unless it is a refusal.
What the model's own tools (web_search) read cannot be known before: it is counted, not reserved.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import httpx2
import pytest

from aigateway.acceptance.budget import Budget, BudgetSpentError
from aigateway.acceptance.pacing import Pace

#: What gpt-5.3-codex takes and gives at most; a smaller model, less.
MOST_INPUT_TOKENS = 272_000
MOST_OUTPUT_TOKENS = 128_000
MOST_TOKENS = MOST_INPUT_TOKENS + MOST_OUTPUT_TOKENS

_CHARGE = "aigateway_charge"
_OUTPUT_LIMITS = ("max_output_tokens", "max_completion_tokens", "max_tokens")

# What Azure has worked on may have cost something, though the client got an error.
_TIMED_OUT = 408

Request = httpx.Request | httpx2.Request
Response = httpx.Response | httpx2.Response
Hooks = dict[str, list[Callable[..., Any]]]


def estimate_most(path: str, body: bytes, said_before: int) -> int:
    """The most tokens that a request can cost; `said_before` is what a conversation that it goes on with has cost."""
    # A token is at least a byte.
    tokens = len(body) + (said_before if b"previous_response_id" in body or b"item_reference" in body else 0)
    if "embeddings" in path:
        return tokens
    return min(tokens, MOST_INPUT_TOKENS) + _find_output_limit(body)


def find_address(base_url: str) -> str:
    """A gateway's host and port, in the form in which a meter is told of them."""
    return httpx.URL(base_url).netloc.decode()


def _find_output_limit(body: bytes) -> int:
    try:
        content = json.loads(body)
        limits = [content.get(name) for name in _OUTPUT_LIMITS]
    except (ValueError, AttributeError, RecursionError):
        limits = []
    return min([limit for limit in limits if isinstance(limit, int) and limit > 0] + [MOST_OUTPUT_TOKENS])


def read_usage(answer: bytes) -> int | None:
    """What an answer, streamed or not, says it has cost in all; nothing when it does not say."""
    events = (line[5:] for line in reversed(answer.splitlines()) if line.startswith(b"data:"))
    for piece in (answer, *events):
        with contextlib.suppress(ValueError, LookupError, TypeError, AttributeError, RecursionError):
            content = json.loads(piece)
            usage = content.get("usage") or content["response"]["usage"]
            return int(usage["total_tokens"])
    return None


@dataclass(frozen=True, eq=False)
class Charge:
    """What one request costs: at first the most that it can."""

    meter: Meter
    most: int

    def settle(self, status: int = 0, answer: bytes = b"") -> None:
        """Say how the request was answered; by default, not at all. Only the first time counts."""
        refused = 300 <= status < 500 and status != _TIMED_OUT
        told = read_usage(answer)
        self.meter.settle(self, told if told is not None else 0 if refused else self.most)


class Meter:
    """Counts for the scenario that this process runs now, on whichever thread its requests are sent."""

    def __init__(self) -> None:
        self._budget: Budget | None = None
        self._pace: Pace | None = None
        self._paced = ""
        self._lock = threading.Lock()
        self._open: set[Charge] = set()
        self._spent = 0

    def use(self, budget: Budget | None, pace: Pace | None = None) -> None:
        """Keep within `budget` from now on, and to `pace` where it is aimed; each where there is one."""
        self._budget = budget
        self._pace = pace

    def aim(self, base_url: str) -> None:
        """Have requests to this gateway wait for their turn, and to no other: a flood is no flood if it waits."""
        self._paced = find_address(base_url)

    def begin(self) -> None:
        """A scenario begins."""
        self._spent = 0

    def finish(self) -> int:
        """What the scenario has cost so far; what was not answered, as much as it can have cost."""
        with self._lock:
            unanswered = tuple(self._open)
        for charge in unanswered:
            charge.settle()
        return self._spent

    def charge(self, address: str, method: str, path: str, body: bytes) -> Charge:
        """To be called before a request is sent to the gateway with this host and port.

        Skips the scenario when the budget does not cover it.
        """
        self._keep_pace(address, method, path)
        costs = self._budget and method == "POST"
        return self.reserve(estimate_most(path, body, self._spent) if costs else 0)

    def reserve(self, most: int) -> Charge:
        """The same, where it is not known what will be sent, but how much it can cost."""
        if self._budget:
            try:
                self._budget.reserve(most)
            except BudgetSpentError as error:
                pytest.skip(str(error))
        charge = Charge(self, most if self._budget else 0)
        with self._lock:
            self._open.add(charge)
        return charge

    def _keep_pace(self, address: str, method: str, path: str) -> None:
        if self._pace and address == self._paced:
            self._pace.wait_for_turn(address, method, path)

    def settle(self, charge: Charge, spent: int) -> None:
        """Called by the charge."""
        with self._lock:
            if charge not in self._open:
                return
            self._open.remove(charge)
            self._spent += spent
        if self._budget:
            self._budget.settle(charge.most, spent)

    @property
    def hooks(self) -> Hooks:
        """The event hooks of a client that is to be metered."""
        return {"request": [self._note_request], "response": [_watch]}

    @property
    def async_hooks(self) -> Hooks:
        """The same, of an asynchronous client."""

        async def note_request(request: Request) -> None:
            await asyncio.to_thread(self._note_request, request)

        async def watch(response: Response) -> None:
            _watch(response)

        return {"request": [note_request], "response": [watch]}

    def _note_request(self, request: Request) -> None:
        address, method, path = request.url.netloc.decode(), request.method, request.url.path
        if method != "POST":
            # Costs nothing, though its answer may say what an earlier one has cost.
            self._keep_pace(address, method, path)
            return
        charge = self.charge(address, method, path, request.read())
        request.extensions = {**request.extensions, _CHARGE: charge}


#: One for each process: it runs a scenario at a time.
METER = Meter()


def _watch(response: Response) -> None:
    charge = response.request.extensions.get(_CHARGE)
    if charge:
        stream: Any = _Watched(response, charge)
        response.stream = stream


class _Watched(httpx.SyncByteStream, httpx.AsyncByteStream, httpx2.SyncByteStream, httpx2.AsyncByteStream):
    """An answer's body, which settles a charge when it has been read, or nobody wants more of it."""

    def __init__(self, response: Response, charge: Charge) -> None:
        self._stream: Any = response.stream
        self._response = response
        self._charge = charge
        self._pieces: list[bytes] = []

    def __iter__(self) -> Iterator[bytes]:
        for piece in self._stream:
            self._pieces.append(piece)
            yield piece

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for piece in self._stream:
            self._pieces.append(piece)
            yield piece

    def close(self) -> None:
        self._settle()
        self._stream.close()

    async def aclose(self) -> None:
        self._settle()
        await self._stream.aclose()

    def _settle(self) -> None:
        answer = b"".join(self._pieces)
        encoding = self._response.headers.get("content-encoding")
        if encoding:
            with contextlib.suppress(httpx.DecodingError):
                answer = httpx.Response(200, headers={"content-encoding": encoding}, content=answer).content
        self._charge.settle(self._response.status_code, answer)
