"""Keeps what the scenario that runs in this process does, within bounds, and changes nothing of it.

Clients of httpx and of OpenAI are recorded by the event hooks of `RECORDER`, all else by `RECORDER.begin_exchange`.
Streams are looked at as they pass by: nobody waits for a piece that the client has not asked for.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import httpx
import httpx2

from aigateway.acceptance.records import End, Excerpt, Exchange, Injection, Message, Origin, Record, Step
from aigateway.acceptance.redaction import hide_lines, hide_values
from aigateway.simulator.control import SimulatorControl
from aigateway.simulator.faults import FAULT_JSON, Fault

_HEAD_BYTES = 2048
_TAIL_BYTES = 1024

# Of exchanges that are alike in method, path and status, and of all together, so many are kept with headers and bodies.
_MOST_ALIKE = 3
_MOST_DETAILED = 24

# Past these, exchanges and faults are only counted.
_MOST_EXCHANGES = 2000
_MOST_INJECTIONS = 200

_OPEN = "aigateway_exchange"
_REQUEST_ID = "x-request-id"

Headers = Iterable[tuple[str, str]]
Hooks = dict[str, list[Callable[..., Any]]]
Request = httpx.Request | httpx2.Request
Response = httpx.Response | httpx2.Response


class _Body:
    """The beginning and the end of what passes by."""

    def __init__(self) -> None:
        self._head = b""
        self._tail = b""
        self._size = 0

    def add(self, piece: bytes) -> None:
        self._size += len(piece)
        room = _HEAD_BYTES - len(self._head)
        self._head += piece[:room]
        if len(piece) > room:
            self._tail = (self._tail + piece[room:][-_TAIL_BYTES:])[-_TAIL_BYTES:]

    def read(self) -> Excerpt:
        whole = self._size == len(self._head) + len(self._tail)
        head, tail = (self._head + self._tail, b"") if whole else (self._head, self._tail)
        return Excerpt(
            head=head.decode(errors="replace"), tail=tail.decode(errors="replace"), size=self._size
        )


class OpenExchange:
    """An exchange that is under way; whoever carries it out says how it goes."""

    def __init__(self, scene: _Scene, method: str, path: str, headers: Headers, body: bytes) -> None:
        self._scene = scene
        self._method = method
        self._path = path
        self._started = time.monotonic()
        self._request_headers = hide_values(headers)
        self._request_body = _Body()
        self._request_body.add(body)
        self._status: int | None = None
        self._headers: tuple[tuple[str, str], ...] = ()
        self._body = _Body()
        self._first_byte: float | None = None
        self._seconds: float | None = None
        self._end: End = "none"
        self._closed = False
        self._detailed = True

    def answer(self, status: int, headers: Headers) -> None:
        """The answer has begun."""
        self._first_byte = time.monotonic() - self._started
        self._status = status
        self._headers = hide_values(headers)

    def receive(self, piece: bytes) -> None:
        """A piece of its body came."""
        self._body.add(piece)

    def answer_whole(self, status: int, headers: Headers, body: bytes) -> None:
        """The answer has come, all at once."""
        self.answer(status, headers)
        self.receive(body)
        self.finish("whole")

    def finish(self, end: End = "left") -> None:
        """It has ended; only the first time counts."""
        if self._closed:
            return
        self._closed = True
        if self._status is not None:
            self._end = end
            self._seconds = time.monotonic() - self._started
        self._close()

    def _close(self) -> None:
        """Keep what is to be kept of it."""
        self._detailed = self._scene.keeps(self._method, self._path, self._status)
        if not self._detailed:
            self._request_body = self._body = _Body()

    def read(self) -> Exchange:
        """As it stands now."""
        ids = [value for name, value in self._headers if name.lower() == _REQUEST_ID]
        return Exchange(
            method=self._method,
            path=self._path,
            started=round(self._started - self._scene.began, 4),
            status=self._status,
            end=self._end,
            first_byte_seconds=_round(self._first_byte),
            seconds=_round(self._seconds),
            request_id=ids[0] if ids else "",
            request=self._read_request() if self._detailed else None,
            response=self._read_response() if self._detailed and self._status is not None else None,
        )

    def _read_request(self) -> Message:
        return Message(headers=self._request_headers, body=self._request_body.read())

    def _read_response(self) -> Message:
        return Message(headers=self._headers, body=self._body.read())


class WireExchange(OpenExchange):
    """One of which the request is written by hand, byte by byte: it is kept as it stands."""

    def __init__(self, scene: _Scene) -> None:
        super().__init__(scene, "", "", (), b"")

    def send(self, piece: bytes) -> None:
        """A piece of the request goes out."""
        self._request_body.add(piece)

    def _close(self) -> None:
        line = self._request_body.read().head.partition("\r\n")[0]
        self._method, _, rest = line.partition(" ")
        self._path = rest.rpartition(" ")[0] or rest
        super()._close()

    def _read_request(self) -> Message:
        body = self._request_body.read()
        return Message(body=body.model_copy(update={"head": hide_lines(body.head)}))


def _round(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 4)


@dataclass
class _Timing:
    """When a step began and ended; `ended` is missing when it was left in the middle, to skip the scenario."""

    started: float
    ended: float | None = None
    failed: bool = False

    def put_on(self, step: Step, began: float) -> Step:
        started = round(self.started - began, 4)
        if self.ended is None:
            return step.model_copy(update={"started": started})
        seconds = round(self.ended - self.started, 4)
        verdict = "failed" if self.failed else "passed"
        return step.model_copy(update={"started": started, "seconds": seconds, "verdict": verdict})


class _Scene:
    """What one scenario has done so far."""

    def __init__(self) -> None:
        self.began = time.monotonic()
        self.time_of_day = time.time()
        self.exchanges: list[OpenExchange] = []
        self.more_exchanges = 0
        self.injections: list[Injection] = []
        self.more_injections = 0
        self.steps: list[_Timing] = []
        self._alike: Counter[tuple[str, str, int | None]] = Counter()
        self._lock = threading.Lock()

    def add(self, exchange: OpenExchange) -> None:
        with self._lock:
            if len(self.exchanges) < _MOST_EXCHANGES:
                self.exchanges.append(exchange)
            else:
                self.more_exchanges += 1

    def keeps(self, method: str, path: str, status: int | None) -> bool:
        """Whether one more exchange of this kind is kept with all that there is to it."""
        kind = (method, path, status)
        with self._lock:
            kept = self._alike[kind] < _MOST_ALIKE and self._alike.total() < _MOST_DETAILED
            self._alike[kind] += kept
        return kept


class Recorder:
    """Records the scenario that this process runs now, on whichever thread its requests are sent."""

    def __init__(self) -> None:
        self._scene = _Scene()

    def begin(self) -> None:
        """A scenario begins; what is still under way of the last one is no part of it."""
        self._scene = _Scene()

    def begin_step(self) -> None:
        """Its next step begins."""
        self._scene.steps.append(_Timing(time.monotonic()))

    def end_step(self, *, failed: bool) -> None:
        """The step has ended."""
        step = self._scene.steps[-1]
        step.ended, step.failed = time.monotonic(), failed

    def begin_exchange(
        self, method: str, path: str, headers: Headers = (), body: bytes = b""
    ) -> OpenExchange:
        """A request is being sent."""
        exchange = OpenExchange(self._scene, method, path, headers, body)
        self._scene.add(exchange)
        return exchange

    def begin_wire(self) -> WireExchange:
        """Bytes are being sent that may be a request."""
        exchange = WireExchange(self._scene)
        self._scene.add(exchange)
        return exchange

    def note_injection(self, fault: Fault, marker: str | None) -> None:
        """Azure has been asked for a fault."""
        scene = self._scene
        if len(scene.injections) >= _MOST_INJECTIONS:
            scene.more_injections += 1
            return
        parameters = FAULT_JSON.dump_python(fault, mode="json", exclude_defaults=True)
        started = round(time.monotonic() - scene.began, 4)
        scene.injections.append(
            Injection(fault=fault.kind, parameters=parameters, marker=marker, started=started)
        )

    def write(self, origin: Origin, steps: Sequence[Step]) -> Record:
        """The record of the scenario, whose `steps` are those that it would do."""
        scene = self._scene
        exchanges = list(scene.exchanges)
        for exchange in exchanges:
            # Nobody has said how it ended, so nobody has seen its end.
            exchange.finish()
        done = [timing.put_on(step, scene.began) for step, timing in zip(steps, scene.steps, strict=False)]
        return Record(
            origin=origin,
            started=round(scene.time_of_day, 3),
            steps=(*done, *steps[len(done) :]),
            exchanges=tuple(exchange.read() for exchange in exchanges),
            more_exchanges=scene.more_exchanges,
            injections=tuple(scene.injections),
            more_injections=scene.more_injections,
        )

    @property
    def hooks(self) -> Hooks:
        """The event hooks of a client of httpx's or OpenAI's that is to be recorded."""
        return {"request": [self._watch_request], "response": [_watch_response]}

    @property
    def async_hooks(self) -> Hooks:
        """The same, of an asynchronous client."""

        async def watch_request(request: Request) -> None:
            self._watch_request(request)

        async def watch_response(response: Response) -> None:
            _watch_response(response)

        return {"request": [watch_request], "response": [watch_response]}

    def _watch_request(self, request: Request) -> None:
        body = b""
        with contextlib.suppress(httpx.RequestNotRead, httpx2.RequestNotRead):
            body = request.content
        path = request.url.raw_path.decode("ascii", errors="replace")
        exchange = self.begin_exchange(request.method, path, request.headers.multi_items(), body)
        request.extensions = {**request.extensions, _OPEN: exchange}


def _watch_response(response: Response) -> None:
    exchange: OpenExchange = response.request.extensions[_OPEN]
    exchange.answer(response.status_code, response.headers.multi_items())
    stream: Any = _Watched(response.stream, exchange)
    response.stream = stream


class _Watched(httpx.SyncByteStream, httpx.AsyncByteStream, httpx2.SyncByteStream, httpx2.AsyncByteStream):
    """An answer's body, piece by piece as the client takes it."""

    def __init__(self, stream: Any, exchange: OpenExchange) -> None:
        self._stream = stream
        self._exchange = exchange

    def __iter__(self) -> Iterator[bytes]:
        with self._notice_break():
            for piece in self._stream:
                self._exchange.receive(piece)
                yield piece
        self._exchange.finish("whole")

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with self._notice_break():
            async for piece in self._stream:
                self._exchange.receive(piece)
                yield piece
        self._exchange.finish("whole")

    @contextlib.contextmanager
    def _notice_break(self) -> Iterator[None]:
        try:
            yield
        except Exception:
            self._exchange.finish("broken")
            raise

    def close(self) -> None:
        self._exchange.finish()
        self._stream.close()

    async def aclose(self) -> None:
        self._exchange.finish()
        await self._stream.aclose()

    def __getattr__(self, name: str) -> Any:
        """What else there is, such as the time that it took."""
        return getattr(self._stream, name)


#: One for each process: it runs a scenario at a time.
RECORDER = Recorder()


class RecordedControl(SimulatorControl):
    """The simulated Azure's control, of which the faults are recorded."""

    def inject(self, fault: Fault, *, marker: str | None = None) -> None:
        """As of the simulator."""
        super().inject(fault, marker=marker)
        RECORDER.note_injection(fault, marker)
