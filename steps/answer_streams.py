"""Streamed answers as clients read them: strict readers of the two kinds.

Codex, Roo and the others each have a parser of their own. These read what any of them needs, and nothing that is not
there passes: OpenAI's package for Python would fill in or forgive a good deal.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]

_DONE = "[DONE]"
_ARGUMENTS = {"function_call": "arguments", "custom_tool_call": "input"}


class StreamFailedError(AssertionError):
    """The stream said itself that it failed; `error` is what it said."""

    def __init__(self, error: Json) -> None:
        super().__init__(f"the stream failed: {error}")
        self.error = error


@dataclass(frozen=True)
class Call:
    """A tool that the model calls: the text of its arguments is JSON, or anything for a custom tool."""

    id: str
    name: str
    arguments: str
    kind: str = "function_call"


@dataclass(frozen=True)
class Answer:
    """A whole streamed answer; `items` is what the model added to the conversation."""

    text: str
    calls: tuple[Call, ...]
    items: tuple[Json, ...]
    tokens: int


def read_events(chunks: Iterable[bytes]) -> Iterator[str]:
    """The data of each server-sent event, as it arrives."""
    rest = b""
    for chunk in chunks:
        *frames, rest = (rest + chunk).replace(b"\r\n", b"\n").split(b"\n\n")
        for frame in frames:
            yield from _read_frame(frame.strip(b"\n").decode())
    assert not rest.strip(), f"the stream ended inside of an event: {rest!r:.200}"


def _read_frame(frame: str) -> Iterator[str]:
    data = []
    for line in frame.split("\n") if frame else ():
        name, _, value = line.partition(":")
        assert name in {"data", "event", ""}, f"no line of a server-sent event: {line:.200}"
        if name == "data":
            data.append(value.removeprefix(" "))
    if data:
        yield "\n".join(data)


def _parse(data: str) -> Json:
    try:
        event = json.loads(data)
    except ValueError as error:
        raise AssertionError(f"an event is not JSON: {data:.200}") from error
    assert isinstance(event, dict), f"an event is no object: {data:.200}"
    return event


# --- the Responses API


def read_responses(chunks: Iterable[bytes], *, closes_early: bool = False) -> Answer:
    """Read a stream of the Responses API to its end or, with `closes_early`, to the event that completes it."""
    pieces: dict[str, str] = {}
    items: list[Json] = []
    final: Json | None = None
    for event in _follow(read_events(chunks)):
        assert final is None, f"an event after the last one: {event['type']}"
        if event["type"].endswith(".delta"):
            pieces[event["item_id"]] = pieces.get(event["item_id"], "") + event["delta"]
        elif event["type"] == "response.output_item.done":
            items.append(event["item"])
        elif event["type"] in {"response.failed", "error"}:
            raise StreamFailedError(event.get("response", event)["error"])
        elif event["type"] == "response.completed":
            final = event["response"]
            if closes_early:
                break
    assert final is not None, "the stream ended before response.completed"
    return _build_answer(final, items, pieces)


def _follow(events: Iterable[str]) -> Iterator[Json]:
    """The events up to the end, with numbers that rise."""
    number = -1
    for data in events:
        if data == _DONE:
            return
        event = _parse(data)
        assert event["sequence_number"] > number, "the sequence numbers do not rise"
        number = event["sequence_number"]
        yield event


def _build_answer(final: Json, items: list[Json], pieces: dict[str, str]) -> Answer:
    """The answer, in which the pieces, the finished items and the final response agree."""
    assert final["status"] == "completed"
    assert final["output"] == items, "the final response is not what was streamed"
    for item in items:
        whole = item[_ARGUMENTS[item["type"]]] if item["type"] in _ARGUMENTS else _join_text(item)
        assert pieces.get(item["id"], "") == whole, f"the pieces are not the item: {whole:.200}"
    calls = tuple(
        Call(item["call_id"], item["name"], item[_ARGUMENTS[item["type"]]], item["type"])
        for item in items
        if item["type"] in _ARGUMENTS
    )
    text = "".join(_join_text(item) for item in items if item["type"] == "message")
    return Answer(text, calls, tuple(items), _count_tokens(final["usage"], "input_tokens", "output_tokens"))


def _join_text(item: Json) -> str:
    parts = item["summary"] if item["type"] == "reasoning" else item["content"]
    return "".join(part["text"] for part in parts)


def _count_tokens(usage: Json, asked: str, answered: str) -> int:
    total: int = usage["total_tokens"]
    assert total == usage[asked] + usage[answered]
    assert total > 0
    return total


# --- chat completions


def read_chat(chunks: Iterable[bytes]) -> Answer:
    """Read a stream of chat completions that was asked for with its usage."""
    texts: list[str] = []
    calls: dict[int, Json] = {}
    finishes: list[str] = []
    usages: list[Json] = []
    for chunk in _follow_chat(read_events(chunks)):
        assert chunk["object"] == "chat.completion.chunk"
        usages += [chunk["usage"]] if chunk.get("usage") else []
        for choice in chunk["choices"]:
            texts.append(choice["delta"].get("content") or "")
            for piece in choice["delta"].get("tool_calls") or ():
                _add_piece(calls, piece)
            finishes += [choice["finish_reason"]] if choice.get("finish_reason") else []
    assert finishes == ["tool_calls" if calls else "stop"]
    assert len(usages) == 1, f"{len(usages)} usages"
    message: Json = {"role": "assistant", "content": "".join(texts)}
    if calls:
        message["tool_calls"] = list(calls.values())
    return Answer(
        "".join(texts),
        tuple(_read_call(call) for call in calls.values()),
        (message,),
        _count_tokens(usages[0], "prompt_tokens", "completion_tokens"),
    )


def _follow_chat(events: Iterable[str]) -> Iterator[Json]:
    """The chunks up to the end, which says so."""
    for data in events:
        if data == _DONE:
            return
        chunk = _parse(data)
        if "error" in chunk:
            raise StreamFailedError(chunk["error"])
        yield chunk
    raise AssertionError("the stream ended before [DONE]")


def _add_piece(calls: dict[int, Json], piece: Json) -> None:
    """A call's id and name come with its first piece; its arguments in all of them."""
    function = piece["function"]
    if piece["index"] not in calls:
        calls[piece["index"]] = {
            "id": piece["id"],
            "type": "function",
            "function": {"name": function["name"], "arguments": ""},
        }
    calls[piece["index"]]["function"]["arguments"] += function.get("arguments") or ""


def _read_call(call: Json) -> Call:
    return Call(call["id"], call["function"]["name"], call["function"]["arguments"])
