"""What Log Analytics knows of a deployed gateway, minutes after it was printed."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import pytest
from pytest_bdd import given, then, when

from aigateway.acceptance.target import Target
from aigateway.deployed.logs import find_log_lines
from aigateway.waiting import wait_until
from steps.access_log import parse_line
from steps.answers import Outcome
from steps.gateway import Gateway
from steps.messages import Message, send
from steps.secrecy import write_everything, write_mistake

# It mostly takes two to five minutes.
_INGESTION_SECONDS = 600.0
_EVERY_SECONDS = 5.0
_HOURS = 1.0


@dataclass(frozen=True)
class Found:
    """The lines with one of the requests' ids, or with the word that stood in each of the requests."""

    request_ids: frozenset[str]
    lines: tuple[str, ...]


# LiteLLM would have something to say of them.
_MISTAKES = ("half of its JSON", "metadata that is a text", "the name of no model")


@given(
    "all that clients say, in good requests and in mistaken ones, and their lines in Log Analytics",
    target_fixture="found",
)
def _(gateway: Gateway, target: Target, marker: str) -> Found:
    if not target.workspace:
        pytest.skip("no Log Analytics workspace is known; give --workspace ID")
    good = [send(gateway, message) for message in write_everything(gateway, marker)]
    mistaken = [send(gateway, write_mistake(gateway, marker, mistake)) for mistake in _MISTAKES]
    assert [outcome.status for outcome in good] == [200] * len(good)
    assert all(400 <= outcome.status < 500 for outcome in mistaken), [one.status for one in mistaken]
    return _wait_for(target, {_read_id(outcome) for outcome in (*good, *mistaken)}, marker)


@when("the line of a later request has come there too", target_fixture="found")
def _(gateway: Gateway, target: Target, marker: str, found: Found) -> Found:
    # LiteLLM's lines may come after the edge's, but not so long after.
    later = send(gateway, Message("/v1/models", method="GET"))
    assert later.status == 200, f"status {later.status}: {later.text:.300}"
    _wait_for(target, {_read_id(later)})
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


def _read_id(outcome: Outcome) -> str:
    assert "x-request-id" in outcome.headers, f"an answer with status {outcome.status} has no request id"
    return outcome.headers["x-request-id"]


@then("each request has left one line there, in JSON")
def _(found: Found) -> None:
    lines = [line for line in found.lines if any(request_id in line for request_id in found.request_ids)]
    assert sorted(str(parse_line(line).request_id) for line in lines) == sorted(found.request_ids)


@then("nothing of what they said stands there")
def _(found: Found, marker: str) -> None:
    assert [line for line in found.lines if marker in line] == []
