"""What the simulator refuses, with the status, the code and the words of Azure."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from aigateway.simulator.server import SimulatorProcess

RESPONSES = "/openai/responses?api-version=2025-04-01-preview"
V1_RESPONSES = "/openai/v1/responses"
EMBEDDINGS = "/openai/deployments/embedder/embeddings?api-version=2024-10-21"
CHAT = "/openai/deployments/coder/chat/completions?api-version=2024-10-21"
CALL_OUTPUT = {"type": "function_call_output", "call_id": "call_1", "output": "x"}
CALL = {"type": "function_call", "call_id": "call_1", "name": "f", "arguments": "{}"}


def refused(answer: httpx.Response, status: int, code: str | None, words: str) -> None:
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (status, code), answer.text
    assert words in error["message"]


@pytest.mark.parametrize(
    ("change", "status", "code", "words"),
    [
        ({"nonsense": 1}, 400, "unknown_parameter", "Unknown parameter: 'nonsense'."),
        ({"client_metadata": {}}, 400, "unknown_parameter", "Unknown parameter: 'client_metadata'."),
        ({"temperature": 0}, 400, "unsupported_parameter", "'temperature' is not supported with this model."),
        ({"top_p": 1}, 400, "unsupported_parameter", "'top_p' is not supported with this model."),
        ({"model": "other"}, 404, "DeploymentNotFound", "does not exist"),
        ({"model": None}, 404, "DeploymentNotFound", "does not exist"),
        ({"stream": "yes"}, 400, "invalid_type", "expected a boolean, but got a string"),
        ({"max_output_tokens": True}, 400, "invalid_type", "expected an integer, but got a boolean"),
        ({"max_output_tokens": 1}, 400, "integer_below_min_value", ">= 16"),
        ({"input": None}, 400, "missing_required_parameter", "'input'"),
        ({"input": 3}, 400, "invalid_type", "'input'"),
        ({"input": "x" * 1_100_000}, 400, "context_length_exceeded", "context window"),
        ({"include": ["everything"]}, 400, "invalid_value", "'everything'"),
        ({"reasoning": {"effort": "huge"}}, 400, "invalid_value", "'huge'"),
        ({"truncation": "some"}, 400, "invalid_value", "'some'"),
        ({"background": True, "store": False}, 400, None, "Background"),
        ({"previous_response_id": "resp_0"}, 400, "previous_response_not_found", "'resp_0' not found."),
        (
            {"tools": [{"type": "function", "function": {"name": "f"}}]},
            400,
            "missing_required_parameter",
            "tools[0].name",
        ),
        ({"tools": [{"type": "function", "name": "a b"}]}, 400, "invalid_value", "pattern"),
        ({"tools": [{"type": "magic"}]}, 400, "invalid_value", "'magic'"),
        ({"tools": [{"name": "f"}]}, 400, "missing_required_parameter", "tools[0].type"),
        (
            {"tools": [{"type": "function", "name": "f", "strict": True, "parameters": {"type": "object"}}]},
            400,
            "invalid_function_parameters",
            "additionalProperties",
        ),
        ({"tool_choice": "required"}, 400, None, "'tools' parameter"),
        ({"tool_choice": {"type": "function", "name": "f"}}, 400, None, "not found in 'tools'"),
        ({"tool_choice": "maybe"}, 400, "invalid_value", "'maybe'"),
        (
            {"input": [CALL_OUTPUT]},
            400,
            None,
            "No tool call found for function call output with call_id call_1.",
        ),
        ({"input": [CALL]}, 400, None, "No tool output found for function call call_1."),
        ({"input": [{"type": "spell"}]}, 400, "invalid_value", "'spell'"),
        ({"input": ["text"]}, 400, "invalid_type", "input[0]"),
        ({"input": [{"role": "user"}]}, 400, "missing_required_parameter", "input[0].content"),
        ({"input": [{"role": "robot", "content": "x"}]}, 400, "invalid_value", "'robot'"),
        (
            {"input": [{"role": "user", "content": "x", "cache_control": {}}]},
            400,
            "unknown_parameter",
            "input[0].cache_control",
        ),
        (
            {"input": [{"role": "user", "content": [{"type": "text", "text": "x"}]}]},
            400,
            "invalid_value",
            "Supported values are: 'input_text'",
        ),
        (
            {"input": [{"role": "assistant", "content": [{"type": "input_text", "text": "x"}]}]},
            400,
            "invalid_value",
            "Supported values are: 'output_text'",
        ),
        ({"input": [{**CALL, "id": "call_1"}, CALL_OUTPUT]}, 400, "invalid_value", "begins with 'fc'"),
        ({"input": [{**CALL, "id": "fc_" + "0" * 70}, CALL_OUTPUT]}, 400, "string_above_max_length", "64"),
        (
            {"input": [{"type": "reasoning", "id": "rs_0", "summary": []}], "store": False},
            404,
            None,
            "Item with id 'rs_0' not found. Items are not persisted when `store` is set to false.",
        ),
        (
            {"input": [{"type": "reasoning", "summary": [], "encrypted_content": "gAAAAAB0000"}]},
            400,
            "invalid_encrypted_content",
            "The encrypted content gAAA...0000 could not be verified.",
        ),
        ({"input": [{"type": "item_reference", "id": "msg_0"}]}, 404, None, "'msg_0' not found."),
    ],
)
def test_a_responses_request_that_azure_refuses(
    wire: httpx.Client, change: dict[str, Any], status: int, code: str | None, words: str
) -> None:
    refused(wire.post(RESPONSES, json={"model": "coder", "input": "hello"} | change), status, code, words)


@pytest.mark.parametrize(
    ("change", "status", "code", "words"),
    [
        ({"nonsense": 1}, 400, "unknown_parameter", "'nonsense'"),
        ({"input": None}, 400, "missing_required_parameter", "'input'"),
        ({"input": ""}, 400, None, "'$.input' is invalid"),
        ({"input": ["a", ""]}, 400, None, "'$.input' is invalid"),
        ({"input": []}, 400, None, "'$.input' is invalid"),
        ({"input": [True]}, 400, None, "'$.input' is invalid"),
        ({"input": ["a"] * 2049}, 400, None, "'$.input' is invalid"),
        ({"input": "x" * (4 * 8192 + 1)}, 400, None, "you requested 8193 tokens"),
        ({"input": [1] * 8193}, 400, None, "you requested 8193 tokens"),
        ({"input": ["x" * 4 * 8000] * 38}, 400, "max_tokens_per_request", "304000"),
        ({"encoding_format": "hex"}, 400, "invalid_value", "'hex'"),
        ({"dimensions": 3073}, 400, None, "less than or equal to 3072"),
        ({"dimensions": 0}, 400, "integer_below_min_value", "dimensions"),
        ({"dimensions": "many"}, 400, "invalid_type", "dimensions"),
    ],
)
def test_an_embeddings_request_that_azure_refuses(
    wire: httpx.Client, change: dict[str, Any], status: int, code: str | None, words: str
) -> None:
    refused(wire.post(EMBEDDINGS, json={"model": "embedder", "input": "a"} | change), status, code, words)


@pytest.mark.parametrize("given", ["a", [1, 2], [[1], [2, 3]], ["x" * 4 * 8192], ["a"] * 2048])
def test_an_embeddings_request_at_the_limit_is_served(wire: httpx.Client, given: Any) -> None:
    answer = wire.post(EMBEDDINGS, json={"input": given, "encoding_format": "base64", "dimensions": 8})
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize(
    ("path", "status", "code", "words"),
    [
        ("/openai/responses", 404, "404", "Resource not found"),
        ("/openai/responses?api-version=2031-01-01", 404, "404", "Resource not found"),
        ("/openai/responses?api-version=preview", 404, "404", "Resource not found"),
        ("/openai/responses?api-version=2024-10-21", 400, "BadRequest", "2025-03-01-preview and later"),
        (f"{V1_RESPONSES}?api-version=2025-04-01-preview", 400, "BadRequest", "API version not supported"),
        ("/v1/responses", 404, "404", "Resource not found"),
        (
            "/openai/deployments/coder/responses?api-version=2025-04-01-preview",
            404,
            "404",
            "Resource not found",
        ),
        (CHAT, 400, "OperationNotSupported", "does not work with the specified model, gpt-5.3-codex."),
        (CHAT.replace("coder", "other"), 404, "DeploymentNotFound", "does not exist"),
        (EMBEDDINGS.replace("embedder", "other"), 404, "DeploymentNotFound", "does not exist"),
        (EMBEDDINGS.replace("2024-10-21", "2024-13-99"), 404, "404", "Resource not found"),
        ("/openai/responses/resp_0/cancel?api-version=2025-04-01-preview", 404, None, "'resp_0' not found."),
    ],
)
def test_a_path_or_version_that_azure_refuses(
    wire: httpx.Client, path: str, status: int, code: str | None, words: str
) -> None:
    refused(wire.post(path, json={"model": "coder", "input": "hello"}), status, code, words)


@pytest.mark.parametrize("query", ["", "?api-version=v1", "?api-version=preview", "?api-version=latest"])
def test_the_v1_path_takes_its_own_versions_or_none(wire: httpx.Client, query: str) -> None:
    assert wire.post(V1_RESPONSES + query, json={"model": "coder", "input": "hello"}).status_code == 200


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"x"', b"\xff"])
def test_a_body_that_is_no_json_object(wire: httpx.Client, body: bytes) -> None:
    refused(wire.post(RESPONSES, content=body), 400, None, "could not parse the JSON body")


@pytest.mark.parametrize(
    "headers",
    [{}, {"api-key": ""}, {"api-key": "wrong"}, {"authorization": "Bearer simulated-azure-key-0123456789"}],
)
@pytest.mark.parametrize("path", [RESPONSES, V1_RESPONSES, EMBEDDINGS, CHAT])
def test_a_key_that_azure_refuses(simulator: SimulatorProcess, headers: dict[str, str], path: str) -> None:
    answer = httpx.post(simulator.url + path, json={"model": "coder", "input": "hello"}, headers=headers)
    refused(answer, 401, "401", "Access denied due to invalid subscription key or wrong API endpoint.")


@pytest.mark.parametrize("method", ["GET", "PUT", "HEAD"])
def test_another_method_is_another_resource(wire: httpx.Client, method: str) -> None:
    assert wire.request(method, RESPONSES).status_code == 404


def test_every_answer_has_azures_headers(wire: httpx.Client) -> None:
    ours = {"x-ms-client-request-id": "mine"}
    for answer in (
        wire.post(RESPONSES, json={"model": "coder", "input": "hello"}, headers=ours),
        wire.get("/", headers=ours),
    ):
        assert answer.headers["apim-request-id"]
        assert answer.headers["x-ms-region"] == "South Africa North"
        assert answer.headers["x-ms-client-request-id"] == "mine"
        assert int(answer.headers["x-ratelimit-remaining-tokens"]) > 0
