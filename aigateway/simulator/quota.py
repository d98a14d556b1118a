"""Azure's quota: requests and tokens of one deployment over a sliding window, answered with 429 when it is
full."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from aigateway.simulator.config import Quota

# What a deployment without a scripted quota reports in its headers: more than any scenario uses.
_UNLIMITED = 1_000_000


@dataclass(frozen=True)
class Exceeded:
    """The budget is used up: which one, and in how many seconds there is room again."""

    limit: Literal["call", "token"]
    seconds: float


class Meter:
    """Counts one deployment's use of its quota."""

    def __init__(self, quota: Quota | None, clock: Callable[[], float] = time.monotonic) -> None:
        self.quota = quota or Quota()
        self._clock = clock
        self._used: deque[tuple[float, int]] = deque()
        self._tokens = 0

    def charge(self, tokens: int) -> Exceeded | None:
        """Take one request of so many tokens from the budget, or say why not; a refused request costs
        nothing."""
        now = self._clock()
        self._forget(now)
        quota = self.quota
        if quota.requests_per_minute is not None and len(self._used) >= quota.requests_per_minute:
            return Exceeded("call", self._room_after(now))
        if quota.tokens_per_minute is not None and self._tokens + tokens > quota.tokens_per_minute:
            return Exceeded("token", self._room_after(now))
        if quota.requests_per_minute is not None or quota.tokens_per_minute is not None:
            self._used.append((now, tokens))
            self._tokens += tokens
        return None

    def headers(self) -> dict[str, str]:
        """The names that Azure really sends (github.com/openai/openai-dotnet/issues/838,
        EvolvingPrograms/oaib/issues/11)."""
        requests = _UNLIMITED if self.quota.requests_per_minute is None else self.quota.requests_per_minute
        tokens = _UNLIMITED if self.quota.tokens_per_minute is None else self.quota.tokens_per_minute
        return {
            "x-ratelimit-limit-requests": str(requests),
            "x-ratelimit-limit-tokens": str(tokens),
            "x-ratelimit-remaining-requests": str(max(0, requests - len(self._used))),
            "x-ratelimit-remaining-tokens": str(max(0, tokens - self._tokens)),
        }

    def _forget(self, now: float) -> None:
        while self._used and self._used[0][0] <= now - self.quota.window_seconds:
            self._tokens -= self._used.popleft()[1]

    def _room_after(self, now: float) -> float:
        if not self._used:
            return self.quota.window_seconds
        return self._used[0][0] + self.quota.window_seconds - now
