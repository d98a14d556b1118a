"""What the simulated Azure received, and how it answered: the evidence that the steps assert on."""

from __future__ import annotations

import json
import time
from collections import Counter, defaultdict, deque
from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter
from pydantic.dataclasses import dataclass

from aigateway.simulator.faults import Operation

# The oldest records go when the bodies kept exceed this: a load test must not fill the machine's memory.
_KEPT_BODY_BYTES = 32 * 1024 * 1024
_KEPT_RECORDS = 10_000
_MASK = "***"
_SECRET_HEADERS = frozenset({"api-key", "authorization", "ocp-apim-subscription-key"})


@dataclass(frozen=True)
class RecordedRequest:
    """One request. `arrived` is the machine's monotonic clock (the same in every process), `arrived_at` Unix
    time; `duration` is in seconds; `status` and `duration` are None while it is being answered. `fault`
    names the fault that it took. Header names are in lower case; keys are masked, `key_ok` says whether the
    key was right."""

    number: int
    arrived: float
    arrived_at: float
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    key_ok: bool
    body: Any
    operation: Operation
    status: int | None
    finished: bool
    disconnected: bool
    duration: float | None
    fault: str | None


RECORDS_JSON: TypeAdapter[list[RecordedRequest]] = TypeAdapter(list[RecordedRequest])


class Entry:
    """A record while it is being written. `trail` holds the raw bodies that markers are looked for in."""

    def __init__(
        self,
        number: int,
        operation: Operation,
        method: str,
        path: str,
        query: dict[str, str],
        headers: list[tuple[bytes, bytes]],
    ) -> None:
        self.number = number
        self.arrived = time.monotonic()
        self.arrived_at = time.time()
        self.method = method
        self.path = path
        self.query = query
        self.raw_headers = headers
        self.key_ok = False
        self.operation = operation
        self.status: int | None = None
        self.finished = False
        self.disconnected = False
        self.duration: float | None = None
        self.fault: str | None = None
        self.trail: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The request's own body as it came."""
        return self.trail[0] if self.trail else ""

    def marked(self, marker: str) -> bool:
        """Whether this request, or one that it continues or reads, carries the marker."""
        return any(marker in text for text in self.trail)

    def freeze(self) -> RecordedRequest:
        return RecordedRequest(
            number=self.number,
            arrived=self.arrived,
            arrived_at=self.arrived_at,
            method=self.method,
            path=self.path,
            query=self.query,
            headers=mask(
                {name.decode("latin-1"): value.decode("latin-1") for name, value in self.raw_headers}
            ),
            key_ok=self.key_ok,
            body=_parsed(self.text),
            operation=self.operation,
            status=self.status,
            finished=self.finished,
            disconnected=self.disconnected,
            duration=self.duration,
            fault=self.fault,
        )


def mask(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers without the value of any key."""
    return {name: _MASK if name in _SECRET_HEADERS else value for name, value in headers.items()}


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


class Ledger:
    """All requests in the order of arrival, and how many of each operation were open at once at most."""

    def __init__(self) -> None:
        self._entries: deque[Entry] = deque()
        self._bytes = 0
        self._count = 0
        self._open: Counter[Operation] = Counter()
        self._peak: Counter[Operation] = Counter()
        self._answers: dict[Operation, Counter[int]] = defaultdict(Counter)
        self.dropped = 0

    def open(
        self,
        operation: Operation,
        method: str,
        path: str,
        query: dict[str, str],
        headers: list[tuple[bytes, bytes]],
    ) -> Entry:
        """Start the record of a request whose body is still to come."""
        self._count += 1
        entry = Entry(self._count, operation, method, path, query, headers)
        self._entries.append(entry)
        return entry

    def begin(self, entry: Entry, text: str) -> None:
        """Note the request's body."""
        entry.trail = (text,)
        self._bytes += len(text)
        self._open[entry.operation] += 1
        self._peak[entry.operation] = max(self._peak[entry.operation], self._open[entry.operation])
        while len(self._entries) > _KEPT_RECORDS or (
            self._bytes > _KEPT_BODY_BYTES and len(self._entries) > 1
        ):
            self._bytes -= len(self._entries.popleft().text)
            self.dropped += 1

    def close(self, entry: Entry) -> None:
        entry.duration = time.monotonic() - entry.arrived
        if entry.trail:
            self._open[entry.operation] -= 1
        if entry.status is not None:
            self._answers[entry.operation][entry.status] += 1

    def find(self, marker: str | None, operation: Operation | None) -> list[RecordedRequest]:
        return [
            entry.freeze()
            for entry in self._entries
            if (marker is None or entry.marked(marker)) and operation in (None, entry.operation)
        ]

    def peak_parallel(self, operation: Operation | None) -> int:
        """The most requests of one operation open at once; None: the highest of all operations."""
        return max(self._peak.values(), default=0) if operation is None else self._peak[operation]

    def tally(self, operation: Operation) -> dict[int, int]:
        """How many requests of one operation got each status: all of them, also those whose record went."""
        return dict(self._answers[operation])

    def clear(self, marker: str | None) -> None:
        """Forget the requests of one marker, or everything, peaks and tallies included."""
        if marker is not None:
            self._entries = deque(entry for entry in self._entries if not entry.marked(marker))
        else:
            self._entries.clear()
            self._peak = self._open.copy()
            self._answers.clear()
            self.dropped = 0
        self._bytes = sum(len(entry.text) for entry in self._entries)
