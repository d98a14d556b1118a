"""What each client sends beyond the plain request, and which checks its own traps need.

The requests are those of features/clients, where whole recordings are, cut down to the fields that a gateway or Azure
could refuse, and with tools that the model is told not to use, so that they cost little.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

from aigateway.doctor.catalogue import (
    CLIENT_REQUEST,
    CLIENT_URL,
    INDEXING,
    ROO_ERRORS,
    ROO_MODEL,
    STORED,
    WEBSOCKET,
    Check,
)

ClientName = Literal[
    "roo",
    "roo-compatible",
    "roo-indexing",
    "qoder",
    "codex",
    "cline",
    "cline-compatible",
    "opencode",
    "kilo",
    "continue",
    "openai",
]
CLIENT_NAMES: tuple[ClientName, ...] = get_args(ClientName)

#: More than the requests of a run with any client can cost: 2,540 with Kilo, of which a few hundred are used.
DEFAULT_TOKENS = 3_000

Api = Literal["responses", "chat completions", "embeddings"]

_SCHEMA = {
    "type": "object",
    "properties": {"path": {"type": "string"}},
    "required": ["path"],
    "additionalProperties": False,
}
_UNUSED = {"tool_choice": "none"}


def _declare_tool(name: str, *, strict: bool | None) -> dict[str, Any]:
    return {
        "type": "function",
        "name": name,
        "description": "Reads a file.",
        "parameters": _SCHEMA,
        "strict": strict,
    }


def _declare_chat_tool(name: str, *, strict: bool) -> dict[str, Any]:
    return {
        "type": "function",
        "function": {"name": name, "description": "Reads a file.", "parameters": _SCHEMA, "strict": strict},
    }


_ENCRYPTED = {"store": False, "include": ["reasoning.encrypted_content"]}
_THINKING = {"reasoning": {"effort": "medium", "summary": "auto"}}
_USAGE = {"stream": True, "stream_options": {"include_usage": True}}


@dataclass(frozen=True)
class Client:
    """`where`: the setting that its base URL goes into; `form`: with which end it has to be entered."""

    name: ClientName
    where: str
    api: Api
    form: Literal["with /v1", "without /v1"] = "with /v1"
    fields: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    own: tuple[Check, ...] = ()
    #: Ends of a URL that it takes as well.
    ends: tuple[str, ...] = ()

    @property
    def checks(self) -> tuple[Check, ...]:
        """The checks that are made for it."""
        return (CLIENT_URL, INDEXING if self.api == "embeddings" else CLIENT_REQUEST, *self.own)


_OPENCODE = Client(
    "opencode",
    "opencode.json: options.baseURL of the provider",
    "responses",
    fields={
        "stream": True,
        **_ENCRYPTED,
        **_THINKING,
        "prompt_cache_key": "aigateway-doctor",
        "tools": [_declare_tool("read", strict=False)],
        **_UNUSED,
    },
    headers={"x-session-id": "aigateway-doctor", "x-session-affinity": "aigateway-doctor"},
)

_ALL = (
    Client(
        "roo",
        "Roo, provider OpenAI: 'Use custom base URL'",
        "responses",
        "without /v1",
        {
            "stream": True,
            **_ENCRYPTED,
            **_THINKING,
            "prompt_cache_retention": "24h",
            "parallel_tool_calls": True,
            "text": {"verbosity": "medium"},
            "tools": [_declare_tool("read_file", strict=True)],
            **_UNUSED,
        },
        {"originator": "roo-code"},
        (ROO_MODEL, ROO_ERRORS),
    ),
    Client(
        "roo-compatible",
        "Roo, provider OpenAI Compatible: 'Base URL'",
        "chat completions",
        fields={
            **_USAGE,
            "temperature": 0,
            "tools": [_declare_chat_tool("read_file", strict=True)],
            "parallel_tool_calls": True,
            **_UNUSED,
        },
    ),
    Client(
        "roo-indexing",
        "Roo, codebase indexing, embedder OpenAI Compatible: 'Base URL'",
        "embeddings",
        ends=("/v1/embeddings",),
    ),
    Client(
        "qoder",
        "Qoder, custom model, type openai-responses: base URL",
        "responses",
        fields={
            "stream": True,
            **_ENCRYPTED,
            **_THINKING,
            "prompt_cache_key": "aigateway-doctor",
            "tools": [_declare_tool("read_file", strict=False)],
            **_UNUSED,
        },
        headers={"session-id": "aigateway-doctor"},
    ),
    Client(
        "codex",
        'Codex, config.toml: base_url of a [model_providers.…] with wire_api = "responses"',
        "responses",
        fields={
            "stream": True,
            **_ENCRYPTED,
            **_THINKING,
            "prompt_cache_key": "aigateway-doctor",
            "client_metadata": {"x-codex-installation-id": "aigateway-doctor"},
            "text": {"verbosity": "low"},
            "parallel_tool_calls": True,
            "tools": [
                {
                    "type": "namespace",
                    "name": "mcp__docs",
                    "description": "Tools of the MCP server docs.",
                    "tools": [_declare_tool("lookup", strict=False)],
                },
                {"type": "web_search", "external_web_access": False},
            ],
            **_UNUSED,
        },
        headers={"originator": "codex_exec"},
        own=(WEBSOCKET,),
    ),
    Client(
        "cline",
        "Cline, provider OpenAI: 'Use custom base URL'",
        "responses",
        fields={
            "stream": True,
            **_THINKING,
            "truncation": "auto",
            "tools": [
                _declare_tool("read_file", strict=True),
                {"type": "web_search"},
                {"type": "image_generation"},
            ],
            **_UNUSED,
        },
        own=(STORED,),
    ),
    Client(
        "cline-compatible",
        "Cline's extension, provider OpenAI Compatible: 'Base URL'",
        "chat completions",
        # Seen in its source only: github.com/cline/cline, src/core/api/providers/openai.ts.
        fields={
            **_USAGE,
            "reasoning_effort": "medium",
            "tools": [_declare_chat_tool("read_file", strict=False)],
            "parallel_tool_calls": False,
            **_UNUSED,
        },
    ),
    _OPENCODE,
    # Kilo is built on it.
    replace(_OPENCODE, name="kilo", where="kilo.json: options.baseURL of the provider", own=(INDEXING,)),
    Client(
        "continue",
        "Continue, config.yaml: apiBase of the model",
        # By the model's name: others it asks by chat completions.
        "responses",
        fields={
            "stream": True,
            "tools": [_declare_tool("Read", strict=None)],
            "parallel_tool_calls": False,
            **_UNUSED,
        },
    ),
    Client(
        "openai",
        "OpenAI's packages: base_url, or OPENAI_BASE_URL",
        "responses",
        fields={"stream": True},
        own=(STORED,),
    ),
)

CLIENTS: dict[ClientName, Client] = {client.name: client for client in _ALL}
