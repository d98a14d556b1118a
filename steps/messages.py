"""Requests written out, so that a scenario can put anything into them, or beside them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from steps.answers import Outcome, describe
from steps.gateway import Gateway, connect_http

RESPONSES = "/v1/responses"
CHAT = "/v1/chat/completions"
EMBEDDINGS = "/v1/embeddings"


@dataclass(frozen=True)
class Message:
    """A request as it is sent; with a client's key, unless it has headers of its own."""

    path: str
    content: bytes = b""
    headers: Mapping[str, str] | None = None
    method: str = "POST"


def write(path: str, **body: Any) -> Message:
    """A request with this JSON in its body."""
    return Message(path, json.dumps(body).encode())


def write_request(gateway: Gateway, operation: str, word: str, **more: Any) -> Message:
    """The plainest request for what the features call `operation`, with `more` fields in its body."""
    azure = gateway.settings.azure
    prompt = f"Reply with exactly: {word}"
    requests: dict[str, tuple[str, dict[str, Any]]] = {
        "an answer": (RESPONSES, {"model": azure.responses.model, "input": prompt}),
        "a chat completion": (
            CHAT,
            {"model": azure.responses.model, "messages": [{"role": "user", "content": prompt}]},
        ),
        "embeddings": (EMBEDDINGS, {"model": azure.embeddings.model, "input": [f"def {word}(): pass"]}),
    }
    path, body = requests[operation]
    return write(path, **{**body, **more})


def write_headers(gateway: Gateway, message: Message) -> dict[str, str]:
    """All headers that a message is sent with."""
    own = {"Authorization": f"Bearer {gateway.key}"} if message.headers is None else message.headers
    return {"Content-Type": "application/json", **own}


def send(gateway: Gateway, message: Message, *, in_chunks: bool = False) -> Outcome:
    """Send a message with a client's key, and read the answer."""
    halves = message.content[:20], message.content[20:]
    answer = connect_http().request(
        message.method,
        f"{gateway.base_url}{message.path}",
        content=iter(halves) if in_chunks else message.content,
        headers=write_headers(gateway, message),
    )
    return describe(answer)


def add_headers(gateway: Gateway, message: Message, headers: Mapping[str, str]) -> Message:
    """The same message with a client's key, and with more headers, or others."""
    return replace(message, headers={**write_headers(gateway, message), **headers})
