"""Azure's error answers, word for word, as exceptions.

Two shapes come out of one resource: the front (API Management: key, path, deployment, quota) answers
`{"error": {"code", "message"}}`, the model service answers OpenAI's `{"error": {"message", "type", "param",
"code"}}`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any


class Refusal(Exception):  # noqa: N818 - an answer, not a failure of this program
    """An error answer of Azure: status, body and headers of its own."""

    def __init__(
        self, status: int, body: Mapping[str, Any], headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(status, body)
        self.status = status
        self.body = body
        self.headers = dict(headers or {})


def _front(status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> Refusal:
    return Refusal(status, {"error": {"code": code, "message": message}}, headers)


def invalid_request(message: str, *, param: str | None, code: str | None, status: int = 400) -> Refusal:
    """The model service's answer to a request that it cannot take."""
    error = {"message": message, "type": "invalid_request_error", "param": param, "code": code}
    return Refusal(status, {"error": error})


def access_denied() -> Refusal:
    return _front(
        401,
        "401",
        "Access denied due to invalid subscription key or wrong API endpoint. Make sure to provide a valid "
        "key for an active subscription and use a correct regional API endpoint for your resource.",
    )


def resource_not_found() -> Refusal:
    return _front(404, "404", "Resource not found")


def deployment_not_found() -> Refusal:
    return _front(
        404,
        "DeploymentNotFound",
        "The API deployment for this resource does not exist. If you created the deployment within the last "
        "5 minutes, please wait a moment and try again.",
    )


def version_not_supported() -> Refusal:
    return _front(400, "BadRequest", "API version not supported")


def responses_not_enabled(first: str) -> Refusal:
    return _front(
        400, "BadRequest", f"Azure OpenAI Responses API is enabled only for api-version {first} and later"
    )


def operation_not_supported(operation: str, model: str) -> Refusal:
    return _front(
        400,
        "OperationNotSupported",
        f"The {operation} operation does not work with the specified model, {model}. Please choose "
        "different model and try again. You can learn more about which models can be used with each "
        "operation here: https://go.microsoft.com/fwlink/?linkid=2197993.",
    )


def throttled(
    operation: str, version: str, limit: str, seconds: float, headers: Mapping[str, str]
) -> Refusal:
    """429; `limit` is "call" or "token"."""
    return _front(
        429,
        "429",
        f"Requests to the {operation} Operation under Azure OpenAI API version {version} have exceeded "
        f"{limit} rate limit of your current OpenAI S0 pricing tier. Please retry after "
        f"{math.ceil(seconds)} seconds. Please go here: https://aka.ms/oai/quotaincrease if you would like "
        "to further increase the default rate limit.",
        headers,
    )


# What the front and the model service answer when they fail by themselves.
_FAILURES: dict[int, tuple[str, str]] = {
    400: ("BadRequest", "The request could not be understood by the server."),
    403: ("403", "Access denied due to Virtual Network/Firewall rules."),
    408: ("Timeout", "The operation was timeout."),
    409: ("Conflict", "The request conflicts with the current state of the resource."),
    502: ("BadGateway", "The service returned an invalid response."),
    503: (
        "ServiceUnavailable",
        "The service is temporarily unable to process your request. Please try again later.",
    ),
    504: ("GatewayTimeout", "The service did not answer in time."),
}


def failing(status: int, echo: str | None, headers: Mapping[str, str]) -> Refusal:
    """The answer of a resource that fails with this status; `echo` is repeated in the message."""
    if status == 401:
        refusal = access_denied()
    elif status == 404:
        refusal = deployment_not_found()
    elif status == 500:
        message = "The server had an error while processing your request. Sorry about that!"
        error = {"message": message, "type": "server_error", "param": None, "code": None}
        refusal = Refusal(500, {"error": error})
    else:
        code, message = _FAILURES.get(status, (str(status), "The service could not process the request."))
        refusal = _front(status, code, message)
    refusal.headers.update(headers)
    if echo is None:
        return refusal
    error = dict(refusal.body["error"])
    error["message"] = f"{error['message']} The request was: {echo}"
    return Refusal(status, {"error": error}, refusal.headers)


def unparsable_body() -> Refusal:
    return invalid_request(
        "We could not parse the JSON body of your request. (HINT: This likely means you aren't using your "
        "HTTP library correctly. The OpenAI API expects a JSON payload, but what was sent was not valid "
        "JSON.)",
        param=None,
        code=None,
    )


def unknown_parameter(param: str) -> Refusal:
    return invalid_request(f"Unknown parameter: '{param}'.", param=param, code="unknown_parameter")


def unsupported_parameter(param: str) -> Refusal:
    return invalid_request(
        f"Unsupported parameter: '{param}' is not supported with this model.",
        param=param,
        code="unsupported_parameter",
    )


def missing_parameter(param: str) -> Refusal:
    return invalid_request(
        f"Missing required parameter: '{param}'.", param=param, code="missing_required_parameter"
    )


_JSON_TYPES: dict[type, str] = {
    bool: "a boolean",
    int: "an integer",
    float: "a decimal number",
    str: "a string",
    list: "an array",
    dict: "an object",
    type(None): "null",
}


def invalid_type(param: str, expected: str, got: object) -> Refusal:
    return invalid_request(
        f"Invalid type for '{param}': expected {expected}, but got {_JSON_TYPES[type(got)]} instead.",
        param=param,
        code="invalid_type",
    )


def invalid_value(param: str, got: str, supported: list[str]) -> Refusal:
    names = [f"'{value}'" for value in supported]
    listed = names[0] if len(names) == 1 else f"{', '.join(names[:-1])}, and {names[-1]}"
    return invalid_request(
        f"Invalid value: '{got}'. Supported values are: {listed}.", param=param, code="invalid_value"
    )


def integer_below_minimum(param: str, minimum: int, got: int) -> Refusal:
    return invalid_request(
        f"Invalid '{param}': integer below minimum value. Expected a value >= {minimum}, but got {got} "
        "instead.",
        param=param,
        code="integer_below_min_value",
    )


def string_too_long(param: str, maximum: int, length: int) -> Refusal:
    return invalid_request(
        f"Invalid '{param}': string too long. Expected a string with maximum length {maximum}, but got a "
        f"string with length {length} instead.",
        param=param,
        code="string_above_max_length",
    )


def wrong_id_prefix(param: str, got: str, prefix: str) -> Refusal:
    return invalid_request(
        f"Invalid '{param}': '{got}'. Expected an ID that begins with '{prefix}'.",
        param=param,
        code="invalid_value",
    )


def previous_response_not_found(response_id: str) -> Refusal:
    return invalid_request(
        f"Previous response with id '{response_id}' not found.",
        param="previous_response_id",
        code="previous_response_not_found",
    )


def response_not_found(response_id: str) -> Refusal:
    return invalid_request(f"Response with id '{response_id}' not found.", param=None, code=None, status=404)


def response_not_cancellable() -> Refusal:
    return invalid_request("Cannot cancel a synchronous response.", param=None, code=None)


def item_not_found(item_id: str, *, stored: bool) -> Refusal:
    """An input item that names something kept by the service, which keeps no such thing."""
    hint = (
        ""
        if stored
        else " Items are not persisted when `store` is set to false. Try again with `store` set to true, or "
        "remove this item from your input."
    )
    return invalid_request(f"Item with id '{item_id}' not found.{hint}", param="input", code=None, status=404)


def encrypted_content_not_verified(content: str) -> Refusal:
    shown = f"{content[:4]}...{content[-4:]}"
    return invalid_request(
        f"The encrypted content {shown} could not be verified.", param=None, code="invalid_encrypted_content"
    )


def orphan_tool_output(kind: str, call_id: str) -> Refusal:
    """`kind` is "function call" or "custom tool call"."""
    return invalid_request(
        f"No tool call found for {kind} output with call_id {call_id}.", param="input", code=None
    )


def missing_tool_output(kind: str, call_id: str) -> Refusal:
    return invalid_request(f"No tool output found for {kind} {call_id}.", param="input", code=None)


def tool_choice_not_found(kind: str) -> Refusal:
    return invalid_request(
        f"Tool choice '{kind}' not found in 'tools' parameter.", param="tool_choice", code=None
    )


def invalid_function_schema(name: str, complaint: str, param: str) -> Refusal:
    return invalid_request(
        f"Invalid schema for function '{name}': {complaint}", param=param, code="invalid_function_parameters"
    )


def context_too_long() -> Refusal:
    return invalid_request(
        "Your input exceeds the context window of this model. Please adjust your input and try again.",
        param="input",
        code="context_length_exceeded",
    )


def content_filtered() -> Refusal:
    """As documented (learn.microsoft.com/azure/foundry/openai/concepts/content-filter)."""
    fine = {"filtered": False, "severity": "safe"}
    violence = {"filtered": True, "severity": "medium"}
    error = {
        "message": "The response was filtered due to the prompt triggering Azure OpenAI's content management policy. "
        "Please modify your prompt and retry. To learn more about our content filtering policies please read our "
        "documentation: https://go.microsoft.com/fwlink/?linkid=2198766",
        "type": None,
        "param": "prompt",
        "code": "content_filter",
        "status": 400,
        "innererror": {
            "code": "ResponsibleAIPolicyViolation",
            "content_filter_result": {"hate": fine, "self_harm": fine, "sexual": fine, "violence": violence},
        },
    }
    return Refusal(400, {"error": error})


def invalid_embedding_input() -> Refusal:
    return invalid_request(
        "'$.input' is invalid. Please check the API reference: https://platform.openai.com/docs/api-reference.",
        param=None,
        code=None,
    )


def embedding_item_too_long(maximum: int, tokens: int) -> Refusal:
    return invalid_request(
        f"This model's maximum context length is {maximum} tokens, however you requested {tokens} tokens "
        f"({tokens} in your prompt; 0 for the completion). Please reduce your prompt; or completion length.",
        param=None,
        code=None,
    )


def embedding_request_too_large(maximum: int, tokens: int) -> Refusal:
    message = f"Requested {tokens} tokens, max {maximum} tokens per request."
    error = {
        "message": message,
        "type": "max_tokens_per_request",
        "param": None,
        "code": "max_tokens_per_request",
    }
    return Refusal(400, {"error": error})


def invalid_dimensions(maximum: int, got: int) -> Refusal:
    return invalid_request(
        f"Invalid value for 'dimensions' = {got}. Must be less than or equal to {maximum}.",
        param="dimensions",
        code=None,
    )
