"""Small real servers on this machine, each with one thing wrong: gateways, proxies, and what is neither."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import ssl
import threading
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from aigateway.waiting import wait_until

MODEL, EMBEDDER, DIMENSIONS = "gpt-5.3-codex", "text-embedding-3-large", 3072
KEY = "sk-the-key-of-these-tests-0123456789"
_PATIENCE_SECONDS = 30
_ID = "resp_0123456789"

Json = Mapping[str, Any]
StreamHandler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def make_error(status: int, message: str, code: str | None = None, **headers: str) -> Response:
    error = {"message": message, "type": "invalid_request_error", "param": None, "code": code}
    return JSONResponse({"error": error}, status, headers)


def make_events(words: int = 20, end: str = "response.completed") -> list[str]:
    """The events of an answer, as data."""
    response = {"id": _ID, "status": "in_progress"}
    usage = {"input_tokens": 40, "output_tokens": 20, "total_tokens": 60}
    events: list[Json] = [{"type": "response.created", "response": response}]
    events += [{"type": "response.output_text.delta", "delta": f"word {number}"} for number in range(words)]
    if end:
        events.append({"type": end, "response": {**response, "status": "completed", "usage": usage}})
    return [json.dumps(event) for event in events]


def make_vectors(count: int, dimensions: int = DIMENSIONS, *, in_base64: bool = True) -> Json:
    vector: Any = b64encode(bytes(4 * dimensions)).decode() if in_base64 else [0.0] * dimensions
    data = [{"object": "embedding", "index": place, "embedding": vector} for place in range(count)]
    return {"object": "list", "data": data, "model": EMBEDDER, "usage": {"total_tokens": count}}


async def send_events(
    events: list[str], *, before: float = 0, pause_after: int = -1, pause: float = 0, together: bool = False
) -> AsyncIterator[bytes]:
    await asyncio.sleep(before)
    pieces = [f"data: {event}\n\n".encode() for event in events]
    for number, piece in enumerate([b"".join(pieces)] if together else pieces, 1):
        yield piece
        # Each piece is a chunk of its own, as LiteLLM's are.
        await asyncio.sleep(pause if number == pause_after else 0)


def stream(events: list[str] | None = None, **ways: Any) -> Response:
    return StreamingResponse(
        send_events(make_events() if events is None else events, **ways), media_type="text/event-stream"
    )


def stream_chat(*, usage: bool = True, done: bool = True) -> Response:
    chunks = [
        json.dumps({"object": "chat.completion.chunk", "choices": [{"delta": {"content": "word"}}]})
    ] * 5
    chunks += [
        json.dumps({"object": "chat.completion.chunk", "choices": [], "usage": {"total_tokens": 60}})
    ] * usage
    return stream([*chunks, *["[DONE]"] * done])


@dataclass
class FakeGateway:
    """As the gateway answers; each of `answers` goes first, by method and path. `asked` is what came, with its key."""

    answers: dict[str, Callable[[Request, Any], Response | Awaitable[Response]]] = field(default_factory=dict)
    everywhere: Callable[[], Response] | None = None
    headers: dict[str, str] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)
    bodies: list[Any] = field(default_factory=list)
    url: str = ""

    async def answer(self, request: Request) -> Response:
        body = await request.body()
        content = json.loads(body) if body else None
        self.bodies.append(content)
        what = f"{request.method} {request.url.path}"
        self.asked.append((what, request.headers.get("authorization", "")))
        response = self.everywhere() if self.everywhere else await self._choose(what, request, content)
        date = format_datetime(datetime.now(UTC), usegmt=True)
        response.headers.update({"server": "aigateway", "date": date, **self.headers})
        return response

    async def _choose(self, what: str, request: Request, content: Any) -> Response:
        if what in self.answers:
            found = self.answers[what](request, content)
            return found if isinstance(found, Response) else await found
        if what == "GET /healthz":
            return JSONResponse("I'm alive!")
        if request.headers.get("authorization") != f"Bearer {KEY}":
            return make_error(401, "Incorrect API key provided.", "invalid_api_key")
        if content and content["model"] not in (MODEL, EMBEDDER):
            return make_error(400, f"Invalid model name passed in model={content['model']}", "400")
        served = _SERVED.get(what)
        return served(content) if served else make_error(404, "No such route.", "not_found")


_SERVED: dict[str, Callable[[Any], Response]] = {
    "GET /v1/models": lambda _: JSONResponse({"data": [{"id": MODEL}, {"id": EMBEDDER}]}),
    "GET /v1/responses": lambda _: make_error(426, "No WebSocket.", "upgrade_refused"),
    f"GET /v1/responses/{_ID}": lambda _: JSONResponse({"id": _ID}),
    f"DELETE /v1/responses/{_ID}": lambda _: JSONResponse({"deleted": True}),
    "POST /v1/responses": lambda _: stream(),
    "POST /v1/v1/responses": lambda _: stream(),
    "POST /v1/chat/completions": lambda _: stream_chat(),
    "POST /v1/embeddings": lambda content: JSONResponse(make_vectors(len(content["input"]))),
}


@contextmanager
def serve(
    gateway: FakeGateway, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1"
) -> Iterator[FakeGateway]:
    """Run it for as long as the context is open."""
    app = Starlette(routes=[Route("/{path:path}", gateway.answer, methods=["GET", "POST", "DELETE"])])
    config = uvicorn.Config(
        app,
        log_level="critical",
        lifespan="off",
        ws="none",
        http="httptools",
        server_header=False,
        date_header=False,
        loop="asyncio",
    )
    config.load()
    config.ssl = tls
    server = uvicorn.Server(config)
    listening = socket.create_server(("127.0.0.1", 0))
    gateway.url = f"{'https' if tls else 'http'}://{host}:{listening.getsockname()[1]}"
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        assert wait_until(lambda: server.started, seconds=_PATIENCE_SECONDS), "the fake did not start"
        yield gateway
    finally:
        server.should_exit = True
        # What still waits in a handler is not waited for.
        server.force_exit = True
        thread.join()
        listening.close()


@contextmanager
def serve_raw(handle: StreamHandler) -> Iterator[str]:
    """A server of anything; gives HOST:PORT."""
    ready = threading.Event()
    state: dict[str, Any] = {}

    async def run() -> None:
        async def guard(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                await handle(reader, writer)
            writer.transport.abort() if state.get("ending") else writer.close()

        server = await asyncio.start_server(guard, "127.0.0.1", 0)
        state["stop"], state["loop"] = asyncio.Event(), asyncio.get_running_loop()
        state["port"] = server.sockets[0].getsockname()[1]
        ready.set()
        await state["stop"].wait()
        server.close()

    thread = threading.Thread(target=lambda: asyncio.run(run()))
    thread.start()
    try:
        assert ready.wait(_PATIENCE_SECONDS)
        yield f"127.0.0.1:{state['port']}"
    finally:
        state["loop"].call_soon_threadsafe(state["stop"].set)
        thread.join()


def answer_with(text: str) -> StreamHandler:
    """Says one thing to whatever request."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(text.encode())
        await writer.drain()

    return handle


async def hang_up(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    """Reads a little, and says nothing."""
    await reader.read(1)


async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A proxy as it should be: it opens tunnels, and passes requests for http:// on."""
    head = await reader.readuntil(b"\r\n\r\n")
    method, target, _ = head.split(b" ", 2)
    if method == b"CONNECT":
        host, _, port = target.decode().rpartition(":")
        other_reader, other_writer = await asyncio.open_connection(host, int(port))
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
    else:
        host, _, port = target.decode().split("/")[2].rpartition(":")
        other_reader, other_writer = await asyncio.open_connection(host, int(port))
        other_writer.write(head)
    ways = [
        asyncio.create_task(_pump(reader, other_writer)),
        asyncio.create_task(_pump(other_reader, writer)),
    ]
    await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
    for way in ways:
        way.cancel()
    other_writer.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while piece := await reader.read(65536):
        writer.write(piece)
        await writer.drain()
