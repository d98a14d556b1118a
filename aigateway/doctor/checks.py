"""The checks that are made for every client. Each looks at one thing, and leaves to the later ones what it learned."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType

import httpx

from aigateway.doctor.address import judge_address, judge_key
from aigateway.doctor.answers import (
    Answer,
    judge_between,
    judge_health,
    judge_models,
    judge_refusal,
    judge_vectors,
    read_models,
)
from aigateway.doctor.catalogue import (
    CONNECTION_BROKE,
    EMBEDDINGS,
    NOT_OPENAI,
    PROXY_REFUSES,
    PROXY_WANTS_LOGIN,
    RESPONSES,
    TLS_WANTED,
)
from aigateway.doctor.certificates import examine_certificate, trust_anybody
from aigateway.doctor.clients import CLIENTS
from aigateway.doctor.clock import judge_clock
from aigateway.doctor.dialing import DialError, dial, look_up
from aigateway.doctor.proxies import Way
from aigateway.doctor.question import Question
from aigateway.doctor.requests import Purse, Request
from aigateway.doctor.results import Complaint, Found, complain, leave_unchecked
from aigateway.doctor.streams import Event, Splitter, Stream, StreamEnd, judge_answer, judge_timing

# An answer of twenty words, a list of models, or 60 vectors is far smaller.
_MOST_BYTES = 8 * 1024 * 1024
# What is left of a check's time for its judgement, when a stream does not end.
_JUDGING_SECONDS = 0.5


class BrokenError(Exception):
    """A request got no answer; `complaint` says why."""

    def __init__(self, complaint: Complaint) -> None:
        super().__init__(complaint.said)
        self.complaint = complaint


@dataclass
class Visit:
    """A run: what is asked, the way there, and what was learned on it so far."""

    question: Question
    way: Way
    requests: Mapping[str, Request]
    purse: Purse
    http: httpx.AsyncClient
    health: Answer | None = None
    served: tuple[str, ...] | None = None
    stream: Stream | None = None
    client_stream: Stream | None = None

    @property
    def host(self) -> str:
        """The gateway's."""
        return self.question.address.host

    async def ask(
        self,
        method: str,
        path: str,
        *,
        with_key: bool = True,
        headers: Mapping[str, str] = MappingProxyType({}),
    ) -> Answer:
        """The answer to a request that costs no tokens; raises BrokenError where there is none."""
        async with self._open(method, path, with_key=with_key, headers=headers) as (response, started):
            return await _read(response, started)

    async def post(self, name: str) -> Answer:
        """The answer to a check's planned request; raises BrokenError where there is none."""
        request = self.requests[name]
        self.purse.send(name)
        async with self._open(
            "POST", request.path, headers=request.headers, content=request.content
        ) as opened:
            answer = await _read(*opened)
        self.purse.settle(name, answer.status, answer.body)
        return answer

    async def listen(self, name: str, seconds: float) -> Answer | Stream:
        """The stream that answers a check's planned request, or the refusal in its place.

        Raises BrokenError where there is neither.
        """
        request = self.requests[name]
        self.purse.send(name)
        async with self._open(
            "POST", request.path, headers=request.headers, content=request.content
        ) as opened:
            response, started = opened
            if response.status_code != httpx.codes.OK or "text/event-stream" not in response.headers.get(
                "content-type", ""
            ):
                answer = await _read(response, started)
                self.purse.settle(name, answer.status, answer.body)
                return answer
            stream, said = await _follow(response, started, seconds - _JUDGING_SECONDS)
        self.purse.settle(name, httpx.codes.OK, said)
        return stream

    @asynccontextmanager
    async def _open(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str],
        with_key: bool = True,
        content: bytes | None = None,
    ) -> AsyncIterator[tuple[httpx.Response, float]]:
        sent = {"content-type": "application/json"} if content is not None else {}
        sent.update(headers)
        if with_key:
            sent["authorization"] = f"Bearer {self.question.key.value}"
        url = f"{self.question.address.root}{path}"
        started = time.monotonic()
        try:
            async with self.http.stream(method, url, headers=sent, content=content) as response:
                yield response, started
        except httpx.ProxyError as error:
            trouble = PROXY_WANTS_LOGIN if str(error).startswith("407") else PROXY_REFUSES
            raise BrokenError(Complaint(trouble, f"{path}: the proxy says {error}")) from error
        except httpx.HTTPError as error:
            said = f"{path}: {error or type(error).__name__}"
            raise BrokenError(Complaint(CONNECTION_BROKE, said)) from error


async def _read(response: httpx.Response, started: float) -> Answer:
    body = b""
    async for piece in response.aiter_bytes():
        body += piece
        if len(body) > _MOST_BYTES:
            break
    headers = {name.lower(): value for name, value in response.headers.items()}
    return Answer(response.status_code, headers, body, time.monotonic() - started)


async def _follow(response: httpx.Response, started: float, seconds: float) -> tuple[Stream, bytes]:
    """A stream to its end, for so many seconds since it was asked for; and all that came."""
    events: list[Event] = []
    splitter = Splitter()
    said = b""
    pieces = 0
    end: StreamEnd = "ended"
    try:
        async with asyncio.timeout(seconds - (time.monotonic() - started)):
            async for piece in response.aiter_bytes():
                at = time.monotonic() - started
                said += piece
                pieces += 1
                events += [Event(at, data) for data in splitter.feed(piece)]
                if len(said) > _MOST_BYTES:
                    break
    except TimeoutError:
        end = "unfinished"
    except httpx.HTTPError:
        end = "broke"
    headers = {name.lower(): value for name, value in response.headers.items()}
    return Stream(headers, tuple(events), time.monotonic() - started, end, pieces), said


async def check_base_url(visit: Visit) -> Found:
    """Is it the address of a gateway?"""
    client = visit.question.client
    return judge_address(visit.question.address, CLIENTS[client].ends if client else ())


async def check_proxy(visit: Visit) -> Found:
    """What do the variables say?"""
    return visit.way.found


async def check_key_form(visit: Visit) -> Found:
    """Is it a key?"""
    return judge_key(visit.question.key)


async def check_name(visit: Visit) -> Found:
    """Does DNS know it?"""
    proxy, address = visit.way.proxy, visit.question.address
    host, port = (proxy.host, proxy.port) if proxy else (address.host, address.port)
    try:
        found = await look_up(host, port)
    except DialError as error:
        return Found(error.complaint.said, (error.complaint,))
    who = "the proxy is " if proxy else ""
    return Found(f"{who}{host}" if found == (host,) else f"{who}{host}: {', '.join(found[:4])}")


async def check_connection(visit: Visit) -> Found:
    """Does the port answer?"""
    address, proxy = visit.question.address, visit.way.proxy
    try:
        async with dial(address, proxy):
            through = f", through {proxy}" if proxy else ""
            return Found(f"{address.host}:{address.port} answers{through}")
    except DialError as error:
        return Found(error.complaint.said, (error.complaint,))


async def check_tls(visit: Visit) -> Found:
    """Is the certificate right?"""
    if not visit.question.address.is_tls:
        return Found("none: this machine's own, by http://")
    return await examine_certificate(visit.question.address, visit.way.proxy, visit.question.environment)


async def check_gateway(visit: Visit) -> Found:
    """Is it a gateway, and how fast does it answer?"""
    try:
        visit.health = await visit.ask("GET", "/healthz", with_key=False)
    except BrokenError as error:
        if not visit.question.address.is_tls and await _wants_tls(visit):
            return complain(TLS_WANTED, "it speaks TLS, and http:// was asked for")
        return Found(error.complaint.said, (error.complaint,))
    return judge_health(visit.health, visit.host, visit.question.patience.slow_gateway)


async def _wants_tls(visit: Visit) -> bool:
    try:
        async with dial(visit.question.address, visit.way.proxy, trust_anybody()):
            return True
    except (DialError, ssl.SSLError, OSError):
        return False


async def check_clock(visit: Visit) -> Found:
    """Is the time right?"""
    return judge_clock(visit.health.headers.get("date", "") if visit.health else "", datetime.now(UTC))


async def check_between(visit: Visit) -> Found:
    """Does somebody say that he is in between?"""
    return judge_between(visit.health.headers if visit.health else {})


async def check_key(visit: Visit) -> Found:
    """Is the key taken?"""
    try:
        answer = await visit.ask("GET", "/v1/models")
    except BrokenError as error:
        return Found(error.complaint.said, (error.complaint,))
    refusal = judge_refusal(answer, "/v1/models", visit.host)
    if refusal:
        return refusal
    visit.served = read_models(answer)
    if visit.served is None:
        return complain(NOT_OPENAI, "/v1/models answers with no list of models")
    return Found("the gateway takes it")


async def check_models(visit: Visit) -> Found:
    """Are the expected models served?"""
    if visit.served is None:
        return leave_unchecked("/v1/models gave no list")
    expected = visit.question.expected
    return judge_models(visit.served, (expected.model, expected.embedding_model))


async def check_responses(visit: Visit) -> Found:
    """Does the model answer?"""
    try:
        heard = await visit.listen(RESPONSES.id, visit.question.patience.limit(RESPONSES))
    except BrokenError as error:
        return Found(error.complaint.said, (error.complaint,))
    if isinstance(heard, Answer):
        refusal = judge_refusal(heard, "/v1/responses", visit.host)
        return refusal or judge_answer(Stream(heard.headers, (), heard.seconds))
    visit.stream = heard
    return judge_answer(heard)


async def check_streaming(visit: Visit) -> Found:
    """How did the events come?"""
    if visit.stream is None:
        return leave_unchecked("/v1/responses gave no stream")
    return judge_timing(visit.stream, visit.question.patience)


async def check_embeddings(visit: Visit) -> Found:
    """Are vectors of the right length?"""
    return await judge_embeddings(visit, EMBEDDINGS.id, 1)


async def judge_embeddings(visit: Visit, name: str, count: int, roo_dimensions: int | None = None) -> Found:
    """The same, of the check with this id, which asks for so many vectors."""
    try:
        answer = await visit.post(name)
    except BrokenError as error:
        return Found(error.complaint.said, (error.complaint,))
    refusal = judge_refusal(answer, "/v1/embeddings", visit.host)
    dimensions = visit.question.expected.dimensions
    return refusal or judge_vectors(answer, count, dimensions, roo_dimensions)
