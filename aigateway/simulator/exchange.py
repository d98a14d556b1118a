"""One request on its way through the data plane, and the middleware that records it.

The body is read whole before anything else, so that a marker can be looked for in it; the record is closed
when the answer is complete or the client has gone.
"""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Any
from urllib.parse import parse_qsl
from uuid import uuid4

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from aigateway.simulator.faults import Operation
from aigateway.simulator.ledger import Entry
from aigateway.simulator.state import SimulatorState

_logger = logging.getLogger("aigateway.simulator")


class Exchange:
    """The request's body, its record, and the state of its connection."""

    def __init__(self, entry: Entry, receive: Receive) -> None:
        self.entry = entry
        self._receive = receive
        self._watch: asyncio.Task[Message] | None = None

    @property
    def text(self) -> str:
        return self.entry.text

    def json(self) -> Any:
        """The parsed body; None when it is not JSON."""
        try:
            return json.loads(self.text)
        except ValueError:
            return None

    def client_gone(self) -> bool:
        """Whether the client was seen closing the connection, by a pause that watched for it."""
        return self._watch is not None and self._watch.done()

    async def pause(self, seconds: float) -> bool:
        """Wait, at most until the client goes away; gives whether it is still there."""
        done, _ = await asyncio.wait({self._watcher()}, timeout=seconds)
        return not done

    async def breathe(self) -> bool:
        """Let the event loop run once; gives whether the client is still there."""
        watcher = self._watcher()
        await asyncio.sleep(0)
        return not watcher.done()

    def close(self) -> None:
        if self._watch is not None:
            self._watch.cancel()

    def _watcher(self) -> asyncio.Task[Message]:
        """After the body, the next message of an ASGI server says that the client has gone."""
        if self._watch is None:
            self._watch = asyncio.ensure_future(_next_message(self._receive))
        return self._watch


class Recorder:
    """ASGI middleware: one ledger entry for each request, and Azure's headers on each answer."""

    def __init__(self, app: ASGIApp, state: SimulatorState) -> None:
        self._app = app
        self._state = state

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        query = dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))
        method, path = scope["method"], scope["path"]
        entry = self._state.ledger.open(operation_of(method, path), method, path, query, scope["headers"])
        text = await _read_body(receive)
        if text is None:
            entry.disconnected = True
            self._state.ledger.close(entry)
            return
        self._state.ledger.begin(entry, text)
        scope["exchange"] = exchange = Exchange(entry, receive)
        try:
            await self._app(scope, receive, _Answer(self._state, exchange, send))
        except Exception:
            # Ours, not Azure's: it must be seen, and the client must not hang.
            _logger.exception("the simulator failed on %s %s", entry.method, entry.path)
            raise
        finally:
            entry.disconnected = not entry.finished and exchange.client_gone()
            exchange.close()
            self._state.ledger.close(entry)


class _Answer:
    """`send` that adds Azure's headers and notes the status and the end."""

    def __init__(self, state: SimulatorState, exchange: Exchange, send: Send) -> None:
        self._state = state
        self._exchange = exchange
        self._send = send

    async def __call__(self, message: Message) -> None:
        entry = self._exchange.entry
        if message["type"] == "http.response.start":
            entry.status = message["status"]
            MutableHeaders(scope=message).update(self._headers(entry))
        elif message["type"] == "http.response.body" and not message.get("more_body", False):
            entry.finished = not self._exchange.client_gone()
        await self._send(message)

    def _headers(self, entry: Entry) -> dict[str, str]:
        """As seen in answers of Azure (github.com/EvolvingPrograms/oaib/issues/11,
        openai/openai-python/issues/937)."""
        config = self._state.config
        request_id = str(uuid4())
        given = next(
            (
                value.decode("latin-1")
                for name, value in entry.raw_headers
                if name == b"x-ms-client-request-id"
            ),
            "",
        )
        deployment = (
            config.embeddings_deployment if entry.operation == "embeddings" else config.responses_deployment
        )
        return {
            "apim-request-id": request_id,
            "azureml-model-session": "v20261001-1-183452160",
            "strict-transport-security": "max-age=31536000; includeSubDomains; preload",
            "x-content-type-options": "nosniff",
            "x-ms-client-request-id": given or request_id,
            "x-ms-deployment-name": deployment,
            "x-ms-region": config.region,
            "x-request-id": str(uuid4()),
            **self._state.meter(entry.operation).headers(),
        }


def operation_of(method: str, path: str) -> Operation:
    """What a request is for, by its method and path."""
    parts = path.removeprefix("/openai").removeprefix("/v1").strip("/").split("/")
    if not path.startswith("/openai/"):
        return "other"
    if parts[0] == "responses":
        return _responses_operation(method, parts)
    if method != "POST":
        return "other"
    if parts[0] == "deployments":
        parts = parts[2:]
    if parts == ["embeddings"]:
        return "embeddings"
    return "chat" if parts == ["chat", "completions"] else "other"


def _responses_operation(method: str, parts: list[str]) -> Operation:
    if len(parts) == 1:
        return "responses" if method == "POST" else "other"
    return "compact" if parts[1:] == ["compact"] else "stored_response"


async def _next_message(receive: Receive) -> Message:
    return await receive()


async def _read_body(receive: Receive) -> str | None:
    """The whole body; None when the client went away before it was sent."""
    chunks = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        chunks.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(chunks).decode("utf-8", errors="replace")
