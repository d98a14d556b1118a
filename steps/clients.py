"""The assistants that people use: what each sends, what it sends back on its next turn, and how it reads answers.

What a client sends is data: features/clients/*.json, as it was seen on the wire.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from string import Template
from typing import Any, Literal

import httpx
import openai
from pydantic import BaseModel, ConfigDict
from pytest_bdd import given, parsers, then, when

from aigateway.acceptance.target import Target
from aigateway.simulator.ledger import RecordedRequest
from steps.answer_streams import Answer, Call, Json, StreamFailedError, read_chat, read_responses
from steps.answers import Outcome, describe
from steps.gateway import Gateway, connect_http
from steps.indexing import Embedded, embed, read_embedded

_FOLDER = Path("features/clients")

#: More than the 272,000 tokens of input that gpt-5.3-codex takes, at four characters each.
TOO_LONG = "word " * 230_000


class SendsBack(BaseModel):
    """Which keys of an item of the answer a client sends back, and what it adds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    keeps: tuple[str, ...]
    adds: Json = {}


class Profile(BaseModel):
    """What a client sends, with $MODEL, $DEPLOYMENT, $PROMPT and $SESSION in the place of what differs.

    `paths`: where it asks, by the form of its base URL; it goes on to the next one after an error. `azure`: its first
    turn as Azure should receive it, where that is not what was sent.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    seen: str
    api: Literal["responses", "chat completions"]
    paths: dict[str, tuple[str, ...]]
    headers: dict[str, str]
    body: Json
    sends_back: dict[str, SendsBack]
    closes_early: bool = False
    azure: Json | None = None

    @property
    def conversation(self) -> str:
        """The key of the body that holds the conversation."""
        return "input" if self.api == "responses" else "messages"

    def find_schema(self, tool: str) -> Json:
        """The schema of a function's arguments; empty for a custom tool."""
        for each in _list_tools(self.body["tools"]):
            if each.get("name") == tool:
                schema: Json = each.get("parameters", {})
                return schema
        raise LookupError(f"{tool!r} is no tool of this client's")


def _list_tools(tools: list[Json]) -> list[Json]:
    """Functions as they stand in either API, those of namespaces too."""
    flat: list[Json] = []
    for tool in tools:
        flat += _list_tools(tool["tools"]) if "tools" in tool else [tool.get("function", tool)]
    return flat


@cache
def _load_profile(root: Path, name: str) -> Profile:
    path = root / _FOLDER / f"{name.lower().replace(' ', '_')}.json"
    return Profile.model_validate_json(path.read_text(encoding="utf-8"))


def _fill(data: Any, words: dict[str, str]) -> Any:
    """The data with the words in their places."""
    if isinstance(data, str):
        return Template(data).safe_substitute(words)
    if isinstance(data, list):
        return [_fill(item, words) for item in data]
    if isinstance(data, dict):
        return {key: _fill(value, words) for key, value in data.items()}
    return data


class RefusedError(AssertionError):
    """The gateway answered with an error; `outcome` is what the client shows."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(f"refused with {outcome.status}: {outcome.text:.300}")
        self.outcome = outcome


@dataclass(frozen=True)
class Turn:
    """A turn of a conversation: the body that was sent, and the answer."""

    sent: Json
    answer: Answer


@dataclass(frozen=True)
class Assistant:
    """A client of that profile in one scenario, whose marker stands in all that it sends."""

    profile: Profile
    gateway: Gateway
    marker: str

    @property
    def words(self) -> dict[str, str]:
        """What stands in the profile's places, but for the prompt."""
        azure = self.gateway.settings.azure.responses
        return {
            "MODEL": azure.model,
            "DEPLOYMENT": azure.deployment,
            "SESSION": f"session-of-{self.marker}",
        }

    def begin(self, prompt: str) -> Json:
        """The body of a first turn."""
        body: Json = _fill(self.profile.body, {**self.words, "PROMPT": prompt})
        return body

    def go_on(self, turn: Turn, *added: Json) -> Json:
        """The body of the next turn: all that was said, and what is new."""
        key = self.profile.conversation
        said = [*turn.sent[key], *(self._send_back(item) for item in turn.answer.items)]
        return {**turn.sent, key: [*said, *added]}

    def write(self, prompt: str) -> Json:
        """A further message of the user's: it looks like the first one."""
        message: Json = self.begin(prompt)[self.profile.conversation][-1]
        return message

    def return_result(self, call: Call, text: str) -> Json:
        """What a tool returned."""
        if self.profile.api == "responses":
            return {"type": f"{call.kind}_output", "call_id": call.id, "output": text}
        return {"role": "tool", "tool_call_id": call.id, "content": text}

    def _send_back(self, item: Json) -> Json:
        rule = self.profile.sends_back[item.get("type", "message")]
        kept = {key: item[key] for key in rule.keeps if key in item}
        if isinstance(kept.get("content"), list):
            kept["content"] = [{key: part[key] for key in ("type", "text")} for part in kept["content"]]
        return {**kept, **rule.adds}

    def ask(self, body: Json, *, base: str = "", key: str = "") -> Turn:
        """Send a turn and read its answer; raises `RefusedError` with the last error when each path gave one."""
        paths = self.profile.paths[base or next(iter(self.profile.paths))]
        refusals = []
        for path in paths:
            headers = {
                **_fill(self.profile.headers, self.words),
                "authorization": f"Bearer {key or self.gateway.key}",
            }
            with connect_http().stream(
                "POST", f"{self.gateway.base_url}{path}", json=body, headers=headers
            ) as response:
                if response.status_code == httpx.codes.OK:
                    return Turn(body, self._read(response))
                response.read()
                refusals.append(describe(response))
        raise RefusedError(refusals[-1])

    def _read(self, response: httpx.Response) -> Answer:
        assert response.headers.get("content-type", "").startswith("text/event-stream")
        try:
            if self.profile.api == "responses":
                return read_responses(response.iter_bytes(), closes_early=self.profile.closes_early)
            return read_chat(response.iter_bytes())
        except (LookupError, TypeError) as error:
            raise AssertionError(f"the stream is not what it should be: {error!r}") from error

    def attempt(self, body: Json, *, base: str = "", key: str = "") -> Outcome:
        """Send a turn; how it ended, as the client sees it."""
        try:
            turn = self.ask(body, base=base, key=key)
        except RefusedError as refusal:
            return refusal.outcome
        except StreamFailedError as failure:
            return Outcome(200, 0.0, body={"error": failure.error})
        return Outcome(200, 0.0, text=turn.answer.text)


@dataclass(frozen=True)
class Conversation:
    """A conversation in which a tool was used: the call, what it returned, and each turn."""

    assistant: Assistant
    call: Call
    returned: str
    turns: tuple[Turn, ...]


_CLIENT = r"(?P<client>Codex|Roo(?: Compatible)?|Qoder(?: Compatible)?|Cline|opencode(?: Compatible)?|Vercel AI SDK)"


def _engage(client: str, target: Target, gateway: Gateway, marker: str) -> Assistant:
    return Assistant(_load_profile(target.root, client), gateway, marker)


def _ask_for_phrase(marker: str) -> str:
    return f"Reply with exactly: {marker}"


@when(parsers.re(rf"{_CLIENT} asks for an answer"), target_fixture="outcome")
def _(target: Target, gateway: Gateway, marker: str, client: str) -> Outcome:
    assistant = _engage(client, target, gateway, marker)
    return assistant.attempt(assistant.begin(_ask_for_phrase(marker)))


@when(
    parsers.re(rf"{_CLIENT}, with a base URL (?P<base>with /v1|without /v1), asks for an answer"),
    target_fixture="outcome",
)
def _(target: Target, gateway: Gateway, marker: str, client: str, base: str) -> Outcome:
    assistant = _engage(client, target, gateway, marker)
    return assistant.attempt(assistant.begin(_ask_for_phrase(marker)), base=base)


@when(parsers.re(rf"{_CLIENT} asks with a wrong key"), target_fixture="outcome")
def _(target: Target, gateway: Gateway, marker: str, client: str) -> Outcome:
    assistant = _engage(client, target, gateway, marker)
    return assistant.attempt(assistant.begin(_ask_for_phrase(marker)), key=f"sk-{marker}")


@when(parsers.re(rf"{_CLIENT} sends more than the model can take"), target_fixture="outcome")
def _(target: Target, gateway: Gateway, marker: str, client: str) -> Outcome:
    assistant = _engage(client, target, gateway, marker)
    return assistant.attempt(assistant.begin(f"{marker} {TOO_LONG}"))


@when(parsers.re(rf"{_CLIENT} asks a model of its own choice"), target_fixture="outcome")
def _(target: Target, gateway: Gateway, marker: str, client: str) -> Outcome:
    assistant = _engage(client, target, gateway, marker)
    return assistant.attempt({**assistant.begin(_ask_for_phrase(marker)), "model": "gpt-5.1-codex-max"})


# --- tools


@when(
    parsers.re(rf"{_CLIENT} lets the model use (?P<tool>[\w-]+) and goes on"), target_fixture="conversation"
)
def _(target: Target, gateway: Gateway, marker: str, client: str, tool: str) -> Conversation:
    assistant = _engage(client, target, gateway, marker)
    prompt = f"Call the {tool} tool for README.md, and then tell me the word that it returns. ({marker})"
    first = assistant.ask(assistant.begin(prompt))
    names = [call.name for call in first.answer.calls]
    assert names == [tool], f"the model called {names}"
    (call,) = first.answer.calls
    returned = f"found-{marker}"
    second = assistant.ask(assistant.go_on(first, assistant.return_result(call, returned)))
    third = assistant.ask(assistant.go_on(second, assistant.write(f"Reply with exactly: again-{marker}")))
    return Conversation(assistant, call, returned, (first, second, third))


@then("the model called it with arguments that fit its schema")
def _(conversation: Conversation) -> None:
    call = conversation.call
    assert call.arguments
    if call.kind == "custom_tool_call":
        return
    schema = conversation.assistant.profile.find_schema(call.name)
    try:
        arguments = json.loads(call.arguments)
    except ValueError as error:
        raise AssertionError(f"the arguments are not JSON: {call.arguments:.300}") from error
    assert set(schema["required"]) <= set(arguments) <= set(schema["properties"])


@then("the model read what the tool returned")
def _(conversation: Conversation) -> None:
    assert conversation.returned in conversation.turns[1].answer.text


@then("the model answered the next question")
def _(conversation: Conversation, marker: str) -> None:
    assert conversation.turns[-1].answer.text.strip() == f"again-{marker}"


# --- what Azure received


@then(parsers.re(rf"Azure received each turn as {_CLIENT} sent it(?:, but for (?P<dropped>\w+))?"))
def _(received: list[RecordedRequest], conversation: Conversation, dropped: str | None) -> None:
    deployment = conversation.assistant.words["DEPLOYMENT"]
    # LiteLLM leaves out what is null, such as the content of Codex's reasoning.
    sent = [_leave_out_null({**turn.sent, "model": deployment}) for turn in conversation.turns]
    if dropped:
        assert all(dropped in body for body in sent)
        sent = [{key: value for key, value in body.items() if key != dropped} for body in sent]
    _assert_same([request.body for request in received], sent)


@then(parsers.re(rf"Azure received of {_CLIENT} a request of its Responses API that means the same"))
def _(received: list[RecordedRequest], target: Target, gateway: Gateway, marker: str, client: str) -> None:
    assistant = _engage(client, target, gateway, marker)
    words = {**assistant.words, "PROMPT": _ask_for_phrase(marker)}
    _assert_same([request.body for request in received], [_fill(assistant.profile.azure, words)])


def _leave_out_null(data: Any) -> Any:
    if isinstance(data, list):
        return [_leave_out_null(item) for item in data]
    if isinstance(data, dict):
        return {key: _leave_out_null(value) for key, value in data.items() if value is not None}
    return data


def _assert_same(received: list[Json], expected: list[Json]) -> None:
    assert len(received) == len(expected)
    for turn, (got, wanted) in enumerate(zip(received, expected, strict=True)):
        for key in sorted({*got, *wanted}):
            assert got.get(key) == wanted.get(key), f"{key} of turn {turn}"
            assert (key in got) == (key in wanted), f"{key} of turn {turn}"


# --- what only one of them does


@given("Codex tried a WebSocket first, and was told 426 at once")
def _(gateway: Gateway) -> None:
    upgrade = {
        "Authorization": f"Bearer {gateway.key}",
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        "OpenAI-Beta": "responses_websockets=2026-02-06",
    }
    answer = connect_http().get(f"{gateway.base_url}/v1/responses", headers=upgrade)
    assert answer.status_code == httpx.codes.UPGRADE_REQUIRED


@then(parsers.parse("Codex reads that it should try again in {seconds:d} seconds"))
def _(outcome: Outcome, seconds: int) -> None:
    """It looks for the code, and then for the time in the message (codex-api/src/sse/responses.rs)."""
    assert outcome.body, "the stream did not fail"
    error = outcome.body["error"]
    assert error["code"] == "rate_limit_exceeded"
    found = re.search(r"(?i)try again in\s*(\d+(?:\.\d+)?)\s*(s|ms|seconds?)", error["message"])
    assert found, error["message"]
    assert float(found[1]) == seconds


@then("Roo sees that the conversation is too long, and shortens it")
def _(outcome: Outcome) -> None:
    """By status and words (its core/context-management/context-error-handling.ts)."""
    assert outcome.status == httpx.codes.BAD_REQUEST
    assert re.search(r"(?i)\bcontext\s*(?:length|window)\b", outcome.body["error"]["message"])


@when("Roo Compatible asks for the list of models", target_fixture="models")
def _(gateway: Gateway) -> list[str]:
    answer = connect_http().get(
        f"{gateway.base_url}/v1/models", headers={"Authorization": f"Bearer {gateway.key}"}
    )
    return [model["id"] for model in answer.raise_for_status().json()["data"]]


@then("it holds the configured models and no other")
def _(models: list[str], gateway: Gateway) -> None:
    azure = gateway.settings.azure
    assert sorted(models) == sorted([azure.responses.model, azure.embeddings.model])


# --- Roo's indexing


# What each way of asking sends beside the key in Authorization.
_INDEXING_HEADERS = {"/v1": {"x-stainless-lang": "js"}, "/embeddings": {"api-key": "KEY"}}


@when(
    parsers.re(r"Roo tries its settings for indexing, with a URL that ends in (?P<end>/v1|/embeddings)"),
    target_fixture="embedded",
)
def _(gateway: Gateway, end: str) -> Embedded:
    headers = {name: value.replace("KEY", gateway.key) for name, value in _INDEXING_HEADERS[end].items()}
    return embed(gateway, ["test"], headers=headers)


@when("Roo tries its settings for indexing with a wrong key", target_fixture="outcome")
def _(gateway: Gateway, marker: str) -> Outcome:
    wrong = f"sk-{marker}"
    body = {
        "input": ["test"],
        "model": gateway.settings.azure.embeddings.model,
        "encoding_format": "base64",
    }
    headers = {"Authorization": f"Bearer {wrong}", "api-key": wrong}
    return describe(connect_http().post(f"{gateway.base_url}/v1/embeddings", json=body, headers=headers))


@when(
    parsers.parse(
        "the indexer sends a batch of {count:d} segments, and tries again as OpenAI's package does"
    ),
    target_fixture="batches",
)
def _(gateway: Gateway, segments: list[str], count: int) -> list[Embedded]:
    client = gateway.connect().with_options(max_retries=openai.DEFAULT_MAX_RETRIES)
    model = gateway.settings.azure.embeddings.model
    answer = client.embeddings.with_raw_response.create(
        input=segments[:count], model=model, encoding_format="base64"
    )
    return [read_embedded(answer.http_response.json())]


@then("Azure received the batch as it was sent, and the Azure key instead of the client's")
def _(received: list[RecordedRequest], gateway: Gateway, segments: list[str]) -> None:
    settings = gateway.settings.azure.embeddings
    shortened = settings.dimensions != settings.full_dimensions
    sent = {"input": segments, "model": settings.deployment, "encoding_format": "base64"}
    (request,) = received
    assert request.key_ok
    assert request.body == {**sent, **({"dimensions": settings.dimensions} if shortened else {})}
