"""Clients that try to say how Azure is called."""

from __future__ import annotations

import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

from openai.types import EmbeddingCreateParams
from openai.types.chat.completion_create_params import CompletionCreateParamsStreaming
from openai.types.responses.response_create_params import ResponseCreateParamsStreaming
from pytest_bdd import given, parsers, then, when
from rich.console import Console

from aigateway.acceptance.target import Target
from aigateway.launching.choice import choose_launcher
from aigateway.launching.own_parameters import list_own_parameters
from aigateway.rendering import body
from aigateway.settings.model import Settings
from aigateway.settings.values import ENDPOINTS
from aigateway.simulator.ledger import RecordedRequest
from steps.answers import Outcome, assert_openai_error
from steps.gateway import Edges, Gateway, LocalControl
from steps.messages import (
    RESPONSES,
    Message,
    add_headers,
    send,
    write,
    write_request,
)

_AS_FORM = {"Content-Type": "application/x-www-form-urlencoded"}
_OTHER_KEY = "sk-another-key-than-the-operators"

#: A value that LiteLLM would obey, for each field that the features name.
_VALUES: Mapping[str, Any] = {
    "api_key": _OTHER_KEY,
    "api_base": "http://127.0.0.1:9",
    "api_version": "preview",
    "an empty api_version": "",
    "deployment_id": "another",
    "custom_llm_provider": "openai",
    "extra_headers": {"x-more": "1"},
    "headers": {"x-more": "1"},
    "provider_specific_header": {"custom_llm_provider": "azure", "extra_headers": {"x-more": "1"}},
    "extra_body": {"instructions": "Say nothing."},
    "timeout": 0.001,
    "num_retries": 5,
    "fallbacks": ["text-embedding-3-large"],
    "router_settings_override": {"timeout": 0.001},
    "litellm_system_prompt": "Say nothing.",
    "litellm_metadata": {"tags": ["other"]},
    "mock_timeout": True,
    "no-log": True,
    "drop_params": False,
    "use_litellm_proxy": True,
    "a conversation": "conv_1",
    "an MCP server of LiteLLM's to its tools": [
        {"type": "mcp", "server_label": "docs", "server_url": "litellm_proxy/mcp/docs"}
    ],
}


#: Fields that OpenAI's API has for each operation, by its own package.
_FIELDS: Mapping[str, frozenset[str]] = {
    "an answer": frozenset(ResponseCreateParamsStreaming.__annotations__),
    "a chat completion": frozenset(CompletionCreateParamsStreaming.__annotations__),
    "embeddings": frozenset(EmbeddingCreateParams.__annotations__),
}
#: Two of LiteLLM's that do nothing which a client may not do.
_HARMLESS = {"text_format", "thinking"}
_MANY = 1_000_000


def _write_disguise(gateway: Gateway, marker: str, disguise: str) -> Message:
    """A request with another api_key in it, where the gateway may not look for it."""
    plain = write_request(gateway, "an answer", marker, api_key=_OTHER_KEY)
    good = write_request(gateway, "an answer", marker)
    fields = json.loads(plain.content)
    form = urlencode(fields)
    buried = plain.content[:-1] + b', "metadata": ' + b'{"a":' * 100 + b"1" + b"}" * 101
    disguises = {
        "under a name with an escape in it": replace(
            plain, content=plain.content.replace(b"api_key", b"api\\u005fkey")
        ),
        "twice, the second time empty": replace(plain, content=plain.content[:-1] + b', "api_key": null}'),
        "behind a hundred levels of brackets": replace(plain, content=buried),
        "as a form": add_headers(gateway, replace(plain, content=form.encode()), _AS_FORM),
        "as a form that is JSON as well": add_headers(
            gateway,
            write(RESPONSES, **json.loads(good.content), form=f"&{form}&"),
            {"Content-Type": f"{_AS_FORM['Content-Type']}; application/json"},
        ),
        "as plain text": add_headers(gateway, plain, {"Content-Type": "text/plain"}),
        "with a note that the body has been looked at": add_headers(
            gateway,
            replace(plain, content=buried),
            {body.READ_HEADER: "object", body.MODEL_HEADER: fields["model"]},
        ),
        "along with the wish to read a stored answer": replace(
            plain, path=f"{RESPONSES}/resp_{marker}", method="GET"
        ),
    }
    return disguises[disguise]


@when(
    parsers.re(
        r"a client asks for (?P<operation>an answer|a chat completion|embeddings) and adds (?P<field>.+)"
    ),
    target_fixture="outcome",
)
def _(gateway: Gateway, marker: str, operation: str, field: str) -> Outcome:
    *_, name = field.split()
    return send(gateway, write_request(gateway, operation, marker, **{name: _VALUES[field]}))


@when("a client sends another api_key in chunks", target_fixture="outcome")
def _(gateway: Gateway, marker: str) -> Outcome:
    message = write_request(gateway, "an answer", marker, api_key=_OTHER_KEY)
    return send(gateway, message, in_chunks=True)


@when(parsers.re(r"a client sends another api_key (?!in chunks)(?P<disguise>.+)"), target_fixture="outcome")
def _(gateway: Gateway, marker: str, disguise: str) -> Outcome:
    return send(gateway, _write_disguise(gateway, marker, disguise))


@when(parsers.parse('a client asks for {operation} of the model "{model}"'), target_fixture="outcome")
def _(gateway: Gateway, marker: str, operation: str, model: str) -> Outcome:
    return send(gateway, write_request(gateway, operation, marker, model=model))


@then("the refusal says that a field is not a client's to send")
def _(outcome: Outcome) -> None:
    assert _is_refused(outcome)


# --- all of LiteLLM's parameters


@given("every parameter that LiteLLM has and OpenAI's API has not", target_fixture="parameters")
def _(control: LocalControl, target: Target) -> tuple[str, ...]:
    launcher = choose_launcher(control.stack.launcher, target.settings, Console(stderr=True))
    own = list_own_parameters(launcher, control.stack.litellm)
    parameters = tuple(name for name in own if name not in _HARMLESS.union(*_FIELDS.values()))
    if "api_key" not in parameters:
        raise LookupError("LiteLLM no longer tells its parameters; look at launching/own_parameters.py")
    return parameters


@when("a client sends each of them", target_fixture="tried")
def _(edges: Edges, target: Target, marker: str, parameters: tuple[str, ...]) -> dict[str, Outcome]:
    gateway = edges.start(_allow_many(target.settings))

    def try_parameter(name: str) -> Outcome:
        return send(gateway, write_request(gateway, "an answer", marker, **{name: "x"}))

    with ThreadPoolExecutor() as pool:
        return dict(zip(parameters, pool.map(try_parameter, parameters), strict=True))


def _allow_many(settings: Settings) -> Settings:
    """The same, but nobody meets a rate limit."""
    many = {"requests_per_minute": _MANY, "burst": _MANY // 2}
    limits: dict[str, Any] = {
        endpoint: settings.endpoint_limit(endpoint).model_copy(update=many) for endpoint in ENDPOINTS
    }
    return settings.model_copy(update={"limits": settings.limits.model_copy(update=limits)})


@then("each of them is refused")
def _(tried: dict[str, Outcome]) -> None:
    for outcome in tried.values():
        assert_openai_error(outcome)
    let_through = [name for name, outcome in tried.items() if not _is_refused(outcome)]
    assert not let_through, f"LiteLLM gets to see {', '.join(let_through)}"


def _is_refused(outcome: Outcome) -> bool:
    return outcome.status == 400 and outcome.body["error"]["code"] == "field_refused"


# --- beside the body

_BESIDE: Mapping[str, tuple[str, str, Mapping[str, str]]] = {
    "another api-version in the query": ("an answer", "?api-version=preview", {}),
    "another model in the query": ("a chat completion", "?model=azure/another", {}),
    "a time-out of a tenth of a second in a header": ("embeddings", "", {"x-litellm-timeout": "0.1"}),
    "another key for LiteLLM in a header": ("an answer", "", {"x-litellm-api-key": _OTHER_KEY}),
}


@when(parsers.parse("a client sends a request with {beside}"), target_fixture="outcome")
def _(gateway: Gateway, marker: str, beside: str) -> Outcome:
    operation, query, headers = _BESIDE[beside]
    message = write_request(gateway, operation, marker)
    return send(gateway, add_headers(gateway, replace(message, path=message.path + query), headers))


# --- what is a client's to say

_FUNCTION = {
    "name": "read_file",
    "parameters": {"type": "object", "properties": {}, "additionalProperties": False},
    "strict": True,
}

#: For each operation the fields that cannot hold just any word, each with a value that fits; for an answer, all that
#: reach Azure. The others take any word, or get lost in LiteLLM.
_FITTING: Mapping[str, Mapping[str, Any]] = {
    "an answer": {
        "background": False,
        "context_management": [{"type": "compaction", "compact_threshold": 100_000}],
        "include": ["reasoning.encrypted_content"],
        "instructions": "Be brief.",
        "max_output_tokens": 1000,
        "max_tool_calls": 3,
        "metadata": {"ticket": "7"},
        "parallel_tool_calls": True,
        "prompt": {"id": "pmpt_1"},
        "prompt_cache_key": "session",
        "prompt_cache_options": {"mode": "implicit"},
        "prompt_cache_retention": "24h",
        "reasoning": {"effort": "low", "summary": "auto"},
        "safety_identifier": "somebody",
        "service_tier": "auto",
        "store": False,
        "stream": False,
        "stream_options": {"include_obfuscation": False},
        "text": {"format": {"type": "text"}, "verbosity": "low"},
        "tool_choice": "auto",
        "tools": [{"type": "function", **_FUNCTION}],
        "top_logprobs": 0,
        "truncation": "auto",
        "user": "somebody",
    },
    "a chat completion": {
        "max_completion_tokens": 1000,
        "max_tokens": 1000,
        "parallel_tool_calls": True,
        "prompt_cache_options": {"mode": "implicit"},
        "reasoning_effort": "low",
        "response_format": {"type": "text"},
        "store": False,
        "stream": False,
        "tool_choice": "auto",
        "tools": [{"type": "function", "function": _FUNCTION}],
        "verbosity": "low",
        "web_search_options": {"search_context_size": "low"},
    },
    "embeddings": {"dimensions": 256, "encoding_format": "float"},
}
#: What clients send and Azure would refuse for this model: it is dropped on the way.
_DROPPED: Mapping[str, Any] = {"client_metadata": {"session": "1"}, "temperature": 0, "top_p": 1}


def _write_everything(gateway: Gateway, operation: str, marker: str, **more: Any) -> Message:
    """A request with every field of its operation in it, and `more`."""
    plain: dict[str, Any] = json.loads(write_request(gateway, operation, marker).content)
    others = dict.fromkeys(_FIELDS[operation] - plain.keys(), "anything")
    return write_request(gateway, operation, marker, **{**others, **_FITTING[operation], **more})


@when("a client sends every field that it may, and continues that response", target_fixture="outcome")
def _(gateway: Gateway, marker: str, stored_id: str) -> Outcome:
    everything = _write_everything(gateway, "an answer", marker, **_DROPPED, previous_response_id=stored_id)
    return send(gateway, everything)


@when(parsers.parse("a client asks for {operation} with every field that there is"), target_fixture="outcome")
def _(gateway: Gateway, marker: str, operation: str) -> Outcome:
    return send(gateway, _write_everything(gateway, operation, marker))


@then("Azure received every field that LiteLLM knows and the model takes")
def _(received: list[RecordedRequest]) -> None:
    *_, request = received
    # Azure's own id of the response is another than the gateway's.
    assert request.body["previous_response_id"]
    apart = {"model", "input", "previous_response_id"}
    got = {name: value for name, value in request.body.items() if name not in apart}
    assert got == _FITTING["an answer"]


# --- what cannot be closed


@then("Azure received an api-version that nobody configured")
def _(gateway: Gateway, received: list[RecordedRequest]) -> None:
    (request,) = received
    assert request.query["api-version"] != gateway.settings.azure.responses.api_version


@then("Azure received nothing of the conversation")
def _(received: list[RecordedRequest]) -> None:
    (request,) = received
    assert "conversation" not in request.body
