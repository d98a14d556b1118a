"""The input items of a Responses request: which shapes the service takes, and what it says of the others.

The tables are those of the Responses API (`openai.types.responses`); a test compares them with the installed
client.
"""

from __future__ import annotations

from typing import Any

from aigateway.simulator import refusals
from aigateway.simulator.identifiers import new_id
from aigateway.simulator.reasoning import ReasoningSeal
from aigateway.simulator.store import Json, ResponseStore

# Which keys an item of each checked type may have: those of the client's types, and what Codex sends besides.
ITEM_KEYS: dict[str, frozenset[str]] = {
    "message": frozenset({"type", "role", "content", "id", "status", "phase"}),
    "function_call": frozenset(
        {"type", "call_id", "name", "arguments", "id", "status", "namespace", "caller", "async"}
    ),
    "function_call_output": frozenset(
        {"type", "call_id", "output", "id", "status", "caller", "name", "namespace"}
    ),
    "custom_tool_call": frozenset(
        {"type", "call_id", "name", "input", "id", "status", "namespace", "caller", "async"}
    ),
    "custom_tool_call_output": frozenset(
        {"type", "call_id", "output", "id", "status", "caller", "name", "namespace"}
    ),
    "reasoning": frozenset({"type", "id", "summary", "content", "encrypted_content", "status"}),
    "item_reference": frozenset({"type", "id"}),
}
_REQUIRED: dict[str, tuple[str, ...]] = {
    "message": ("role", "content"),
    "function_call": ("call_id", "name", "arguments"),
    "function_call_output": ("call_id", "output"),
    "custom_tool_call": ("call_id", "name", "input"),
    "custom_tool_call_output": ("call_id", "output"),
    "reasoning": ("summary",),
    "item_reference": ("id",),
}
# Taken as they are: the service runs or keeps these by itself, and no scenario looks inside.
OTHER_ITEM_TYPES = frozenset(
    {
        "additional_tools",
        "apply_patch_call",
        "apply_patch_call_output",
        "code_interpreter_call",
        "compaction",
        "compaction_trigger",
        "computer_call",
        "computer_call_output",
        "configuration_update",
        "file_search_call",
        "image_generation_call",
        "local_shell_call",
        "local_shell_call_output",
        "mcp_approval_request",
        "mcp_approval_response",
        "mcp_call",
        "mcp_list_tools",
        "program",
        "program_output",
        "shell_call",
        "shell_call_output",
        "tool_search_call",
        "tool_search_output",
        "web_search_call",
    }
)
_ID_PREFIXES = {
    "message": "msg",
    "function_call": "fc",
    "custom_tool_call": "ctc",
    "reasoning": "rs",
}
_LONGEST_ID = 64
_ROLES = ["assistant", "system", "developer", "user"]
_INPUT_PARTS = ["input_text", "input_image", "input_file"]
_OUTPUT_PARTS = ["output_text", "refusal"]
_CALLS = {"function_call": "function call", "custom_tool_call": "custom tool call"}


def read_items(given: Any, store: ResponseStore, seal: ReasoningSeal, *, stored: bool) -> tuple[Json, ...]:
    """The request's `input` as checked items, references replaced by what they name."""
    if isinstance(given, str):
        return (_message(given),)
    if not isinstance(given, list):
        raise refusals.invalid_type("input", "one of a string or array of input items", given)
    return tuple(
        _read_item(item, f"input[{place}]", store, seal, stored=stored) for place, item in enumerate(given)
    )


def check_tool_outputs(conversation: tuple[Json, ...]) -> None:
    """Every output needs its call before it, and every call its output."""
    for call_type, words in _CALLS.items():
        waiting: set[str] = set()
        known: set[str] = set()
        for item in conversation:
            if item["type"] == call_type:
                waiting.add(item["call_id"])
                known.add(item["call_id"])
            elif item["type"] == f"{call_type}_output":
                if item["call_id"] not in known:
                    raise refusals.orphan_tool_output(words, item["call_id"])
                waiting.discard(item["call_id"])
        if waiting:
            raise refusals.missing_tool_output(words, min(waiting))


def text_of(item: Json) -> str:
    """All text that an item holds, as the model would read it."""
    content = item.get("content")
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "\n".join(part["text"] for part in content if isinstance(part.get("text"), str))
    for key in ("output", "arguments", "input"):
        value = item.get(key)
        if isinstance(value, str):
            return value
        if isinstance(value, list):
            return "\n".join(part["text"] for part in value if isinstance(part.get("text"), str))
    return ""


def _message(text: str) -> Json:
    return {
        "id": new_id("msg"),
        "type": "message",
        "status": "completed",
        "role": "user",
        "content": [{"type": "input_text", "text": text}],
    }


def _read_item(item: Any, where: str, store: ResponseStore, seal: ReasoningSeal, *, stored: bool) -> Json:
    if not isinstance(item, dict):
        raise refusals.invalid_type(where, "an input item", item)
    kind = item.get("type", "message")
    if not isinstance(kind, str):
        raise refusals.invalid_type(f"{where}.type", "a string", kind)
    if kind in OTHER_ITEM_TYPES:
        return {"id": new_id("item"), **item}
    if kind not in ITEM_KEYS:
        raise refusals.invalid_value(where, str(kind), sorted(ITEM_KEYS.keys() | OTHER_ITEM_TYPES))
    _check_keys(item, kind, where)
    _check_id(item, kind, where)
    if kind == "item_reference":
        return _resolve(item["id"], store, stored=stored)
    if kind == "message":
        return _read_message(item, where)
    if kind == "reasoning":
        _check_reasoning(item, store, seal, stored=stored)
    elif not isinstance(item["call_id"], str):
        raise refusals.invalid_type(f"{where}.call_id", "a string", item["call_id"])
    return _completed(item, kind)


def _completed(item: Json, kind: str) -> Json:
    """The item as the service keeps it: with an id and a status, without nulls."""
    given = {key: value for key, value in item.items() if value is not None}
    return {"id": new_id(_ID_PREFIXES.get(kind, "item")), "type": kind, "status": "completed"} | given


def _check_keys(item: Json, kind: str, where: str) -> None:
    for key in item:
        if key not in ITEM_KEYS[kind]:
            raise refusals.unknown_parameter(f"{where}.{key}")
    for key in _REQUIRED[kind]:
        if item.get(key) is None:
            raise refusals.missing_parameter(f"{where}.{key}")


def _check_id(item: Json, kind: str, where: str) -> None:
    item_id = item.get("id")
    if item_id is None:
        return
    if not isinstance(item_id, str):
        raise refusals.invalid_type(f"{where}.id", "a string", item_id)
    prefix = _ID_PREFIXES.get(kind)
    if prefix is not None and not item_id.startswith(prefix):
        raise refusals.wrong_id_prefix(f"{where}.id", item_id, prefix)
    if len(item_id) > _LONGEST_ID:
        raise refusals.string_too_long(f"{where}.id", _LONGEST_ID, len(item_id))


def _read_message(item: Json, where: str) -> Json:
    role = item["role"]
    if role not in _ROLES:
        raise refusals.invalid_value(f"{where}.role", str(role), _ROLES)
    text_type = "output_text" if role == "assistant" else "input_text"
    content = item["content"]
    if isinstance(content, str):
        content = [{"type": text_type, "text": content}]
    elif isinstance(content, list):
        supported = _OUTPUT_PARTS if role == "assistant" else _INPUT_PARTS
        for place, part in enumerate(content):
            _check_part(part, f"{where}.content[{place}]", supported)
    else:
        raise refusals.invalid_type(f"{where}.content", "one of an array of objects or string", content)
    if role == "assistant":
        content = [{"annotations": [], **part} if part["type"] == "output_text" else part for part in content]
    return _completed({**item, "content": content}, "message")


def _check_part(part: Any, where: str, supported: list[str]) -> None:
    if not isinstance(part, dict):
        raise refusals.invalid_type(where, "an object", part)
    kind = part.get("type")
    if kind not in supported:
        raise refusals.invalid_value(where, str(kind), supported)
    if kind in ("input_text", "output_text") and not isinstance(part.get("text"), str):
        raise refusals.missing_parameter(f"{where}.text")


def _check_reasoning(item: Json, store: ResponseStore, seal: ReasoningSeal, *, stored: bool) -> None:
    content = item.get("encrypted_content")
    if content is not None:
        if not isinstance(content, str) or not seal.verify(content):
            raise refusals.encrypted_content_not_verified(str(content))
    elif item.get("id") is not None:
        _resolve(item["id"], store, stored=stored)


def _resolve(item_id: str, store: ResponseStore, *, stored: bool) -> Json:
    item = store.item(item_id)
    if item is None:
        raise refusals.item_not_found(item_id, stored=stored)
    return item
