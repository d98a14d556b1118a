"""What Log Analytics knows of a deployed gateway, minutes after it was printed."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import httpx
import pytest
from pytest_bdd import given, then, when

from aigateway.acceptance.target import Target
from aigateway.deployed.logs import find_log_lines
from aigateway.waiting import wait_until
from steps.access_log import parse_line
from steps.gateway import Gateway, connect_http

# It mostly takes two to five minutes.
_INGESTION_SECONDS = 600.0
_EVERY_SECONDS = 5.0
_HOURS = 1.0


@dataclass(frozen=True)
class Found:
    """The lines with one of the requests' ids, or with what stood in the requests."""

    request_ids: frozenset[str]
    lines: tuple[str, ...]


@given("an answer and a vector, whose lines in the log have come to Log Analytics", target_fixture="found")
def _(gateway: Gateway, target: Target, marker: str) -> Found:
    if not target.workspace:
        pytest.skip("no Log Analytics workspace is known; give --workspace ID")
    azure = gateway.settings.azure
    request_ids = {
        _send(gateway, "responses", azure.responses.model, f"Reply with exactly: {marker}"),
        _send(gateway, "embeddings", azure.embeddings.model, f"def {marker}(): pass"),
    }
    return _wait_for(target, request_ids, marker)


@when("the line of a later request has come there too", target_fixture="found")
def _(gateway: Gateway, target: Target, marker: str, found: Found) -> Found:
    # LiteLLM's lines may come after the edge's, but not so long after.
    later = _read_id(connect_http().get(f"{gateway.base_url}/v1/models", headers=_authorize(gateway)))
    _wait_for(target, {later})
    return _wait_for(target, found.request_ids, marker)


def _wait_for(target: Target, request_ids: Collection[str], *words: str) -> Found:
    """The lines with these ids or words, once each id has one."""
    lines: list[str] = []

    def have_come() -> bool:
        lines[:] = find_log_lines(target.workspace, {*request_ids, *words}, _HOURS)
        return all(any(request_id in line for line in lines) for request_id in request_ids)

    in_time = wait_until(have_come, seconds=_INGESTION_SECONDS, every=_EVERY_SECONDS)
    assert in_time, f"{request_ids} are not in Log Analytics after {_INGESTION_SECONDS:.0f} s"
    return Found(frozenset(request_ids), tuple(lines))


def _send(gateway: Gateway, endpoint: str, model: str, text: str) -> str:
    """Send a request, and return its id."""
    return _read_id(
        connect_http().post(
            f"{gateway.base_url}/v1/{endpoint}",
            json={"model": model, "input": text},
            headers=_authorize(gateway),
        )
    )


def _authorize(gateway: Gateway) -> dict[str, str]:
    return {"Authorization": f"Bearer {gateway.key}"}


def _read_id(answer: httpx.Response) -> str:
    """The id of a request that was served."""
    headers = answer.raise_for_status().headers
    assert "x-request-id" in headers, "the answer has no request id"
    return str(headers["x-request-id"])


@then("each request has left one line there, in JSON")
def _(found: Found) -> None:
    lines = [line for line in found.lines if any(request_id in line for request_id in found.request_ids)]
    assert sorted(str(parse_line(line).request_id) for line in lines) == sorted(found.request_ids)


@then("neither what was asked nor what was indexed stands there")
def _(found: Found, marker: str) -> None:
    assert [line for line in found.lines if marker in line] == []
