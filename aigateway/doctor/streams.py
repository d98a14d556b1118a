"""Event streams as they came, and what that says about the way: pure functions."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from aigateway.doctor.catalogue import (
    FIRST_EVENT_SLOW,
    MODEL_FAILED,
    NOT_OPENAI,
    STREAM_BUFFERED,
    STREAM_CUT,
    STREAM_GAP,
    STREAM_IGNORED,
    STREAM_UNFINISHED,
    USAGE_MISSING,
)
from aigateway.doctor.question import Patience
from aigateway.doctor.results import Complaint, Found, complain

StreamEnd = Literal["ended", "broke", "unfinished"]

# Fewer cannot be told from an answer in one piece.
_FEWEST_EVENTS = 6
# Of the time that the whole answer took: all events came within so little of it.
_AT_ONCE = 0.1
# What passes a stream on keeps its chunks, one for an event; what collects it makes a few large ones of them. A slow
# start, and then a fast model, looks alike in time.
_EVENTS_IN_A_PIECE = 3
_ENDS = {"response.completed", "response.incomplete"}
_FAILURES = {"response.failed", "error"}


@dataclass(frozen=True)
class Event:
    """A `data:` of a stream and when it came, in seconds since the request was sent."""

    at: float
    data: str

    @property
    def content(self) -> Mapping[str, Any]:
        """Its JSON; empty where it is none."""
        try:
            content = json.loads(self.data)
        except (ValueError, RecursionError):
            return {}
        return content if isinstance(content, dict) else {}


@dataclass(frozen=True)
class Stream:
    """An answer that was asked for as a stream, and how it ended; `unfinished`: the doctor left before it did.

    `pieces`: in how many chunks of HTTP it came.
    """

    headers: Mapping[str, str]
    events: tuple[Event, ...]
    seconds: float
    end: StreamEnd = "ended"
    pieces: int = 0

    @property
    def is_stream(self) -> bool:
        """Whether it came as one."""
        return self.headers.get("content-type", "").lower().startswith("text/event-stream")

    @property
    def kinds(self) -> list[str]:
        """The type of each event of the Responses API."""
        return [str(event.content.get("type", "")) for event in self.events]

    @property
    def response_id(self) -> str:
        """The id of the response in it."""
        for event in self.events:
            response = event.content.get("response")
            if isinstance(response, dict) and isinstance(response.get("id"), str):
                return str(response["id"])
        return ""


class Splitter:
    """Takes the bytes of a stream as they come; gives each `data:` when its line is whole."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, piece: bytes) -> list[str]:
        """The data that are complete with this piece."""
        *lines, self._rest = (self._rest + piece).split(b"\n")
        return [line[5:].strip().decode("utf-8", "replace") for line in lines if line.startswith(b"data:")]


def judge_answer(stream: Stream) -> Found:
    """Whether a streamed answer of the Responses API is one, and the model did not fail."""
    if not stream.is_stream:
        kind = stream.headers.get("content-type", "")[:60] or "nothing"
        return complain(STREAM_IGNORED, f"the answer is {kind}")
    if failure := _find_failure(stream):
        return complain(MODEL_FAILED, failure)
    if stream.events and not any(kind.startswith("response.") for kind in stream.kinds):
        return complain(NOT_OPENAI, "none of the stream's events is one of the Responses API")
    return Found(f"answers after {stream.events[0].at:.2f} s" if stream.events else "answers, with no event")


def judge_timing(stream: Stream, patience: Patience) -> Found:
    """Whether the events came one by one, soon, without a long silence, to the end."""
    complaints = list(
        filter(None, (_judge_end(stream), _judge_buffering(stream, patience), _judge_pace(stream, patience)))
    )
    if not stream.events:
        return Found("no event came", tuple(complaints))
    first, gap = stream.events[0].at, _find_gap(stream)[0]
    if first > patience.slow_first_event and not complaints:
        complaints.append(Complaint(FIRST_EVENT_SLOW, f"it came after {first:.1f} s"))
    said = f"{len(stream.events)} events, the first after {first:.2f} s, the longest silence {gap:.2f} s"
    return Found(said, tuple(complaints))


def _judge_end(stream: Stream) -> Complaint | None:
    if (_ENDS | _FAILURES) & set(stream.kinds):
        return None
    if stream.end == "unfinished":
        return Complaint(STREAM_UNFINISHED, f"{len(stream.events)} events came in {stream.seconds:.0f} s")
    how = "the connection broke" if stream.end == "broke" else "the stream ended"
    return Complaint(STREAM_CUT, f"{how} after {len(stream.events)} events, without response.completed")


def _judge_buffering(stream: Stream, patience: Patience) -> Complaint | None:
    if "content-length" in stream.headers:
        # Nobody knows the length of a stream before its end.
        return Complaint(
            STREAM_BUFFERED, "the stream has a Content-Length: it was collected before it was sent"
        )
    if len(stream.events) < _FEWEST_EVENTS or stream.seconds < patience.telling:
        return None
    spread = stream.events[-1].at - stream.events[0].at
    if spread > _AT_ONCE * stream.seconds or stream.pieces * _EVENTS_IN_A_PIECE > len(stream.events):
        return None
    said = f"all {len(stream.events)} events came within {spread:.2f} s, after {stream.events[0].at:.1f} s of silence"
    return Complaint(STREAM_BUFFERED, said)


def _judge_pace(stream: Stream, patience: Patience) -> Complaint | None:
    gap, place = _find_gap(stream)
    if gap <= patience.silence:
        return None
    return Complaint(STREAM_GAP, f"{gap:.1f} s between the events {place} and {place + 1}")


def _find_gap(stream: Stream) -> tuple[float, int]:
    """The longest silence between two events, and after which event."""
    times = [event.at for event in stream.events]
    if stream.end == "unfinished":
        times.append(stream.seconds)
    gaps = [(later - earlier, place) for place, (earlier, later) in enumerate(itertools.pairwise(times), 1)]
    return max(gaps, default=(0.0, 0))


def _find_failure(stream: Stream) -> str:
    for event in stream.events:
        content = event.content
        if content.get("type") in _FAILURES or (content.get("error") and "type" not in content):
            response = content.get("response") if isinstance(content.get("response"), dict) else content
            error = (response or {}).get("error") or content
            message = error.get("message") if isinstance(error, dict) else error
            return "".join(letter for letter in str(message)[:240] if letter.isprintable())
    return ""


def judge_chat(stream: Stream) -> Found:
    """Whether a streamed chat completion is one, to its end, and says what it has cost."""
    if not stream.is_stream:
        return complain(
            STREAM_IGNORED, f"the answer is {stream.headers.get('content-type', '')[:60] or 'nothing'}"
        )
    if failure := _find_failure(stream):
        return complain(MODEL_FAILED, failure)
    data = [event.data for event in stream.events]
    if "[DONE]" not in data:
        return complain(STREAM_CUT, f"the stream ended after {len(data)} events, without [DONE]")
    if not any(event.content.get("usage") for event in stream.events):
        return complain(USAGE_MISSING, "no event holds usage")
    return Found(f"taken: {len(data)} events, to the end")
