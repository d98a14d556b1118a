"""The events of a streamed response, in the service's order, each with its sequence number.

Framing is Azure's: an `event:` and a `data:` line for each, and no `[DONE]` at the end.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import count

from aigateway.simulator.store import Json

_WORDS = re.compile(r"\s*\S+|\s+$")
_ARGUMENT_CHUNK = 8


def events_of(response: Json) -> Iterator[Json]:
    """Every event of a finished response."""
    numbers = count()
    for event in _unnumbered(response):
        yield event | {"sequence_number": next(numbers)}


def failing_events_of(response: Json, code: str, *, after_output: bool) -> Iterator[Json]:
    """The events of a response that fails, before or after the first piece of output."""
    number = 0
    for event in events_of(response):
        if not after_output and event["type"] == "response.output_item.added":
            break
        yield event
        number += 1
        if event["type"].endswith(".delta"):
            break
    message = (
        "Rate limit is exceeded. Try again in 26 seconds."
        if code == "rate_limit_exceeded"
        else "The server had an error while processing your request. Sorry about that!"
    )
    failed = _unfinished(response, "failed") | {"error": {"code": code, "message": message}}
    yield {"type": "response.failed", "response": failed, "sequence_number": number}


def frame(event: Json) -> bytes:
    """One server-sent event."""
    return f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode()


def _unfinished(response: Json, status: str) -> Json:
    return response | {"status": status, "output": [], "usage": None, "completed_at": None}


def _unnumbered(response: Json) -> Iterator[Json]:
    started = _unfinished(response, "in_progress") | {"incomplete_details": None}
    yield {"type": "response.created", "response": started}
    yield {"type": "response.in_progress", "response": started}
    for index, item in enumerate(response["output"]):
        yield from _item_events(item, index)
    yield {"type": f"response.{response['status']}", "response": response}


def _item_events(item: Json, index: int) -> Iterator[Json]:
    where = {"item_id": item["id"], "output_index": index}
    if item["type"] == "message":
        empty, inner = {"status": "in_progress", "content": []}, _text_events(item, where)
    elif item["type"] == "reasoning":
        empty, inner = {"summary": []}, _summary_events(item, where)
    elif item["type"] == "custom_tool_call":
        empty, inner = (
            {"input": ""},
            _argument_events("custom_tool_call_input", "input", item["input"], where),
        )
    else:
        empty = {"status": "in_progress", "arguments": ""}
        inner = _argument_events("function_call_arguments", "arguments", item["arguments"], where)
    yield {"type": "response.output_item.added", "output_index": index, "item": item | empty}
    yield from inner
    yield {"type": "response.output_item.done", "output_index": index, "item": item}


def _text_events(item: Json, where: Json) -> Iterator[Json]:
    for place, part in enumerate(item["content"]):
        here = where | {"content_index": place}
        yield {"type": "response.content_part.added", "part": part | {"text": ""}} | here
        for delta in _WORDS.findall(part["text"]):
            yield {"type": "response.output_text.delta", "delta": delta, "logprobs": []} | here
        yield {"type": "response.output_text.done", "text": part["text"], "logprobs": []} | here
        yield {"type": "response.content_part.done", "part": part} | here


def _summary_events(item: Json, where: Json) -> Iterator[Json]:
    for place, part in enumerate(item["summary"]):
        here = where | {"summary_index": place}
        kind = "response.reasoning_summary"
        yield {"type": f"{kind}_part.added", "part": part | {"text": ""}} | here
        for delta in _WORDS.findall(part["text"]):
            yield {"type": f"{kind}_text.delta", "delta": delta} | here
        yield {"type": f"{kind}_text.done", "text": part["text"]} | here
        yield {"type": f"{kind}_part.done", "part": part} | here


def _argument_events(kind: str, key: str, raw: str, where: Json) -> Iterator[Json]:
    for start in range(0, len(raw), _ARGUMENT_CHUNK):
        yield {"type": f"response.{kind}.delta", "delta": raw[start : start + _ARGUMENT_CHUNK]} | where
    yield {"type": f"response.{kind}.done", key: raw} | where
