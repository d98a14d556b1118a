"""Roo's indexing as a client: what it sends, how often it tries, and how long it waits.

From Roo Code 3.52.1, src/services/code-index: embedders/openai-compatible.ts, processors/scanner.ts, constants.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, fields
from typing import Protocol

import openai

from aigateway.rehearsing.segments import estimate_tokens

#: Segments in a request, requests at once.
BATCH_SEGMENTS = 60
BATCHES_AT_ONCE = 10

#: Attempts that the embedder makes on 429 alone, and that the scanner makes around it whatever went wrong. Each is a
#: call of OpenAI's package, which tries again by itself.
ATTEMPTS = 3
SCANNER_ATTEMPTS = 3

#: Roo drops what is longer, and begins another request when one would be; estimated tokens.
MOST_ITEM_TOKENS = 8191
MOST_BATCH_TOKENS = 100_000

#: Indexing that lost a larger share of its segments is given up, and the collection cleared (orchestrator.ts).
MOST_FAILED_SHARE = 0.1


@dataclass(frozen=True)
class Pauses:
    """How long Roo waits; seconds. The first, second … wait of each kind is twice as long as the one before."""

    after_refusal: float = 0.5
    shared: float = 5.0
    shared_most: float = 300.0
    #: Refusals that are no further apart count as consecutive.
    consecutive_within: float = 60.0
    scanner: float = 0.5

    def compress(self, by: float) -> Pauses:
        """All of them shorter."""
        return Pauses(**{one.name: getattr(self, one.name) / by for one in fields(self)})


class Clock(Protocol):
    """Tells seconds and lets them pass."""

    def now(self) -> float: ...

    async def sleep(self, seconds: float) -> None: ...


class RealClock:
    """The monotonic clock."""

    def now(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


@dataclass
class SharedBackOff:
    """The wait that one refused request lays on all: each further refusal doubles it, ten at once also.

    When it is over, whoever comes first forgets the refusals.
    """

    pauses: Pauses
    clock: Clock
    longest: float = 0.0
    _refusals: int = 0
    _active: bool = False
    _ends: float = 0.0
    _refused: float = field(default=float("-inf"))

    def left(self) -> float:
        """Seconds that it still lasts."""
        return max(0.0, self._ends - self.clock.now()) if self._active else 0.0

    def note_refusal(self) -> None:
        """A request met 429 and the package's own retries did not help."""
        now = self.clock.now()
        recent = now - self._refused < self.pauses.consecutive_within
        self._refusals = self._refusals + 1 if recent else 1
        self._refused = now
        pause = min(self.pauses.shared * 2.0 ** (self._refusals - 1), self.pauses.shared_most)
        self._active = True
        self._ends = now + pause
        self.longest = max(self.longest, pause)

    async def wait(self) -> None:
        """Wait for its end as it is now; Roo does not look again whether it was prolonged meanwhile."""
        if left := self.left():
            await self.clock.sleep(left)
        elif self._active:
            self._active = False
            self._refusals = 0


@dataclass(frozen=True)
class Batch:
    """How a batch ended: with a vector for each segment or, after all attempts, with an error."""

    segments: int
    tokens: int
    vectors: int
    ended: float
    error: str = ""


class RooIndexer:
    """Sends segments to `model` through `client`, OpenAI's package with its own retries; as one window of Roo does."""

    def __init__(
        self, client: openai.AsyncOpenAI, model: str, pauses: Pauses | None = None, clock: Clock | None = None
    ) -> None:
        self._client = client
        self._model = model
        self._pauses = pauses or Pauses()
        self._clock = clock or RealClock()
        self.back_off = SharedBackOff(self._pauses, self._clock)

    async def validate(self) -> None:
        """Ask for one vector, as Roo does before it indexes; what goes wrong is raised, and ends its indexing."""
        await self._ask(["test"])

    async def index(
        self, batches: Iterable[Sequence[str]], note: Callable[[Batch], None] = lambda _batch: None
    ) -> list[Batch]:
        """Send the batches, ten at once, and tell of each when it has ended; returns them in the order of `batches`."""
        waiting = enumerate(batches)
        ended: dict[int, Batch] = {}

        async def work() -> None:
            # All workers share one iterator.
            for number, texts in waiting:
                ended[number] = await self._embed(texts)
                note(ended[number])

        async with asyncio.TaskGroup() as group:
            for _ in range(BATCHES_AT_ONCE):
                group.create_task(work())
        return [ended[number] for number in sorted(ended)]

    async def _embed(self, texts: Sequence[str]) -> Batch:
        """One batch with all attempts of the scanner."""
        tokens = sum(map(estimate_tokens, texts))
        error = ""
        for attempt in range(SCANNER_ATTEMPTS):
            if attempt:
                await self._clock.sleep(self._pauses.scanner * 2 ** (attempt - 1))
            try:
                vectors = [await self._ask_patiently(part) for part in split(texts)]
            except openai.APIError as failure:
                error = describe(failure)
            else:
                return Batch(len(texts), tokens, sum(vectors), self._clock.now())
        return Batch(len(texts), tokens, 0, self._clock.now(), error)

    async def _ask_patiently(self, texts: Sequence[str]) -> int:
        """The embedder's attempts, on 429 alone."""
        for attempt in range(ATTEMPTS - 1):
            await self.back_off.wait()
            try:
                return await self._ask(texts)
            except openai.RateLimitError:
                self.back_off.note_refusal()
                await self._clock.sleep(max(self._pauses.after_refusal * 2**attempt, self.back_off.left()))
        await self.back_off.wait()
        try:
            return await self._ask(texts)
        except openai.RateLimitError:
            self.back_off.note_refusal()
            raise

    async def _ask(self, texts: Sequence[str]) -> int:
        # With encoding_format given, the package sends just these three fields, and leaves the vectors as they come.
        answer = await self._client.embeddings.create(
            input=list(texts), model=self._model, encoding_format="base64"
        )
        return len(answer.data)


def split(texts: Sequence[str]) -> list[list[str]]:
    """The requests that a batch is sent in: as a rule one. What is too long for any is dropped."""
    parts: list[list[str]] = []
    room = 0
    for text in texts:
        tokens = estimate_tokens(text)
        if tokens > MOST_ITEM_TOKENS:
            continue
        if tokens > room:
            parts.append([])
            room = MOST_BATCH_TOKENS
        parts[-1].append(text)
        room -= tokens
    return parts


def describe(failure: openai.APIError) -> str:
    """What went wrong, in a line: the status and what the answer says, or why there was none."""
    if isinstance(failure, openai.APIStatusError):
        body = failure.body if isinstance(failure.body, dict) else {}
        message = body.get("message") or failure.message
        return f"{failure.status_code}: {message}"
    return f"no answer: {failure.message}"


def gather_batches(segments: Sequence[str]) -> list[Sequence[str]]:
    """The segments in batches; the last one may be smaller."""
    return [segments[start : start + BATCH_SEGMENTS] for start in range(0, len(segments), BATCH_SEGMENTS)]
