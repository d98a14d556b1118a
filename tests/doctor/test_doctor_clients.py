"""What the doctor sends for a client is what the client sends: its recording in features/clients."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from aigateway.doctor.clients import CLIENT_NAMES, CLIENTS, ClientName

_FOLDER = Path(__file__).parents[2] / "features/clients"

#: What the doctor's requests have that no recording has: tools that may not be used, or an id of its own.
_OWN = {"tools", "tool_choice", "prompt_cache_key", "client_metadata"}

_RECORDED: list[tuple[ClientName, str]] = [
    ("roo", "roo"),
    ("roo-compatible", "roo_compatible"),
    ("qoder", "qoder"),
    ("codex", "codex"),
    ("cline", "cline"),
    ("opencode", "opencode"),
    ("kilo", "opencode_compatible"),
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


def test_every_client_is_known() -> None:
    assert tuple(CLIENTS) == CLIENT_NAMES
