"""Rules on the edge's access log: who, how much and how long, never what."""

from __future__ import annotations

import re
from collections.abc import Iterator

from aigateway.rules.envoy_config import EnvoyConfig
from aigateway.rules.rule import Complaint, rule
from aigateway.settings.model import Settings

#: Operators that tell nothing of what a client sent.
_HARMLESS = frozenset(
    {
        "START_TIME",
        "ROUTE_NAME",
        "PROTOCOL",
        "RESPONSE_CODE",
        "RESPONSE_CODE_DETAILS",
        "RESPONSE_FLAGS",
        "DURATION",
        "REQUEST_DURATION",
        "RESPONSE_DURATION",
        "RESPONSE_TX_DURATION",
        "UPSTREAM_REQUEST_ATTEMPT_COUNT",
        "UPSTREAM_CLUSTER",
        "BYTES_RECEIVED",
        "BYTES_SENT",
    }
)
#: Headers whose value the edge itself sets or checks.
_REQUEST_HEADERS = frozenset({":method", "x-request-id", "x-gateway-client"})
_RESPONSE_HEADERS = frozenset({"x-azure-request-id", "retry-after", "retry-after-ms", "content-type"})
_HEADERS = {"REQ": _REQUEST_HEADERS, "RESP": _RESPONSE_HEADERS}

_OPERATOR = re.compile(r"%([A-Z][A-Z0-9_]*)(?:\((.*?)\))?(?::\d+)?%")
#: Of a request's own attributes an expression could take the path, a query or a header.
_QUOTED = re.compile(r"'[^']*'")
_REQUEST_IN_EXPRESSION = re.compile(r"\b(request|connection|metadata|filter_state)\b")


@rule(
    "EN050",
    "an access log that tells what a client sent",
    reason="a path, a query, a header or a body can hold a key or source code, and logs are kept for months",
    source="the PRD, NFR2; www.envoyproxy.io/docs/envoy/v1.40.0/configuration/observability/access_log/usage",
).on_envoy
def access_log(config: EnvoyConfig, _settings: Settings) -> Iterator[Complaint]:
    """Every field is of operators that are known to be harmless."""
    for manager in config.managers:
        for index, log in enumerate(manager.access_log):
            for name, text in log.typed_config.log_format.json_format.items():
                for operator in _find_revealing(text):
                    yield (
                        f"access_log[{index}].json_format.{name}",
                        f"has {operator}, which can tell what a client sent; remove it",
                    )


def _find_revealing(text: str) -> Iterator[str]:
    rest = text
    for matched in _OPERATOR.finditer(text):
        rest = rest.replace(matched[0], "")
        if not _is_harmless(matched[1], matched[2]):
            yield matched[0]
    if "%" in rest:
        yield "a % that is no operator known here"


def _is_harmless(operator: str, argument: str | None) -> bool:
    if operator == "CEL":
        return not _REQUEST_IN_EXPRESSION.search(_QUOTED.sub("''", argument or "request"))
    if operator in _HEADERS:
        # REQ(first?second) falls back on the second header.
        return all(name in _HEADERS[operator] for name in (argument or "").lower().split("?"))
    return operator in _HARMLESS


@rule(
    "EN052",
    "an answer that repeats a header of the request",
    reason="once the edge has put it in, authorization holds LiteLLM's master key, and so would the answer",
    source="www.envoyproxy.io/docs/envoy/v1.40.0/configuration/advanced/substitution_formatter",
).on_envoy
def repeated_headers(config: EnvoyConfig, _settings: Settings) -> Iterator[Complaint]:
    """Neither an answer's headers nor what Envoy answers by itself take anything from the request."""
    for manager in config.managers:
        headers = (step.append.header.value for step in manager.response_mutations if step.append)
        for place, texts in (
            ("http_filters[header_mutation].response_mutations", headers),
            ("local_reply_config", _list_texts(manager.local_reply_config)),
        ):
            for text in texts:
                if any(_reads_request(found[1], found[2]) for found in _OPERATOR.finditer(text)):
                    yield place, f"has {text}, which repeats the request; remove it"


def _list_texts(data: object) -> Iterator[str]:
    if isinstance(data, str):
        yield data
    elif isinstance(data, dict):
        for value in data.values():
            yield from _list_texts(value)
    elif isinstance(data, list):
        for value in data:
            yield from _list_texts(value)


def _reads_request(operator: str, argument: str | None) -> bool:
    return operator.startswith(("REQ", "CEL", "PATH")) and not _is_harmless(operator, argument)


@rule(
    "EN051",
    "no access log",
    reason="without it nobody sees who was served, refused or slow",
    source="the PRD, NFR3",
).on_envoy
def access_log_present(config: EnvoyConfig, _settings: Settings) -> Iterator[Complaint]:
    """There is one line for each request."""
    for manager in config.managers:
        if len(manager.access_log) != 1:
            yield "access_log", "must be one, on standard output"
