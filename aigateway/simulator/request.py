"""A Responses request, read from its JSON as strictly as the service reads it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aigateway.simulator import refusals
from aigateway.simulator.items import check_tool_outputs, read_items, text_of
from aigateway.simulator.reasoning import ReasoningSeal
from aigateway.simulator.store import Json, ResponseStore
from aigateway.simulator.tools import read_tool_choice, read_tools

# Every parameter of POST /responses (`openai.types.responses.ResponseCreateParams`) by the JSON type it
# needs; a test compares the names with the installed client. None: checked elsewhere, or taken as it is.
PARAMETERS: dict[str, type | None] = {
    "access_programs": None,
    "background": bool,
    "background_options": None,
    "context_management": None,
    "conversation": None,
    "image": None,
    "include": list,
    "input": None,
    "instructions": None,
    "max_output_tokens": int,
    "max_tool_calls": int,
    "metadata": dict,
    "model": str,
    "moderation": None,
    "parallel_tool_calls": bool,
    "previous_response_id": str,
    "prompt": dict,
    "prompt_cache_key": str,
    "prompt_cache_options": dict,
    "prompt_cache_retention": str,
    "reasoning": dict,
    "safety_identifier": str,
    "service_tier": str,
    "store": bool,
    "stream": bool,
    "stream_options": dict,
    "temperature": None,
    "text": dict,
    "tool_choice": None,
    "tools": None,
    "top_logprobs": int,
    "top_p": None,
    "truncation": str,
    "user": str,
}
COMPACT_PARAMETERS = frozenset(
    {
        "image",
        "input",
        "instructions",
        "model",
        "previous_response_id",
        "prompt_cache_key",
        "prompt_cache_options",
        "prompt_cache_retention",
        "service_tier",
    }
)
# A reasoning model samples by itself.
_UNSUPPORTED = ("temperature", "top_p")
_TYPE_NAMES = {
    bool: "a boolean",
    int: "an integer",
    str: "a string",
    list: "an array",
    dict: "an object",
}
INCLUDABLE = [
    "code_interpreter_call.outputs",
    "computer_call_output.output.image_url",
    "file_search_call.results",
    "message.input_image.image_url",
    "message.output_text.logprobs",
    "reasoning.encrypted_content",
    "web_search_call.action.sources",
    "web_search_call.results",
]
_EFFORTS = ["none", "minimal", "low", "medium", "high", "xhigh", "max"]
_SUMMARIES = ["auto", "concise", "detailed"]
_LEAST_OUTPUT_TOKENS = 16
# gpt-5.3-codex takes 272,000 tokens of input (learn.microsoft.com/azure/foundry/foundry-models, GPT-5 codex
# table).
CONTEXT_TOKENS = 272_000


@dataclass(frozen=True)
class ResponsesRequest:
    """What is asked: `items` are this request's own, `conversation` everything since the first turn."""

    body: Json
    items: tuple[Json, ...]
    conversation: tuple[Json, ...]
    tools: tuple[Json, ...]
    tool_choice: str | Json
    stream: bool
    store: bool
    background: bool
    reasoning: Mapping[str, Any] | None
    encrypted_reasoning: bool
    max_output_tokens: int | None
    input_tokens: int


def tokens_of(text: str) -> int:
    """The service counts real tokens; clients estimate four characters to each, and so does this."""
    return -(-len(text) // 4)


def read_request(body: Any, deployment: str, store: ResponseStore, seal: ReasoningSeal) -> ResponsesRequest:
    """Check a request as the service does; raises the `Refusal` that it would answer."""
    body = _read_object(body)
    _check_parameters(body, PARAMETERS.keys())
    check_model(body, deployment)
    _check_options(body)
    stored = body.get("store") is not False
    if body.get("input") is None and body.get("prompt") is None:
        raise refusals.missing_parameter("input")
    items = read_items(body.get("input") or [], store, seal, stored=stored)
    conversation = (*_earlier_turns(body, store), *items)
    check_tool_outputs(conversation)
    tools = read_tools(body.get("tools"))
    return ResponsesRequest(
        body=body,
        items=items,
        conversation=conversation,
        tools=tools,
        tool_choice=read_tool_choice(body.get("tool_choice"), tools),
        stream=body.get("stream") is True,
        store=stored,
        background=body.get("background") is True,
        reasoning=body.get("reasoning"),
        encrypted_reasoning="reasoning.encrypted_content" in (body.get("include") or ()),
        max_output_tokens=body.get("max_output_tokens"),
        input_tokens=_input_tokens(body, conversation),
    )


def read_compact_request(
    body: Any, deployment: str, store: ResponseStore, seal: ReasoningSeal
) -> tuple[Json, ...]:
    """The conversation that POST /responses/compact is to shorten."""
    body = _read_object(body)
    _check_parameters(body, COMPACT_PARAMETERS)
    check_model(body, deployment)
    items = read_items(body.get("input") or [], store, seal, stored=True)
    return (*_earlier_turns(body, store), *items)


def check_model(body: Json, deployment: str) -> None:
    """The model of the body is the name of a deployment."""
    if "model" not in body:
        raise refusals.missing_parameter("model")
    if body["model"] != deployment:
        raise refusals.deployment_not_found()


def _read_object(body: Any) -> Json:
    if not isinstance(body, dict):
        raise refusals.unparsable_body()
    return body


def _check_parameters(body: Json, known: Any) -> None:
    for name, value in body.items():
        if name not in known:
            raise refusals.unknown_parameter(name)
        if value is None:
            continue
        if name in _UNSUPPORTED:
            raise refusals.unsupported_parameter(name)
        expected = PARAMETERS[name]
        # bool is an int in Python, and not in JSON
        if expected is not None and (not isinstance(value, expected) or (expected is int and value is True)):
            raise refusals.invalid_type(name, _TYPE_NAMES[expected], value)


def _check_options(body: Json) -> None:
    for place, name in enumerate(body.get("include") or ()):
        if name not in INCLUDABLE:
            raise refusals.invalid_value(f"include[{place}]", str(name), INCLUDABLE)
    reasoning = body.get("reasoning") or {}
    for key, supported in (("effort", _EFFORTS), ("summary", _SUMMARIES)):
        value = reasoning.get(key)
        if value is not None and value not in supported:
            raise refusals.invalid_value(f"reasoning.{key}", str(value), supported)
    most = body.get("max_output_tokens")
    if most is not None and most < _LEAST_OUTPUT_TOKENS:
        raise refusals.integer_below_minimum("max_output_tokens", _LEAST_OUTPUT_TOKENS, most)
    truncation = body.get("truncation")
    if truncation not in (None, "auto", "disabled"):
        raise refusals.invalid_value("truncation", truncation, ["auto", "disabled"])
    if body.get("background") is True and body.get("store") is False:
        raise refusals.invalid_request(
            "Background mode requires 'store' to be true.", param="background", code=None
        )


def _earlier_turns(body: Json, store: ResponseStore) -> tuple[Json, ...]:
    previous_id = body.get("previous_response_id")
    if previous_id is None:
        return ()
    previous = store.get(previous_id)
    if previous is None:
        raise refusals.previous_response_not_found(previous_id)
    return previous.conversation


def _input_tokens(body: Json, conversation: tuple[Json, ...]) -> int:
    instructions = body.get("instructions")
    texts = [text_of(item) for item in conversation]
    if isinstance(instructions, str):
        texts.append(instructions)
    tokens = tokens_of("".join(texts))
    if tokens > CONTEXT_TOKENS and body.get("truncation") != "auto":
        raise refusals.context_too_long()
    return tokens
