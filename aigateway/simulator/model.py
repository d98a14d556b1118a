"""What the simulated model answers: a scripted reply, or a rule that a real model follows too.

The rules are chosen so that one and the same scenario text passes on the real model: "Reply with exactly: …",
"Count from 1 to N", "Call the X tool", a word to remember, a tool's result.
"""

from __future__ import annotations

import json
import re

from aigateway.simulator.items import text_of
from aigateway.simulator.replies import Reply, ToolCall
from aigateway.simulator.request import ResponsesRequest
from aigateway.simulator.tools import CallableTool, callable_tools, forced_tool, synthesize

_EXACTLY = re.compile(r"Reply with exactly:[ \t]*(.+)", re.IGNORECASE)
_COUNT = re.compile(r"Count from 1 to (\d{1,4})", re.IGNORECASE)
_REMEMBER = re.compile(r"remember the word:?\s+[\"'“‘]?([\w-]+)", re.IGNORECASE)
_ASKED_WORD = re.compile(r"Which word did I ask you to remember", re.IGNORECASE)
_CALL = re.compile(r"Call the (\w+) tool", re.IGNORECASE)
_QUOTED_CHARACTERS = 60


def answer(request: ResponsesRequest) -> Reply:
    """The reply to an unscripted request."""
    prompt = last_prompt(request)
    tool = forced_tool(request.tool_choice, request.tools)
    if tool is not None:
        return _call(tool, prompt)
    last = request.conversation[-1] if request.conversation else {"type": "message"}
    if last["type"] in ("function_call_output", "custom_tool_call_output"):
        return Reply(text=f"The tool answered: {text_of(last)}")
    tool = _named_tool(request, prompt)
    if tool is not None:
        return _call(tool, prompt)
    return Reply(text=_formatted(request, prompt) or _text_for(request, prompt))


def _named_tool(request: ResponsesRequest, prompt: str) -> CallableTool | None:
    """The tool that the prompt says to call, where the request leaves the choice to the model."""
    named = _CALL.search(prompt)
    if not named or request.tool_choice == "none":
        return None
    return next((tool for tool in callable_tools(request.tools) if tool.name == named[1]), None)


def _call(tool: CallableTool, prompt: str) -> Reply:
    arguments = prompt if tool.kind == "custom" else synthesize({"type": "object"} | tool.schema, prompt)
    return Reply(calls=(ToolCall(tool.name, arguments),))


def last_prompt(request: ResponsesRequest) -> str:
    """The text of the last user message of the conversation."""
    for item in reversed(request.conversation):
        if item["type"] == "message" and item["role"] == "user":
            return text_of(item)
    return ""


def _text_for(request: ResponsesRequest, prompt: str) -> str:
    if found := _EXACTLY.search(prompt):
        return found[1].strip()
    if found := _COUNT.search(prompt):
        return ", ".join(str(number) for number in range(1, int(found[1]) + 1))
    if _ASKED_WORD.search(prompt):
        words = [word for item in request.conversation for word in _REMEMBER.findall(text_of(item))]
        return words[-1] if words else "I was not told a word."
    return f"This is the simulated model's answer to: {' '.join(prompt.split())[:_QUOTED_CHARACTERS]}"


def _formatted(request: ResponsesRequest, prompt: str) -> str | None:
    """JSON, where the request asks for it."""
    wanted = (request.body.get("text") or {}).get("format") or {}
    if wanted.get("type") == "json_schema":
        return json.dumps(synthesize(wanted.get("schema"), prompt))
    if wanted.get("type") == "json_object":
        return json.dumps({"answer": _text_for(request, prompt)})
    return None
