"""What the doctor sends for a client is what the client sends: its recording in features/clients, its settings."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from aigateway.clients import Client
from aigateway.clients.kit import Gateway, make_kit
from aigateway.doctor.catalogue import INDEXING
from aigateway.doctor.clients import CLIENT_NAMES, CLIENTS, Api, ClientName
from aigateway.settings.loading import load_environment

_ROOT = Path(__file__).parents[2]
_FOLDER = _ROOT / "features/clients"

#: What the doctor's requests have that no recording has: tools that may not be used, or an id of its own.
_OWN = {"tools", "tool_choice", "prompt_cache_key", "client_metadata"}

_RECORDED: list[tuple[ClientName, str]] = [
    ("roo", "roo"),
    ("roo-compatible", "roo_compatible"),
    ("qoder", "qoder"),
    ("codex", "codex"),
    ("cline", "cline"),
    ("opencode", "opencode"),
    ("kilo", "opencode"),
]


@pytest.mark.parametrize(("client", "recording"), _RECORDED)
def test_a_clients_request_is_as_it_was_seen(client: ClientName, recording: str) -> None:
    body: dict[str, Any] = json.loads((_FOLDER / f"{recording}.json").read_text())["body"]
    fields = CLIENTS[client].fields
    for name, value in fields.items():
        assert name in body or name == "tool_choice", name
        if name not in _OWN:
            assert value == body[name], name
    # And nothing that a gateway could stumble over is left out.
    left_out = set(body) - set(fields) - {"model", "input", "messages", "instructions"}
    assert left_out <= {"max_output_tokens", "max_tokens", "parallel_tool_calls"}
    kinds = {tool["type"] for tool in body["tools"]} - {"custom"}
    assert {tool["type"] for tool in fields["tools"]} >= kinds - {"function"}


#: By what words, in what `aigateway clients` hands out, a client is told which API to speak. Continue's has none: which
#: one it speaks is seen when it runs (tests/clients/test_real_clients.py).
_CHOSEN: list[tuple[ClientName, Client, str, Api]] = [
    ("roo", "roo", '"apiProvider": "openai-native"', "responses"),
    ("roo-compatible", "roo-compatible", '"apiProvider": "openai"', "chat completions"),
    ("roo-indexing", "roo", '"codebaseIndexEmbedderProvider": "openai-compatible"', "embeddings"),
    ("qoder", "qoder", '"protocol": "openai-responses"', "responses"),
    ("codex", "codex", 'wire_api = "responses"', "responses"),
    ("cline", "cline", "--provider openai-native", "responses"),
    ("cline-compatible", "cline", "provider OpenAI Compatible", "chat completions"),
    ("opencode", "opencode", '"npm": "@ai-sdk/openai"', "responses"),
    ("kilo", "kilo", '"npm": "@ai-sdk/openai"', "responses"),
    ("openai", "openai", "client.responses.create(", "responses"),
]


def read_kit(client: Client) -> str:
    kit = make_kit(_ROOT, Gateway(load_environment(_ROOT, "dev"), "https://gateway.example.com"), client)
    return kit.guide + "".join(file.text for file in kit.files)


@pytest.mark.parametrize(("name", "client", "words", "api"), _CHOSEN)
def test_a_client_is_tried_as_its_settings_make_it_speak(
    name: ClientName, client: Client, words: str, api: Api
) -> None:
    assert words in read_kit(client)
    assert CLIENTS[name].api == api


def test_kilo_is_tried_as_the_indexer_that_its_settings_make_it() -> None:
    assert '"indexing": {' in read_kit("kilo")
    assert INDEXING in CLIENTS["kilo"].checks


def test_every_client_is_known() -> None:
    assert tuple(CLIENTS) == CLIENT_NAMES
