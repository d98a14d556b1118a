"""A day on which requests end in every way, and what the access log says of it."""

from __future__ import annotations

import json
import re
import secrets
import time
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property

import pytest
from pytest_bdd import given, then

from aigateway.acceptance.target import Target
from aigateway.rendering.access_log import PATH as LOG_PAGE
from aigateway.settings.model import Client, ClientLimits, RateLimit, Settings
from aigateway.simulator.faults import (
    CutStream,
    FailedStream,
    Failing,
    Fault,
    HungUp,
    MalformedBody,
    SilentStream,
    SlowFirstByte,
    Throttled,
)
from aigateway.simulator.ledger import RecordedRequest
from aigateway.waiting import wait_until
from steps.access_log import AccessLog, Line, read_access_log
from steps.answers import Outcome
from steps.gateway import PATIENCE_SECONDS, Edges, Gateway, LocalControl, connect_http
from steps.wire import connect, exchange, find_host, leave_unanswered, write_request

_LOG_SECONDS = 10.0
_EVERY = 1000
_AT_ONCE = 8

# So long Azure is silent at times, and so much of it must be seen: LiteLLM hands on what it got a little late.
_SILENT_SECONDS = 2.0
_SEEN_SECONDS = 0.5
_MIDDLE_EVENTS = 12
# Clocks of two processes are read, either of which may have to wait for its turn.
_SLACK_MS = 250


@dataclass(frozen=True)
class Sent:
    """A request as its client saw it; `status` is 0 when the client left before there was one.

    Bytes are those of the bodies as they went over the wire; None where the client cannot know them.
    """

    status: int
    request_id: str | None = None
    client: str | None = None
    by_azure: bool = False
    milliseconds: float | None = None
    first_byte_milliseconds: float | None = None
    request_bytes: int | None = None
    response_bytes: int | None = None


@dataclass(frozen=True)
class Visitor:
    """Sends requests to one gateway. The marker stands wherever a client can put something."""

    gateway: Gateway
    control: LocalControl
    marker: str
    client: Client

    def have(self, fault: Fault) -> Visitor:
        """The same, after telling Azure to do something to what is sent next."""
        self.control.azure.inject(fault, marker=self.marker)
        return self

    def ask(
        self, *, stream: bool = False, path: str = "/v1/responses", model: str = "", key: str = ""
    ) -> Sent:
        """A question to the Responses API, or to another path."""
        model = model or self.gateway.settings.azure.responses.model
        return self.send(path, {"model": model, "input": self._prompt, "stream": stream}, key=key)

    def chat(self) -> Sent:
        """A streamed chat completion."""
        messages = [{"role": "user", "content": self._prompt}]
        model = self.gateway.settings.azure.responses.model
        return self.send("/v1/chat/completions", {"model": model, "messages": messages, "stream": True})

    def embed(self) -> Sent:
        """One vector."""
        model = self.gateway.settings.azure.embeddings.model
        return self.send("/v1/embeddings", {"model": model, "input": [self.marker]})

    @property
    def _prompt(self) -> str:
        return f"Count from 1 to 40 ({self.marker})"

    def send(self, path: str, body: object, *, key: str = "") -> Sent:
        """Send a request and read the whole answer."""
        return self._stream(path, body, key=key, leave_after=None)

    def leave(self, *, after: str) -> Sent:
        """Ask for a stream, and leave when this has been read of it."""
        model = self.gateway.settings.azure.responses.model
        return self._stream(
            "/v1/responses",
            {"model": model, "input": self._prompt, "stream": True},
            leave_after=after.encode(),
        )

    def _stream(self, path: str, body: object, *, key: str = "", leave_after: bytes | None) -> Sent:
        content = json.dumps(body).encode()
        started = time.monotonic()
        with connect_http().stream(
            "POST",
            f"{self.gateway.base_url}{path}",
            content=content,
            params={"note": self.marker},
            headers=self._headers(key),
        ) as answer:
            first_byte = time.monotonic() - started
            read = b""
            for piece in answer.iter_raw():
                read += piece
                if leave_after is not None and leave_after in read:
                    break
            left = leave_after is not None
            return Sent(
                answer.status_code,
                answer.headers.get("x-request-id"),
                None if key else self.client.name,
                "x-azure-request-id" in answer.headers,
                None if left else (time.monotonic() - started) * 1000,
                first_byte * 1000,
                len(content),
                None if left else len(read),
            )

    def _headers(self, key: str) -> dict[str, str]:
        return {
            "authorization": f"Bearer {key or self.gateway.key}",
            "accept-encoding": "identity",
            "content-type": "application/json",
            "user-agent": self.marker,
            "x-request-id": self.marker,
            "x-note": self.marker,
        }

    def lose_patience(self) -> Sent:
        """Ask, and leave when Azure has begun to work on it."""
        body = {"model": self.gateway.settings.azure.responses.model, "input": self.marker}
        headers = {"host": find_host(self.gateway), **self._headers("")}
        content = json.dumps(body).encode()
        request = write_request("POST", "/v1/responses", headers.items(), content)
        leave_unanswered(self.gateway, self.control, self.marker, request)
        return Sent(0, client=self.client.name)

    def upgrade(self) -> Sent:
        """Ask for a WebSocket."""
        headers = {**self._headers(""), "connection": "Upgrade", "upgrade": "websocket"}
        answer = connect_http().get(f"{self.gateway.base_url}/v1/responses", headers=headers)
        return _describe(answer.status_code, answer.headers, self.client.name)

    def write(self, request: bytes) -> Sent:
        """Send bytes that are no proper request."""
        (outcome,) = exchange(self.gateway, [request])
        return _describe_outcome(outcome)

    def write_half(self) -> Sent:
        """Send half of a request, and leave."""
        whole = write_request("POST", "/v1/responses", [("Host", find_host(self.gateway))], b"{}")
        with connect(self.gateway) as connection:
            connection.sendall(whole[: len(whole) // 2])
        return Sent(0)


def _describe_outcome(outcome: Outcome) -> Sent:
    return _describe(outcome.status, outcome.headers, None)


def _describe(status: int, headers: Mapping[str, str], client: str | None) -> Sent:
    return Sent(status, headers.get("x-request-id"), client)


_TOO_LARGE_HEADER = write_request("GET", "/v1/models", [("Host", "gateway"), ("X-Large", "a" * 70_000)])

#: Every way in which a request ends, by the name that the feature uses.
_WAYS: Mapping[str, Callable[[Visitor], Sent]] = {
    "an answer": lambda visitor: visitor.ask(),
    "a stream": lambda visitor: visitor.ask(stream=True),
    "a stream that begins late": lambda visitor: visitor.have(SlowFirstByte(seconds=_SILENT_SECONDS)).ask(
        stream=True
    ),
    "a stream that pauses": lambda visitor: visitor.have(
        SilentStream(after_events=_MIDDLE_EVENTS, seconds=_SILENT_SECONDS)
    ).ask(stream=True),
    "a stream of chat completions": lambda visitor: visitor.chat(),
    "vectors": lambda visitor: visitor.embed(),
    "an answer at the second attempt": lambda visitor: visitor.have(Failing(status=503)).ask(),
    "a stream that was read to its last event": lambda visitor: visitor.leave(
        after='"type":"response.completed"'
    ),
    "Azure throttles": lambda visitor: visitor.have(Throttled(dialect="none", times=_EVERY)).ask(),
    "Azure fails": lambda visitor: visitor.have(Failing(status=500, times=_EVERY)).ask(),
    "Azure refuses": lambda visitor: visitor.have(Failing(status=400)).ask(),
    "Azure breaks a stream off": lambda visitor: visitor.have(FailedStream(after_output=True)).ask(
        stream=True
    ),
    "Azure breaks a chat's stream off": lambda visitor: visitor.have(FailedStream(after_output=True)).chat(),
    "Azure says no end of a stream": lambda visitor: visitor.have(CutStream(after_events=_MIDDLE_EVENTS)).ask(
        stream=True
    ),
    "Azure hangs up": lambda visitor: visitor.have(HungUp(times=_EVERY)).ask(),
    "Azure's answer cannot be read": lambda visitor: visitor.have(MalformedBody(times=_EVERY)).ask(),
    "LiteLLM knows no such model": lambda visitor: visitor.ask(model="gpt-unheard-of"),
    "a wrong key": lambda visitor: visitor.ask(key=f"sk-{visitor.marker}"),
    "no such route": lambda visitor: visitor.ask(path=f"/{visitor.marker}"),
    "more than a client may ask": lambda visitor: visitor.embed(),
    "a body that is too large": lambda visitor: visitor.send(
        "/v1/responses", "x" * (visitor.gateway.settings.request_body_limit_mib + 1) * 1024**2
    ),
    "a WebSocket": lambda visitor: visitor.upgrade(),
    "the client leaves a stream": lambda visitor: visitor.have(
        SilentStream(after_events=_MIDDLE_EVENTS, seconds=PATIENCE_SECONDS)
    ).leave(after='"type":"response.created"'),
    "the client does not wait": lambda visitor: visitor.have(
        SlowFirstByte(seconds=PATIENCE_SECONDS)
    ).lose_patience(),
    "the client leaves half a request": lambda visitor: visitor.write_half(),
    "no HTTP": lambda visitor: visitor.write(b"\x16\x03\x01 this is no HTTP\r\n\r\n"),
    "headers that are too large": lambda visitor: visitor.write(_TOO_LARGE_HEADER),
}
# Azure's answer never came, or not so that anybody could tell that it was Azure's.
_UNHEARD = ("Azure hangs up", "Azure's answer cannot be read")
_FAILURES = {"throttled", "failing", "failed_stream", "cut_stream", "hung_up", "malformed_body"}
# Of the client whose limit is one at once.
_LIMITED = ("vectors", "more than a client may ask")


@dataclass(frozen=True)
class Day:
    """What was sent, by its name; what the edge wrote down of it; what Azure received."""

    marker: str
    sent: Mapping[str, Sent]
    log: AccessLog
    received: tuple[RecordedRequest, ...]

    @cached_property
    def lines(self) -> tuple[Line, ...]:
        """The lines of the clients' requests: the probes' are left out."""
        return tuple(line for line in self.log.lines if line.route != "health")

    def find_line(self, way: str) -> Line:
        """The line of a request whose client knows its id."""
        request_id = self.sent[way].request_id
        (line,) = (line for line in self.lines if line.request_id == request_id)
        return line


def _limit_client(settings: Settings) -> Settings:
    """The second client may send one request for embeddings, and then one more in a minute."""
    replicas = settings.scale.max_replicas
    low = ClientLimits(embeddings=RateLimit(requests_per_minute=2 * replicas, burst=replicas))
    first, second, *others = settings.clients
    limited = second.model_copy(update={"limits": low})
    return settings.model_copy(update={"clients": (first, limited, *others)})


@pytest.fixture(scope="session")
def busy_day(target: Target, control: LocalControl) -> Day:
    """A day on an edge of its own, whose log then holds nothing else; once for all scenarios of a process."""
    marker = f"day{secrets.token_hex(6)}"
    with ExitStack() as undo:
        gateway = Edges(control, undo).start(_limit_client(target.settings))
        sent = _live_through(gateway, control, marker)
        assert gateway.edge
        log = _read_whole_log(gateway, sent)
    return Day(marker, sent, log, tuple(control.azure.requests(marker=marker)))


def _live_through(gateway: Gateway, control: LocalControl, marker: str) -> dict[str, Sent]:
    def make(way: str, number: int) -> Visitor:
        client = gateway.settings.clients[1 if way in _LIMITED else 0]
        own = Gateway(gateway.base_url, gateway.settings, control.keys.of(client), gateway.edge)
        return Visitor(own, control, f"{marker}n{number}e", client)

    visitors = {way: make(way, number) for number, way in enumerate(_WAYS)}
    # One after the other: which of them is the one too many must be known.
    sent = {way: _WAYS[way](visitors[way]) for way in _LIMITED}
    others = [way for way in _WAYS if way not in _LIMITED]
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return sent | dict(zip(others, pool.map(lambda way: _WAYS[way](visitors[way]), others), strict=True))


def _read_whole_log(gateway: Gateway, sent: Mapping[str, Sent]) -> AccessLog:
    """The log up to and without the line of a last request, by which a second line of any other had come."""
    assert gateway.edge
    last = connect_http().get(f"{gateway.base_url}/the-end").headers["x-request-id"]
    log = read_access_log(gateway.edge)

    def is_whole() -> bool:
        nonlocal log
        assert gateway.edge
        log = read_access_log(gateway.edge)
        clients = [line for line in log.lines if line.route != "health"]
        return len(clients) > len(sent) and any(line.request_id == last for line in clients)

    assert wait_until(is_whole, seconds=_LOG_SECONDS), "not every request left a line in the access log"
    return AccessLog(log.text, tuple(line for line in log.lines if line.request_id != last), log.others)


@given("the access log of a day on which requests ended in every way", target_fixture="day")
def _(busy_day: Day) -> Day:
    return busy_day


# --- lines


@then("each request has left one line, and nothing else stands in the log")
def _(day: Day) -> None:
    assert day.log.others == ()
    assert len(day.lines) == len(day.sent)
    known = Counter(sent.request_id for sent in day.sent.values() if sent.request_id)
    logged = Counter(line.request_id for line in day.lines if line.request_id in known)
    assert logged == known


@then("each line has the fields that its page in docs/ explains")
def _(day: Day, target: Target) -> None:
    page = (target.root / LOG_PAGE).read_text(encoding="utf-8").partition("\n## ")[0]
    explained = set(re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE))
    printed = [json.loads(line) for line in day.log.text.splitlines()]
    assert printed
    assert all(set(line) == explained for line in printed)


@then("the lines say how each of them ended")
def _(day: Day, datatable: list[list[str]]) -> None:
    head, *rows = datatable
    assert {row[0] for row in rows} == set(day.sent), "the table is not about this day"
    known = {sent.request_id for sent in day.sent.values() if sent.request_id}
    others = [_tell(line, head[1:]) for line in day.lines if line.request_id not in known]
    for way, *expected in rows:
        if day.sent[way].request_id:
            assert (way, _tell(day.find_line(way), head[1:])) == (way, expected)
        else:
            assert expected in others, f"no line of {way!r} among {others}"
            others.remove(expected)
    assert others == []


def _tell(line: Line, fields: list[str]) -> list[str]:
    """A line's values as the feature writes them: what is null or empty is an empty cell."""
    values = line.model_dump()
    return ["" if values[field] is None else str(values[field]) for field in fields]


@then("the lines name the client of each key, and nobody without one")
def _(day: Day) -> None:
    for way, sent in day.sent.items():
        if sent.request_id:
            assert (way, day.find_line(way).client) == (way, sent.client)


@then("each client got the request id of its line, and none had chosen it")
def _(day: Day) -> None:
    unreadable = {way for way, sent in day.sent.items() if not sent.request_id and sent.status}
    assert unreadable == {"no HTTP", "headers that are too large"}
    assert len([line for line in day.lines if line.request_id]) > len(unreadable)
    assert all(day.marker not in (line.request_id or "") for line in day.lines)


# --- counts, sizes, times


@then("the log counts as many requests of each status as the clients saw, and as many of Azure's refusals")
def _(day: Day) -> None:
    assert Counter(line.status for line in day.lines) == Counter(sent.status for sent in day.sent.values())
    refused = [
        sent.status
        for way, sent in day.sent.items()
        if (sent.by_azure or way in _UNHEARD) and sent.status >= 400
    ]
    assert Counter(
        line.status for line in day.lines if line.failed == "azure" and line.status >= 400
    ) == Counter(refused)


@then("the log counts every failure of Azure's, also those that another attempt made good")
def _(day: Day) -> None:
    happened = [request for request in day.received if request.fault in _FAILURES]
    tried_again = sum(max(line.attempts - 1, 0) for line in day.lines)
    passed_on = sum(line.failed == "azure" for line in day.lines)
    assert tried_again + passed_on == len(happened)


@then("the sizes are those of the bodies on the wire")
def _(day: Day) -> None:
    for way, sent in day.sent.items():
        if not sent.request_id:
            continue
        line = day.find_line(way)
        if sent.response_bytes is not None:
            assert (way, line.response_bytes) == (way, sent.response_bytes)
        # The edge refuses before it has read a whole body.
        if sent.request_bytes is not None and line.attempts:
            assert (way, line.request_bytes) == (way, sent.request_bytes)


@then("no time is longer than its client measured, and none shorter than Azure took")
def _(day: Day) -> None:
    for way, sent in day.sent.items():
        if sent.milliseconds is None or sent.first_byte_milliseconds is None:
            continue
        line = day.find_line(way)
        assert line.duration_ms <= sent.milliseconds + _SLACK_MS, way
        if line.first_byte_ms is not None:
            assert line.first_byte_ms <= min(line.duration_ms, sent.first_byte_milliseconds + _SLACK_MS), way
        assert (line.first_byte_ms is None) == (line.attempts == 0), way
    silent = _SILENT_SECONDS * 1000
    late = day.find_line("a stream that begins late").first_byte_ms
    assert late is not None
    assert late >= silent


@then("a stream's first byte was counted when it came, not at its end")
def _(day: Day) -> None:
    paused = day.find_line("a stream that pauses")
    assert paused.first_byte_ms is not None
    assert paused.duration_ms - paused.first_byte_ms >= _SEEN_SECONDS * 1000


# --- what is not there


@then("nothing that a client sent stands in it")
def _(day: Day, control: LocalControl) -> None:
    assert day.marker not in day.log.text
    assert all(key not in day.log.text for key in control.keys.clients.values())


@then("LiteLLM has written no line about a request")
def _(day: Day, control: LocalControl) -> None:
    log = control.stack.litellm.read_log()
    assert day.marker not in log
    assert "HTTP/1.1" not in log, "LiteLLM writes access lines of its own"
