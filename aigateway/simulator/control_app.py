"""The control plane: a second application on a port of its own.

So the data listener can be closed for a time while scenarios still reach this one, and nothing of it can be
reached through the gateway.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, cast, get_args

from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from aigateway.simulator.config import QUOTA_JSON
from aigateway.simulator.defects import DEFECTS, Defect
from aigateway.simulator.faults import FAULT_JSON, Operation, Refused
from aigateway.simulator.ledger import RECORDS_JSON
from aigateway.simulator.replies import REPLY_JSON
from aigateway.simulator.state import SimulatorState


def create_control_app(state: SimulatorState) -> Starlette:
    """The application that `SimulatorControl` talks to."""
    plane = _ControlPlane(state)
    return Starlette(
        routes=[
            _route("/faults", "POST", plane.add_fault),
            _route("/replies", "POST", plane.add_reply),
            _route("/quota", "POST", plane.set_quota),
            _route("/defect", "POST", plane.set_defect),
            _route("/retired-key", "POST", plane.retire_key),
            _route("/reset", "POST", plane.reset),
            _route("/requests", "GET", plane.requests),
            _route("/peak", "GET", plane.peak),
            _route("/tally", "GET", plane.tally),
        ],
        exception_handlers={ValidationError: _invalid},
    )


class _ControlPlane:
    def __init__(self, state: SimulatorState) -> None:
        self._state = state

    async def add_fault(self, request: Request) -> Response:
        body = await request.json()
        fault = FAULT_JSON.validate_python(body["fault"])
        if not isinstance(fault, Refused):
            self._state.faults.add(fault, body["marker"])
        elif self._state.refuse is None:
            return _bad("this simulator has no listener of its own to close")
        else:
            await self._state.refuse(fault.seconds)
        return _done()

    async def add_reply(self, request: Request) -> Response:
        body = await request.json()
        self._state.replies.add(REPLY_JSON.validate_python(body["reply"]), body["marker"])
        return _done()

    async def set_quota(self, request: Request) -> Response:
        body = await request.json()
        self._state.limit(QUOTA_JSON.validate_python(body["quota"]))
        return _done()

    async def set_defect(self, request: Request) -> Response:
        name = (await request.json())["name"]
        if name is not None and name not in DEFECTS:
            return _bad(f"unknown defect {name!r}; known: {', '.join(DEFECTS)}")
        self._state.defect = DEFECTS[name] if name else Defect()
        return _done()

    async def retire_key(self, _request: Request) -> Response:
        self._state.retire_key()
        return _done()

    async def reset(self, request: Request) -> Response:
        body = await request.json()
        self._state.reset(body["marker"])
        return _done()

    async def requests(self, request: Request) -> Response:
        operation = _operation(request)
        if operation == "?":
            return _bad("unknown operation")
        found = self._state.ledger.find(
            request.query_params.get("marker"), cast("Operation | None", operation)
        )
        return Response(RECORDS_JSON.dump_json(found), media_type="application/json")

    async def peak(self, request: Request) -> Response:
        operation = _operation(request)
        if operation == "?":
            return _bad("unknown operation")
        return JSONResponse({"peak": self._state.ledger.peak_parallel(cast("Operation | None", operation))})

    async def tally(self, request: Request) -> Response:
        operation = _operation(request)
        if operation in (None, "?"):
            return _bad("unknown operation")
        return JSONResponse(self._state.ledger.tally(cast("Operation", operation)))


def _operation(request: Request) -> str | None:
    """The operation asked for; None for all, "?" for one that does not exist."""
    given = request.query_params.get("operation")
    return given if given is None or given in get_args(Operation) else "?"


async def _invalid(_request: Request, error: Exception) -> Response:
    return _bad(str(error))


def _bad(reason: str) -> Response:
    return JSONResponse({"error": reason}, status_code=400)


def _done() -> Response:
    return Response(status_code=204)


def _route(path: str, method: str, endpoint: Callable[[Request], Awaitable[Any]]) -> Route:
    return Route(path, endpoint, methods=[method])
