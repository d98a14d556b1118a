"""The body of a response, from the reply and the request that it answers."""

from __future__ import annotations

import json
import time
from typing import Any

from aigateway.simulator.identifiers import new_call_id, new_id
from aigateway.simulator.reasoning import ReasoningSeal
from aigateway.simulator.replies import Reply, ToolCall
from aigateway.simulator.request import ResponsesRequest, tokens_of
from aigateway.simulator.store import Json
from aigateway.simulator.tools import callable_tools

_SUMMARY = "**Considering the request**\n\nThe request is plain, so the answer can be given at once."
_REASONING_TOKENS = 8

# Echoed from the request, with what the service puts where the request says nothing.
_ECHOED: dict[str, Any] = {
    "background": False,
    "instructions": None,
    "max_output_tokens": None,
    "max_tool_calls": None,
    "metadata": {},
    "parallel_tool_calls": True,
    "previous_response_id": None,
    "prompt_cache_key": None,
    "prompt_cache_retention": None,
    "safety_identifier": None,
    "top_logprobs": 0,
    "truncation": "disabled",
    "user": None,
}


def build_response(request: ResponsesRequest, reply: Reply, model: str, seal: ReasoningSeal) -> Json:
    """The finished response (status `completed`, or `incomplete` when `max_output_tokens` is reached)."""
    reasoning = _reasoning_item(request, seal)
    reasoning_tokens = _REASONING_TOKENS if reasoning is not None else 0
    text, cut = _fit(reply.text, request.max_output_tokens, reasoning_tokens)
    output: list[Json] = [] if reasoning is None else [reasoning]
    if text is not None:
        output.append(_message_item(text, "incomplete" if cut else "completed"))
    if not cut:
        output += [_call_item(call, request) for call in reply.calls]
    output_tokens = reasoning_tokens + sum(tokens_of(_generated_text(item)) for item in output)
    echoed = {name: _or_default(request.body.get(name), default) for name, default in _ECHOED.items()}
    return echoed | {
        "id": new_id("resp"),
        "object": "response",
        "created_at": int(time.time()),
        "completed_at": None if cut else int(time.time()),
        "status": "incomplete" if cut else "completed",
        "error": None,
        "incomplete_details": {"reason": "max_output_tokens"} if cut else None,
        "model": model,
        "output": output,
        "reasoning": {"effort": "medium", "summary": None} | dict(request.reasoning or {}),
        "service_tier": "default",
        "store": request.store,
        "temperature": 1.0,
        "top_p": 0.98,
        "text": {"format": {"type": "text"}, "verbosity": "medium"} | (request.body.get("text") or {}),
        "tool_choice": request.tool_choice,
        "tools": list(request.tools),
        "usage": usage(request.input_tokens, output_tokens, reasoning_tokens),
    }


def build_compaction(conversation: tuple[Json, ...], seal: ReasoningSeal) -> Json:
    """What POST /responses/compact gives: the user's messages, and everything else sealed into one item."""
    kept = [item for item in conversation if item["type"] == "message" and item["role"] == "user"]
    return {
        "id": new_id("resp"),
        "object": "response.compaction",
        "created_at": int(time.time()),
        "output": [*kept, {"id": new_id("cmp"), "type": "compaction", "encrypted_content": seal.seal()}],
        "usage": usage(tokens_of(json.dumps(conversation)), _REASONING_TOKENS, 0),
    }


def usage(input_tokens: int, output_tokens: int, reasoning_tokens: int) -> Json:
    return {
        "input_tokens": input_tokens,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": output_tokens,
        "output_tokens_details": {"reasoning_tokens": reasoning_tokens},
        "total_tokens": input_tokens + output_tokens,
    }


def _or_default(value: Any, default: Any) -> Any:
    return default if value is None else value


def _fit(text: str | None, most: int | None, reasoning_tokens: int) -> tuple[str | None, bool]:
    """The text within the output budget, and whether it had to be cut."""
    if text is None or most is None or tokens_of(text) + reasoning_tokens <= most:
        return text, False
    return text[: 4 * (most - reasoning_tokens)], True


def _reasoning_item(request: ResponsesRequest, seal: ReasoningSeal) -> Json | None:
    asked = request.reasoning or {}
    if not (request.reasoning is not None or request.encrypted_reasoning) or asked.get("effort") == "none":
        return None
    summarized = asked.get("summary") is not None
    item: Json = {
        "id": new_id("rs"),
        "type": "reasoning",
        "summary": [{"type": "summary_text", "text": _SUMMARY}] if summarized else [],
    }
    return item | {"encrypted_content": seal.seal()} if request.encrypted_reasoning else item


def _message_item(text: str, status: str) -> Json:
    return {
        "id": new_id("msg"),
        "type": "message",
        "status": status,
        "role": "assistant",
        "content": [{"type": "output_text", "text": text, "annotations": [], "logprobs": []}],
    }


def _call_item(call: ToolCall, request: ResponsesRequest) -> Json:
    tool = next((tool for tool in callable_tools(request.tools) if tool.name == call.name), None)
    raw = call.arguments if isinstance(call.arguments, str) else json.dumps(call.arguments)
    namespace = {"namespace": tool.namespace} if tool is not None and tool.namespace is not None else {}
    named = {"call_id": new_call_id(), "name": call.name} | namespace
    if tool is not None and tool.kind == "custom":
        return {"id": new_id("ctc"), "type": "custom_tool_call", "input": raw} | named
    return {"id": new_id("fc"), "type": "function_call", "arguments": raw, "status": "completed"} | named


def _generated_text(item: Json) -> str:
    if item["type"] == "message":
        return str(item["content"][0]["text"])
    return str(item.get("arguments", item.get("input", "")))
