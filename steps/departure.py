"""Clients that leave before they have their answer, and what becomes of the work for them."""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping
from functools import partial
from typing import Any

from pytest_bdd import given, parsers, then, when

from aigateway.simulator.faults import CutStream, SilentStream, SlowFirstByte
from aigateway.waiting import wait_until
from steps.answers import OPERATIONS, attempt
from steps.azure import ARRIVAL_SECONDS
from steps.gateway import Gateway, LocalControl
from steps.load import mark_flood
from steps.wire import asking, find_host, leave_unanswered, write_request

# Azure would be busy for so long with a request whose client leaves.
_LONG_SECONDS = 30.0
_NOTICED_SECONDS = 20.0
_READ_BYTES = 65536

# What is asked for has so many pieces that a client which leaves after the first does so while others are coming.
_PIECES = 100
_FIRST_PIECE = b'"1,"'
_EVENTS_BEFORE_PAUSE = 90
_EVENTS_BEFORE_CUT = 5

_PATHS: Mapping[str, str] = {
    "an answer": "/v1/responses",
    "a streamed answer": "/v1/responses",
    "a chat completion": "/v1/chat/completions",
    "a streamed chat completion": "/v1/chat/completions",
    "embeddings": "/v1/embeddings",
}


def _write_request(gateway: Gateway, operation: str, marker: str) -> bytes:
    body = json.dumps(_write_body(gateway, operation, marker)).encode()
    headers = {
        "Host": find_host(gateway),
        "Authorization": f"Bearer {gateway.key}",
        "Content-Type": "application/json",
    }
    return write_request("POST", _PATHS[operation], headers.items(), body)


def _write_body(gateway: Gateway, operation: str, marker: str) -> dict[str, Any]:
    azure = gateway.settings.azure
    prompt = f"Count from 1 to {_PIECES}, separated by commas and spaces. ({marker})"
    if operation == "embeddings":
        return {"model": azure.embeddings.model, "input": [marker]}
    question = (
        {"messages": [{"role": "user", "content": prompt}]} if "chat" in operation else {"input": prompt}
    )
    return {"model": azure.responses.model, "stream": "streamed" in operation, **question}


def _read_first_piece(connection: socket.socket) -> None:
    arrived = b""
    while _FIRST_PIECE not in arrived:
        piece = connection.recv(_READ_BYTES)
        assert piece, f"the stream ended before its first piece: {arrived[-300:]!r}"
        arrived += piece


@when(parsers.parse("an assistant asks for {operation} and leaves before its first byte"))
def _(gateway: Gateway, control: LocalControl, marker: str, operation: str) -> None:
    control.azure.inject(SlowFirstByte(_LONG_SECONDS), marker=marker)
    leave_unanswered(gateway, control, marker, _write_request(gateway, operation, marker))


@when(parsers.parse("an assistant asks for {operation} and leaves after its first piece"))
def _(gateway: Gateway, control: LocalControl, marker: str, operation: str) -> None:
    _leave_after_piece(gateway, control, marker, operation)


def _leave_after_piece(gateway: Gateway, control: LocalControl, marker: str, operation: str) -> None:
    control.azure.inject(SilentStream(_EVENTS_BEFORE_PAUSE, _LONG_SECONDS), marker=marker)
    with asking(gateway, _write_request(gateway, operation, marker)) as connection:
        _read_first_piece(connection)


@then("Azure soon stops working for it")
def _(control: LocalControl, marker: str) -> None:
    def is_left() -> bool:
        return all(request.disconnected for request in control.azure.requests(marker=marker))

    assert wait_until(is_left, seconds=_NOTICED_SECONDS), "Azure goes on working for nobody"


@given(parsers.parse("{left:d} assistants that have left their streams, and {cut:d} whose streams Azure cut"))
def _(gateway: Gateway, control: LocalControl, marker: str, left: int, cut: int) -> None:
    for number in range(left):
        _leave_after_piece(gateway, control, f"left{number}{mark_flood(marker)}", "a streamed answer")
    for number in range(cut):
        own = f"cut{number}{mark_flood(marker)}"
        control.azure.inject(CutStream(_EVENTS_BEFORE_CUT, ARRIVAL_SECONDS), marker=own)
        assert attempt(partial(OPERATIONS["a streamed answer"], gateway, own)).broken
