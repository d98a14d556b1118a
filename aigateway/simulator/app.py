"""The data plane: what the simulated resource serves, and to whom.

Order of checks, as the real front has them: key, path, api-version, quota and faults, then the body.
"""

from __future__ import annotations

import hmac
import json
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any, Literal

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from aigateway.simulator import faults, refusals
from aigateway.simulator.config import SimulatorConfig
from aigateway.simulator.defects import Defect
from aigateway.simulator.embeddings import build_embeddings, read_embeddings_request
from aigateway.simulator.exchange import Exchange, Recorder
from aigateway.simulator.faults import Fault, Operation
from aigateway.simulator.items import text_of
from aigateway.simulator.model import answer
from aigateway.simulator.refusals import Refusal
from aigateway.simulator.request import (
    ResponsesRequest,
    check_model,
    read_compact_request,
    read_request,
    tokens_of,
)
from aigateway.simulator.response import build_compaction, build_response
from aigateway.simulator.state import SimulatorState
from aigateway.simulator.store import Json, StoredResponse
from aigateway.simulator.stream import events_of, failing_events_of, frame
from aigateway.simulator.versions import check_dated_version, check_v1_version

Surface = Literal["dated", "v1"]
Handler = Callable[[Request, Exchange, Fault | None], Awaitable[Response]]

# The operation names in Azure's 429 messages.
_AZURE_NAMES: dict[Operation, str] = {
    "responses": "Responses_Create",
    "stored_response": "Responses_Get",
    "compact": "Responses_Compact",
    "embeddings": "Embeddings_Create",
    "chat": "ChatCompletions_Create",
    "other": "Other",
}

_WEB_PAGE = "<!doctype html><title>Sign in</title><p>Your session has expired."


def create_app(config: SimulatorConfig, state: SimulatorState | None = None) -> Starlette:
    """The resource as an ASGI application; `state` is shared with the control plane."""
    state = state or SimulatorState(config)
    return Starlette(
        routes=_DataPlane(state).routes(),
        middleware=[Middleware(Recorder, state=state)],
        exception_handlers={Refusal: _refuse, HTTPException: _not_found},
    )


async def _refuse(_request: Request, refusal: Exception) -> Response:
    if not isinstance(refusal, Refusal):
        raise refusal
    return JSONResponse(dict(refusal.body), status_code=refusal.status, headers=refusal.headers)


async def _not_found(request: Request, _error: Exception) -> Response:
    """No such path, or not with this method: the front says the same of both."""
    return await _refuse(request, refusals.resource_not_found())


class _Nothing(Response):
    """No answer at all: the client has gone."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The server closes a connection whose application ends without an answer."""


class _HungUp(Response):
    """No answer, and the connection closed."""

    async def __call__(self, scope: Scope, receive: Receive, _send: Send) -> None:
        scope["state"]["hang_up"]()
        await receive()


class _CutAnswer(JSONResponse):
    """The first half of an answer, and then the connection closed."""

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        half = self.body[: len(self.body) // 2]
        await send({"type": "http.response.body", "body": half, "more_body": True})


class _EventStream(Response):
    """Server-sent events, sent one by one until the client goes away; `complete=False` cuts the connection
    after."""

    media_type = "text/event-stream"

    def __init__(self, frames: AsyncIterator[bytes], exchange: Exchange, *, complete: bool) -> None:
        super().__init__(headers={"cache-control": "no-cache, must-revalidate", "x-accel-buffering": "no"})
        del self.headers["content-length"]
        self._frames = frames
        self._exchange = exchange
        self._complete = complete

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        async for data in self._frames:
            await send({"type": "http.response.body", "body": data, "more_body": True})
            if not await self._exchange.breathe():
                return
        if self._complete:
            await send({"type": "http.response.body", "body": b"", "more_body": False})


class _DataPlane:
    """The handlers of one resource."""

    def __init__(self, state: SimulatorState) -> None:
        self._state = state
        self._config = state.config

    def routes(self) -> list[Route]:
        routes = []
        for surface, base in (("dated", "/openai"), ("v1", "/openai/v1")):
            for path, method, operation, handler in (
                ("/responses", "POST", "responses", self._create),
                ("/responses/compact", "POST", "compact", self._compact),
                ("/responses/{id}", "GET", "stored_response", self._get),
                ("/responses/{id}", "DELETE", "stored_response", self._delete),
                ("/responses/{id}/input_items", "GET", "stored_response", self._input_items),
                ("/responses/{id}/cancel", "POST", "stored_response", self._cancel),
            ):
                routes.append(_route(base + path, method, self._guard(surface, operation, handler)))  # type: ignore[arg-type] # literals in a tuple widen to str
        for surface, base in (("dated", "/openai/deployments/{deployment}"), ("v1", "/openai/v1")):
            embeddings = self._guard(surface, "embeddings", self._embed)  # type: ignore[arg-type] # as above
            chat = self._guard(surface, "chat", self._chat)  # type: ignore[arg-type] # as above
            routes.append(_route(f"{base}/embeddings", "POST", embeddings))
            routes.append(_route(f"{base}/chat/completions", "POST", chat))
        return routes

    def _guard(
        self, surface: Surface, operation: Operation, handler: Handler
    ) -> Callable[[Request], Awaitable[Response]]:
        """The handler behind everything that comes before the body is looked at."""

        async def endpoint(request: Request) -> Response:
            exchange: Exchange = request.scope["exchange"]
            self._check_key(request, exchange)
            version = exchange.entry.query.get("api-version")
            if surface == "v1":
                check_v1_version(version)
            else:
                responses = operation in ("responses", "stored_response", "compact")
                check_dated_version(version, responses=responses)
            self._extend_trail(request, exchange)
            fault = self._take_fault(exchange)
            refused = await self._apply(fault, exchange)
            return refused or await handler(request, exchange, fault)

        return endpoint

    def _check_key(self, request: Request, exchange: Exchange) -> None:
        given = request.headers.get("api-key", "").encode()
        valid = self._state.valid_keys
        exchange.entry.key_ok = any(hmac.compare_digest(given, key.encode()) for key in valid)
        if not exchange.entry.key_ok:
            raise refusals.access_denied()

    def _extend_trail(self, request: Request, exchange: Exchange) -> None:
        """A request belongs to the markers of the one that made the response it reads or continues."""
        earlier = request.path_params.get("id")
        if earlier is None and "previous_response_id" in exchange.text:
            body = exchange.json()
            earlier = body.get("previous_response_id") if isinstance(body, dict) else None
        if isinstance(earlier, str):
            exchange.entry.trail = (*exchange.entry.trail[:1], *self._state.store.trail(earlier))

    def _take_fault(self, exchange: Exchange) -> Fault | None:
        entry = exchange.entry
        streamed = entry.operation == "responses" and _asks_for_stream(exchange)
        fault = self._state.faults.take(entry.operation, streamed=streamed, marked=entry.marked)
        entry.fault = None if fault is None else fault.kind
        return fault

    async def _apply(self, fault: Fault | None, exchange: Exchange) -> Response | None:
        """What a fault does before the request is looked at."""
        match fault:
            case faults.Throttled():
                raise self._throttled(exchange, "call", fault.retry_after or 1.0, _retry_headers(fault))
            case faults.Failing():
                headers = (
                    {} if fault.retry_after is None else {"retry-after": str(math.ceil(fault.retry_after))}
                )
                echo = _prompt_in(exchange) if fault.echo_prompt else None
                raise refusals.failing(fault.status, echo, headers)
            case faults.Filtered():
                raise refusals.content_filtered()
            case faults.SlowFirstByte() if not await exchange.pause(fault.seconds):
                return _Nothing()
            case faults.HungUp():
                return _HungUp()
            case faults.EmptyBody():
                return Response(media_type="application/json")
            case faults.WebPage():
                return HTMLResponse(_WEB_PAGE)
        return None

    def _throttled(
        self,
        exchange: Exchange,
        limit: Literal["call", "token"],
        seconds: float,
        headers: dict[str, str],
    ) -> Refusal:
        policy = "DeploymentRatelimit-Call" if limit == "call" else "DeploymentRatelimit-Token"
        version = exchange.entry.query.get("api-version", "v1")
        name = _AZURE_NAMES[exchange.entry.operation]
        return refusals.throttled(name, version, limit, seconds, headers | {"policy-id": policy})

    def _charge(self, exchange: Exchange, tokens: int) -> None:
        exceeded = self._state.meter(exchange.entry.operation).charge(tokens)
        if exceeded is not None:
            milliseconds = math.ceil(exceeded.seconds * 1000)
            headers = {
                "retry-after": str(math.ceil(exceeded.seconds)),
                "retry-after-ms": str(milliseconds),
            }
            raise self._throttled(exchange, exceeded.limit, exceeded.seconds, headers)

    async def _create(self, _request: Request, exchange: Exchange, fault: Fault | None) -> Response:
        state = self._state
        self._charge(exchange, tokens_of(exchange.text))
        body = state.defect.request(exchange.json())
        asked = read_request(body, self._config.responses_deployment, state.store, state.seal)
        reply = state.replies.take(exchange.entry.marked) or answer(asked)
        response = state.defect.answer(build_response(asked, reply, self._config.responses_model, state.seal))
        state.store.remember_trail(response["id"], exchange.entry.trail)
        shown = self._keep(asked, response)
        if asked.stream:
            return _stream(response, exchange, fault, state.defect)
        return _write(shown, fault)

    def _keep(self, asked: ResponsesRequest, response: Json) -> Json:
        """Store the response where asked to; gives what the answer shows of it: a background one is still
        queued."""
        if not asked.store:
            return response
        self._state.store.put(StoredResponse(response, asked.conversation))
        if not asked.background or asked.stream:
            return response
        self._state.store.hold(response["id"])
        return response | {"status": "queued", "output": [], "usage": None, "completed_at": None}

    async def _get(self, request: Request, _exchange: Exchange, _fault: Fault | None) -> Response:
        """A background response is finished by the time it is first asked for."""
        self._state.store.release(request.path_params["id"])
        return JSONResponse(self._state.defect.stored(self._stored(request).body))

    async def _delete(self, request: Request, _exchange: Exchange, _fault: Fault | None) -> Response:
        response_id = self._stored(request).body["id"]
        self._state.store.delete(response_id)
        return JSONResponse({"id": response_id, "object": "response", "deleted": True})

    async def _input_items(self, request: Request, _exchange: Exchange, _fault: Fault | None) -> Response:
        """All items that the response was made from, the newest first unless `order=asc`; not paged."""
        items = list(self._stored(request).input_items)
        if request.query_params.get("order") != "asc":
            items.reverse()
        ends = {"first_id": items[0]["id"], "last_id": items[-1]["id"]} if items else {}
        listed = {"object": "list", "data": items, "has_more": False, "first_id": "", "last_id": ""}
        return JSONResponse(listed | ends)

    async def _cancel(self, request: Request, _exchange: Exchange, _fault: Fault | None) -> Response:
        self._stored(request)
        cancelled = self._state.store.cancel(request.path_params["id"])
        if cancelled is None:
            raise refusals.response_not_cancellable()
        return JSONResponse(cancelled)

    def _stored(self, request: Request) -> StoredResponse:
        stored = self._state.store.get(request.path_params["id"])
        if stored is None and self._state.defect.confused:
            stored = self._state.store.newest()
        if stored is None:
            raise refusals.response_not_found(request.path_params["id"])
        return stored

    async def _compact(self, _request: Request, exchange: Exchange, _fault: Fault | None) -> Response:
        state = self._state
        self._charge(exchange, tokens_of(exchange.text))
        deployment = self._config.responses_deployment
        conversation = read_compact_request(exchange.json(), deployment, state.store, state.seal)
        return JSONResponse(build_compaction(conversation, state.seal))

    async def _embed(self, request: Request, exchange: Exchange, fault: Fault | None) -> Response:
        body = exchange.json()
        self._check_deployment(request, body, self._config.embeddings_deployment)
        asked = read_embeddings_request(body, self._config.embeddings_dimensions)
        self._charge(exchange, asked.tokens)
        answered = self._state.defect.answer(build_embeddings(asked, self._config.embeddings_model))
        return _write(answered, fault)

    async def _chat(self, request: Request, exchange: Exchange, _fault: Fault | None) -> Response:
        """What Azure answers for a model that only knows the Responses API."""
        self._check_deployment(request, exchange.json(), self._config.responses_deployment)
        raise refusals.operation_not_supported("chatCompletion", self._config.responses_model)

    def _check_deployment(self, request: Request, body: Any, deployment: str) -> None:
        """On the dated paths the deployment stands in the path, on `/openai/v1/` in the body."""
        named = request.path_params.get("deployment")
        if named is None:
            check_model(body if isinstance(body, dict) else {}, deployment)
        elif named != deployment:
            raise refusals.deployment_not_found()


def _route(path: str, method: str, endpoint: Callable[[Request], Awaitable[Response]]) -> Route:
    route = Route(path, endpoint, methods=[method])
    route.methods = {method}  # Starlette adds HEAD to GET; the front has none
    return route


def _asks_for_stream(exchange: Exchange) -> bool:
    body = exchange.json() if '"stream"' in exchange.text else None
    return isinstance(body, dict) and body.get("stream") is True


def _retry_headers(fault: faults.Throttled) -> dict[str, str]:
    if fault.retry_after is None:
        return {}
    seconds = {"retry-after": str(math.ceil(fault.retry_after))}
    milliseconds = {"retry-after-ms": str(math.ceil(fault.retry_after * 1000))}
    return {
        "seconds": seconds,
        "milliseconds": milliseconds,
        "both": seconds | milliseconds,
        "none": {},
    }[fault.dialect]


def _prompt_in(exchange: Exchange) -> str:
    """What Azure would repeat of a request: its last input."""
    body = exchange.json()
    given = body.get("input") if isinstance(body, dict) else None
    last = given[-1] if isinstance(given, list) and given else given
    return text_of(last) if isinstance(last, dict) else str(last)


def _write(answer: Json, fault: Fault | None) -> Response:
    """An answer that is not streamed, with what the fault does to it."""
    match fault:
        case faults.MalformedBody():
            # With a content-length that fits what is there.
            whole = json.dumps(answer)
            return Response(whole[: len(whole) // 2], media_type="application/json")
        case faults.CutBody():
            return _CutAnswer(answer)
    return JSONResponse(answer)


def _stream(response: Json, exchange: Exchange, fault: Fault | None, defect: Defect) -> Response:
    cut = isinstance(fault, faults.CutStream) and not fault.cleanly
    events = defect.events(list(_events(response, fault)))
    frames = _frames(events, exchange, fault)
    return _EventStream(_hold_back(frames) if defect.held_back else frames, exchange, complete=not cut)


async def _hold_back(frames: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield b"".join([data async for data in frames])


async def _frames(events: list[Json], exchange: Exchange, fault: Fault | None) -> AsyncIterator[bytes]:
    """The events as bytes, with what the fault does to them."""
    for number, event in enumerate(events):
        match fault:
            case faults.CutStream() if number == fault.after_events:
                await exchange.pause(fault.seconds)
                return
            case faults.SilentStream() if number == fault.after_events:
                await exchange.pause(fault.seconds)
            case faults.MalformedBody() if number == fault.event:
                data = frame(event)
                yield data[: len(data) // 2] + b"\n\n"
                continue
        yield frame(event)


def _events(response: Json, fault: Fault | None) -> Iterator[Json]:
    if isinstance(fault, faults.FailedStream):
        return failing_events_of(response, fault.code, after_output=fault.after_output)
    return events_of(response)
