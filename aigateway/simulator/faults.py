"""What can go wrong at Azure, as typed values that a scenario scripts.

Each fault is for one operation (or any) and for the next `times` requests, or, with `for_seconds`, for every
request of a time window that starts when it is injected. The queue gives one fault to a request, the oldest
that fits.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import field
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter
from pydantic.dataclasses import dataclass

Operation = Literal["responses", "stored_response", "compact", "embeddings", "chat", "other"]


@dataclass(frozen=True, kw_only=True)
class Scope:
    """Which requests a fault is for."""

    operation: Operation | Literal["any"] = "any"
    times: int = Field(default=1, ge=1, kw_only=True)
    for_seconds: float | None = Field(default=None, gt=0, kw_only=True)


@dataclass(frozen=True)
class Throttled(Scope):
    """429 in one of Azure's dialects: `retry-after` in seconds, `retry-after-ms`, both, or neither."""

    retry_after: float | None = 1.0
    dialect: Literal["seconds", "milliseconds", "both", "none"] = "seconds"
    kind: Literal["throttled"] = field(default="throttled", kw_only=True)


@dataclass(frozen=True)
class Failing(Scope):
    """A status with Azure's body for it; `echo_prompt` repeats the prompt in the message, as Azure may."""

    status: int = Field(default=500, ge=400, le=599)
    echo_prompt: bool = False
    retry_after: float | None = None
    kind: Literal["failing"] = field(default="failing", kw_only=True)


@dataclass(frozen=True)
class Filtered(Scope):
    """400 of Azure's content filter, which did not like the prompt."""

    kind: Literal["filtered"] = field(default="filtered", kw_only=True)


@dataclass(frozen=True)
class SlowFirstByte(Scope):
    """Nothing at all for some seconds, then the usual answer."""

    seconds: float = 1.0
    kind: Literal["slow_first_byte"] = field(default="slow_first_byte", kw_only=True)


@dataclass(frozen=True)
class SilentStream(Scope):
    """A stream that falls silent after some events, then goes on. Only streamed requests take it."""

    after_events: int = 3
    seconds: float = 1.0
    kind: Literal["silent_stream"] = field(default="silent_stream", kw_only=True)


@dataclass(frozen=True)
class CutStream(Scope):
    """A stream that ends after some events, and some seconds: its connection is closed or, `cleanly`, the answer
    ends as a whole one would. Only streamed requests take it."""

    after_events: int = 3
    seconds: float = 0.0
    cleanly: bool = False
    kind: Literal["cut_stream"] = field(default="cut_stream", kw_only=True)


@dataclass(frozen=True)
class FailedStream(Scope):
    """`response.failed` inside a 200, before or after the first output. Only streamed requests take it."""

    after_output: bool = False
    code: Literal["server_error", "rate_limit_exceeded"] = "server_error"
    kind: Literal["failed_stream"] = field(default="failed_stream", kw_only=True)


@dataclass(frozen=True)
class MalformedBody(Scope):
    """A 200 whose body is cut-off JSON or, streamed, one of whose events is, by default the second."""

    event: int = 1
    kind: Literal["malformed_body"] = field(default="malformed_body", kw_only=True)


@dataclass(frozen=True)
class CutBody(Scope):
    """An answer of which half arrives before the connection is closed. Streamed requests do not take it."""

    kind: Literal["cut_body"] = field(default="cut_body", kw_only=True)


@dataclass(frozen=True)
class EmptyBody(Scope):
    """A 200 with nothing in it."""

    kind: Literal["empty_body"] = field(default="empty_body", kw_only=True)


@dataclass(frozen=True)
class WebPage(Scope):
    """A 200 that is a web page, as a proxy on the way may answer."""

    kind: Literal["web_page"] = field(default="web_page", kw_only=True)


@dataclass(frozen=True)
class HungUp(Scope):
    """The connection is closed with no answer."""

    kind: Literal["hung_up"] = field(default="hung_up", kw_only=True)


@dataclass(frozen=True)
class Refused(Scope):
    """The data listener is closed for some seconds, for everybody: connections are refused."""

    seconds: float = Field(default=1.0, gt=0)
    kind: Literal["refused"] = field(default="refused", kw_only=True)


StreamFault = SilentStream | CutStream | FailedStream
Fault = (
    Throttled
    | Failing
    | Filtered
    | SlowFirstByte
    | StreamFault
    | MalformedBody
    | CutBody
    | EmptyBody
    | WebPage
    | HungUp
    | Refused
)
FAULT_JSON: TypeAdapter[Fault] = TypeAdapter(Annotated[Fault, Field(discriminator="kind")])


class _Scripted:
    """One fault that waits for its requests."""

    def __init__(self, fault: Fault, marker: str | None, now: float) -> None:
        self.fault = fault
        self.marker = marker
        self.left = fault.times
        self.until = None if fault.for_seconds is None else now + fault.for_seconds

    def spent(self, now: float) -> bool:
        return self.left == 0 if self.until is None else now >= self.until

    def fits(self, operation: Operation, streamed: bool, marked: Callable[[str], bool]) -> bool:
        if self.fault.operation not in ("any", operation):
            return False
        if isinstance(self.fault, CutBody if streamed else StreamFault):
            return False
        return self.marker is None or marked(self.marker)


class FaultQueue:
    """The faults that are still to happen. All on one event loop and without an await: taking is atomic."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._waiting: list[_Scripted] = []

    def add(self, fault: Fault, marker: str | None) -> None:
        self._waiting.append(_Scripted(fault, marker, self._clock()))

    def take(self, operation: Operation, *, streamed: bool, marked: Callable[[str], bool]) -> Fault | None:
        """The oldest fault for this request; `marked` says whether the request carries a marker."""
        if not self._waiting:
            return None
        now = self._clock()
        self._waiting = [waiting for waiting in self._waiting if not waiting.spent(now)]
        for waiting in self._waiting:
            if waiting.fits(operation, streamed, marked):
                waiting.left -= 1
                return waiting.fault
        return None

    def clear(self, marker: str | None) -> None:
        """Forget the faults of one marker, or all."""
        self._waiting = [] if marker is None else [w for w in self._waiting if w.marker != marker]
