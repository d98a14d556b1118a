"""The tools of a request: which kinds the service takes, what it requires of a function, and arguments for a
call."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Literal

from aigateway.simulator import refusals
from aigateway.simulator.store import Json

TOOL_TYPES = [
    "apply_patch",
    "code_interpreter",
    "computer",
    "computer_use_preview",
    "custom",
    "file_search",
    "function",
    "image_generation",
    "local_shell",
    "mcp",
    "namespace",
    "programmatic_tool_calling",
    "shell",
    "tool_search",
    "web_search",
    "web_search_2025_08_26",
    "web_search_preview",
    "web_search_preview_2025_03_11",
]
_CHOICE_WORDS = ["none", "auto", "required"]
_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")


@dataclass(frozen=True)
class CallableTool:
    """A tool that the client runs."""

    name: str
    kind: Literal["function", "custom"]
    schema: Json
    namespace: str | None = None


def read_tools(given: Any) -> tuple[Json, ...]:
    """The request's `tools`, checked."""
    if given is None:
        return ()
    if not isinstance(given, list):
        raise refusals.invalid_type("tools", "an array of objects", given)
    for place, tool in enumerate(given):
        _check_tool(tool, f"tools[{place}]")
    return tuple(given)


def callable_tools(tools: tuple[Json, ...], namespace: str | None = None) -> list[CallableTool]:
    """The functions and custom tools, those inside namespaces too."""
    found: list[CallableTool] = []
    for tool in tools:
        if tool["type"] == "namespace":
            found += callable_tools(tuple(tool.get("tools") or ()), tool.get("name"))
        elif tool["type"] == "function":
            found.append(CallableTool(tool["name"], "function", tool.get("parameters") or {}, namespace))
        elif tool["type"] == "custom":
            found.append(CallableTool(tool["name"], "custom", {}, namespace))
    return found


def read_tool_choice(given: Any, tools: tuple[Json, ...]) -> str | Json:
    """The request's `tool_choice`, checked against its tools."""
    if given is None:
        return "auto"
    if isinstance(given, str):
        if given not in _CHOICE_WORDS:
            raise refusals.invalid_value("tool_choice", given, _CHOICE_WORDS)
        if given == "required" and not tools:
            raise refusals.invalid_request(
                "Tool choice 'required' must be specified with 'tools' parameter.",
                param="tool_choice",
                code=None,
            )
        return given
    if not isinstance(given, dict):
        raise refusals.invalid_type("tool_choice", "one of a string or object", given)
    kind = given.get("type")
    if kind in ("function", "custom"):
        if not isinstance(given.get("name"), str):
            raise refusals.missing_parameter("tool_choice.name")
        if not any(tool.kind == kind and tool.name == given["name"] for tool in callable_tools(tools)):
            raise refusals.tool_choice_not_found(kind)
    return given


def forced_tool(choice: str | Json, tools: tuple[Json, ...]) -> CallableTool | None:
    """The tool that must be called: the named one, or the first when some call is required."""
    available = callable_tools(tools)
    if isinstance(choice, dict):
        named = [tool for tool in available if tool.name == choice.get("name")]
        return named[0] if named else None
    return available[0] if choice == "required" and available else None


def synthesize(schema: Any, prompt: str) -> Any:
    """A value that a JSON schema allows, made from the prompt where it asks for text."""
    if not isinstance(schema, dict):
        return _word_of(prompt)
    for key in ("const", "default"):
        if key in schema:
            return schema[key]
    if schema.get("enum"):
        return schema["enum"][0]
    for key in ("anyOf", "oneOf", "allOf"):
        if schema.get(key):
            return synthesize(schema[key][0], prompt)
    return _synthesize_type(schema, prompt)


def _synthesize_type(schema: Json, prompt: str) -> Any:
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = next((name for name in kind if name != "null"), "null")
    if kind in ("integer", "number"):
        return schema.get("minimum", 1)
    if kind == "boolean":
        return True
    if kind == "null":
        return None
    if kind == "array":
        return [synthesize(schema.get("items", {}), prompt)]
    if kind == "object" or "properties" in schema:
        return {name: synthesize(each, prompt) for name, each in (schema.get("properties") or {}).items()}
    return _word_of(prompt)


def _word_of(prompt: str) -> str:
    """The last name in the prompt (a capital inside a sentence), else its last word."""
    words: list[str] = re.findall(r"[^\W\d_][\w-]*", prompt)
    names = [word for word in words[1:] if word[0].isupper()]
    return (names or words or ["text"])[-1]


def _check_tool(tool: Any, where: str) -> None:
    if not isinstance(tool, dict):
        raise refusals.invalid_type(where, "an object", tool)
    kind = tool.get("type")
    if kind is None:
        raise refusals.missing_parameter(f"{where}.type")
    if kind not in TOOL_TYPES:
        raise refusals.invalid_value(f"{where}.type", str(kind), TOOL_TYPES)
    if kind in ("function", "custom", "namespace"):
        _check_name(tool.get("name"), f"{where}.name")
    if kind == "function":
        _check_schema(tool, f"{where}.parameters")
    if kind == "namespace":
        tools = tool.get("tools") or []
        if not isinstance(tools, list):
            raise refusals.invalid_type(f"{where}.tools", "an array", tools)
        for place, inner in enumerate(tools):
            _check_tool(inner, f"{where}.tools[{place}]")


def _check_name(name: Any, where: str) -> None:
    if name is None:
        raise refusals.missing_parameter(where)
    if not isinstance(name, str):
        raise refusals.invalid_type(where, "a string", name)
    if not _NAME.fullmatch(name):
        raise refusals.invalid_request(
            f"Invalid '{where}': string does not match pattern. Expected a string that matches the pattern "
            "'^[a-zA-Z0-9_-]+$'.",
            param=where,
            code="invalid_value",
        )


def _check_schema(tool: Json, where: str) -> None:
    """A strict function's schema must name every property as required and close the object."""
    schema = tool.get("parameters")
    if schema is not None and not isinstance(schema, dict):
        raise refusals.invalid_type(where, "an object", schema)
    if tool.get("strict") is not True or schema is None:
        return
    if schema.get("additionalProperties") is not False:
        complaint = "In context=(), 'additionalProperties' is required to be supplied and to be false."
        raise refusals.invalid_function_schema(tool["name"], complaint, where)
    properties, required = schema.get("properties") or {}, schema.get("required") or []
    for key, value, kind in (("properties", properties, dict), ("required", required, list)):
        if not isinstance(value, kind):
            raise refusals.invalid_type(f"{where}.{key}", "an object" if kind is dict else "an array", value)
    missing = sorted(name for name in properties if name not in required)
    if missing:
        complaint = (
            "In context=(), 'required' is required to be supplied and to be an array including every key in "
            f"properties. Missing '{missing[0]}'."
        )
        raise refusals.invalid_function_schema(tool["name"], complaint, where)
