"""The access log: one line of JSON for each request, as docs/access-log.md explains it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, ValidationError

from aigateway.launching.parts import PartReference
from aigateway.waiting import wait_until

# Envoy writes its lines out five times a second; the rest is a busy machine's share.
_LOG_SECONDS = 10.0


class Line(BaseModel):
    """A line of the access log, with just the fields that it should have, and of their types."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    time: str
    environment: str
    route: str | None
    client: str | None
    method: str | None
    status: int
    failed: str
    stream: str | None
    details: str
    flags: str
    duration_ms: int
    first_byte_ms: int | None
    attempts: int
    request_bytes: int
    response_bytes: int
    request_id: str | None
    azure_request_id: str | None


@dataclass(frozen=True)
class AccessLog:
    """What an edge has printed so far: its lines, and whatever else there is."""

    text: str
    lines: tuple[Line, ...]
    others: tuple[str, ...]


def read_access_log(edge: PartReference) -> AccessLog:
    """Read an edge's log; a line that is not what it should be fails the step."""
    # What stands after the last line break is still being written.
    text = edge.read_log().rpartition("\n")[0]
    printed = text.splitlines()
    return AccessLog(
        text,
        tuple(parse_line(line) for line in printed if line.startswith("{")),
        tuple(line for line in printed if not line.startswith("{")),
    )


def parse_line(line: str) -> Line:
    """One line; what is none fails the step."""
    try:
        return Line.model_validate_json(line)
    except ValidationError as error:
        raise AssertionError(f"no line of an access log: {line}\n{error}") from error


def wait_for_lines(edge: PartReference, request_ids: Collection[str]) -> dict[str, Line]:
    """The line of each of these requests, once all have been written; each must have one and no more."""
    found: list[Line] = []

    def is_written() -> bool:
        found[:] = [line for line in read_access_log(edge).lines if line.request_id in request_ids]
        return len(found) >= len(request_ids)

    assert wait_until(is_written, seconds=_LOG_SECONDS), "not every request left a line in the access log"
    lines = {str(line.request_id): line for line in found}
    assert len(lines) == len(found), "a request left two lines in the access log"
    return lines
