"""Everything that the simulator takes and emits is compared with the types of the installed `openai`
client."""

from __future__ import annotations

import json
import typing
from typing import Any

import httpx
import pydantic
import pytest
from openai.types import CreateEmbeddingResponse
from openai.types.responses import (
    CompactedResponse,
    Response,
    ResponseItemList,
    ResponseStreamEvent,
    response_compact_params,
    response_create_params,
    response_includable,
    response_input_item_param,
    tool_param,
)

from aigateway.simulator import items, request, tools
from aigateway.simulator.control import SimulatorControl
from aigateway.simulator.faults import FailedStream
from aigateway.simulator.replies import Reply, ToolCall
from aigateway.simulator.server import SimulatorProcess

RESPONSES = "/openai/responses?api-version=2025-04-01-preview"
# The service says whether it stores a response; the client's type has no field for it.
UNTYPED = {"store"}

FUNCTION = {
    "type": "function",
    "name": "read_file",
    "strict": True,
    "parameters": {
        "type": "object",
        "properties": {"path": {"type": "string"}, "lines": {"type": ["integer", "null"]}},
        "required": ["path", "lines"],
        "additionalProperties": False,
    },
}
NAMESPACE = {
    "type": "namespace",
    "name": "shell",
    "description": "d",
    "tools": [{"type": "function", "name": "run"}],
}
ASKED: dict[str, dict[str, Any]] = {
    "text": {"input": "Count from 1 to 5", "metadata": {"a": "b"}, "user": "me", "store": False},
    "instructions": {
        "input": [{"role": "user", "content": "hello"}],
        "instructions": "Be short.",
        "truncation": "auto",
    },
    "reasoning": {
        "input": "hello",
        "reasoning": {"effort": "low", "summary": "auto"},
        "include": ["reasoning.encrypted_content"],
        "store": False,
        "prompt_cache_key": "key",
        "prompt_cache_retention": "24h",
    },
    "function": {"input": "Read Makefile", "tools": [FUNCTION], "tool_choice": "required"},
    "custom": {
        "input": "patch it",
        "tools": [{"type": "custom", "name": "apply"}],
        "tool_choice": "required",
    },
    "namespace": {"input": "run it", "tools": [NAMESPACE, {"type": "web_search"}], "tool_choice": "required"},
    "incomplete": {"input": "Count from 1 to 500", "max_output_tokens": 16},
    "schema": {
        "input": "hello",
        "text": {"format": {"type": "json_schema", "name": "n", "schema": FUNCTION["parameters"]}},
    },
}


def hints(typed_dict: Any) -> set[str]:
    return set(typing.get_type_hints(typed_dict))


def members(union: Any) -> list[Any]:
    """The types of a union, through any nesting and annotation."""
    arguments = [each for each in typing.get_args(union) if isinstance(each, type) or typing.get_origin(each)]
    found: list[Any] = []
    for each in arguments:
        found += members(each) if typing.get_origin(each) in (typing.Union, typing.Annotated) else [each]
    return found


def literals(annotation: Any) -> set[str]:
    nested = [literals(each) if typing.get_args(each) else {each} for each in typing.get_args(annotation)]
    return {value for values in nested for value in values if isinstance(value, str)}


EVENTS: dict[str, type[pydantic.BaseModel]] = {
    name: model
    for model in members(ResponseStreamEvent)
    for name in literals(model.model_fields["type"].annotation)
}


def check(model: type[pydantic.BaseModel], body: dict[str, Any]) -> None:
    """The body has every field that the type requires, none that it does not know, and survives the round
    trip."""
    parsed = model.model_validate(body)
    assert unknown_fields(parsed) <= UNTYPED
    assert typing.cast("Any", parsed).to_dict(mode="json") == body


def unknown_fields(value: Any) -> set[str]:
    if isinstance(value, pydantic.BaseModel):
        inner = [unknown_fields(getattr(value, name)) for name in type(value).model_fields]
        return set(value.model_extra or {}).union(*inner)
    if isinstance(value, list):
        return set().union(*map(unknown_fields, value))
    return set()


def events_in(text: str) -> list[dict[str, Any]]:
    """The events of a stream, whose framing is checked on the way."""
    events = []
    for block in text.removesuffix("\n\n").split("\n\n"):
        name, data = block.split("\n")
        event = json.loads(data.removeprefix("data: "))
        assert name == f"event: {event['type']}"
        events.append(event)
    return events


def test_parameters_are_those_of_the_client() -> None:
    assert request.PARAMETERS.keys() == hints(response_create_params.ResponseCreateParamsStreaming)
    assert hints(response_compact_params.ResponseCompactParams) == request.COMPACT_PARAMETERS
    assert set(request.INCLUDABLE) == literals(response_includable.ResponseIncludable)


def test_item_and_tool_types_are_those_of_the_client() -> None:
    known: dict[str, set[str]] = {}
    for model in members(response_input_item_param.ResponseInputItemParam):
        for name in literals(typing.get_type_hints(model)["type"]):
            known[name] = known.get(name, set()) | hints(model)
    assert items.ITEM_KEYS.keys() | items.OTHER_ITEM_TYPES == known.keys()
    for name, keys in items.ITEM_KEYS.items():
        assert keys >= {key.removesuffix("_") for key in known[name]}, name
    of_tools = [typing.get_type_hints(model)["type"] for model in members(tool_param.ToolParam)]
    assert set(tools.TOOL_TYPES) == {name for each in of_tools for name in literals(each)}


@pytest.mark.parametrize("name", ASKED)
def test_bodies_fit_the_clients_types(wire: httpx.Client, name: str) -> None:
    answer = wire.post(RESPONSES, json={"model": "coder"} | ASKED[name])
    assert answer.status_code == 200, answer.text
    check(Response, answer.json())


@pytest.mark.parametrize("name", ASKED)
def test_events_fit_the_clients_types_and_tell_the_same_as_the_body(wire: httpx.Client, name: str) -> None:
    answer = wire.post(RESPONSES, json={"model": "coder", "stream": True} | ASKED[name])
    events = events_in(answer.text)
    for event in events:
        check(EVENTS[event["type"]], event)
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    assert [event["type"] for event in events[:2]] == ["response.created", "response.in_progress"]
    final = events[-1]["response"]
    assert events[-1]["type"] == f"response.{final['status']}"
    done = [event["item"] for event in events if event["type"] == "response.output_item.done"]
    assert done == final["output"]
    for item in final["output"]:
        deltas = "".join(
            e["delta"] for e in events if e["type"].endswith(".delta") and e["item_id"] == item["id"]
        )
        texts = [part["text"] for part in item.get("content", item.get("summary", []))]
        assert deltas == (item.get("arguments") or item.get("input") or "".join(texts))


def test_the_events_come_in_the_services_order(wire: httpx.Client) -> None:
    asked = ASKED["reasoning"] | {"input": "Reply with exactly: one two", "stream": True}
    events = events_in(wire.post(RESPONSES, json={"model": "coder"} | asked).text)
    kinds = [event["type"].removeprefix("response.") for event in events]
    assert [kind for kind, before in zip(kinds, ["", *kinds], strict=False) if kind != before] == [
        "created",
        "in_progress",
        "output_item.added",
        "reasoning_summary_part.added",
        "reasoning_summary_text.delta",
        "reasoning_summary_text.done",
        "reasoning_summary_part.done",
        "output_item.done",
        "output_item.added",
        "content_part.added",
        "output_text.delta",
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "completed",
    ]
    assert kinds.count("output_text.delta") == 2
    for event in events[:2]:
        started = event["response"]
        assert (started["status"], started["output"], started["usage"]) == ("in_progress", [], None)


@pytest.mark.parametrize("after_output", [False, True])
def test_a_failed_stream_fits_too(
    wire: httpx.Client, simulator: SimulatorProcess, marker: str, *, after_output: bool
) -> None:
    simulator.control.inject(FailedStream(after_output=after_output), marker=marker)
    answer = wire.post(RESPONSES, json={"model": "coder", "stream": True, "input": marker})
    events = events_in(answer.text)
    for event in events:
        check(EVENTS[event["type"]], event)
    assert events[-1]["type"] == "response.failed"
    assert events[-1]["response"]["error"]["code"] == "server_error"
    assert any(event["type"].endswith(".delta") for event in events) is after_output


def test_stored_things_fit(wire: httpx.Client) -> None:
    body = {"model": "coder", "input": [{"role": "user", "content": "hello"}]}
    made = wire.post(RESPONSES, json=body).json()
    path = f"/openai/responses/{made['id']}"
    got = wire.get(path, params={"api-version": "2025-04-01-preview"}).json()
    assert got == made
    listed = wire.get(f"{path}/input_items", params={"api-version": "2025-04-01-preview"}).json()
    check(ResponseItemList, listed)
    compacted = wire.post("/openai/responses/compact?api-version=2025-04-01-preview", json=body).json()
    # The user's messages come first, which the client's type of the list does not know, and its items do.
    user_message, compaction = compacted["output"]
    assert ResponseItemList.model_validate({**listed, "data": [user_message]}).data[0].type == "message"
    check(CompactedResponse, compacted | {"output": [compaction]})


@pytest.mark.parametrize("encoding", ["float", "base64"])
def test_embeddings_fit(wire: httpx.Client, encoding: str) -> None:
    path = "/openai/deployments/embedder/embeddings?api-version=2024-10-21"
    body = wire.post(path, json={"input": ["a", "b"], "encoding_format": encoding}).json()
    if encoding == "float":
        check(CreateEmbeddingResponse, body)
    assert [item["index"] for item in body["data"]] == [0, 1]
    assert {item["embedding"].__class__ for item in body["data"]} == {str if encoding == "base64" else list}


def test_scripted_calls_are_streamed_as_the_body_says(
    wire: httpx.Client, simulator: SimulatorProcess, marker: str
) -> None:
    control = SimulatorControl(simulator.control_url)
    control.reply_with(
        Reply(text="Let me see.", calls=(ToolCall("read_file", {"path": "a b", "lines": 1}),)), marker=marker
    )
    asked = {"model": "coder", "stream": True, "input": marker, "tools": [FUNCTION]}
    events = events_in(wire.post(RESPONSES, json=asked).text)
    text, call = events[-1]["response"]["output"]
    assert text["content"][0]["text"] == "Let me see."
    assert json.loads(call["arguments"]) == {"path": "a b", "lines": 1}
