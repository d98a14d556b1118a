"""Rules on the edge's access log: who, how much, how long and how it ended, never what."""

from __future__ import annotations

import re
from collections.abc import Iterator

from aigateway.rendering import access_log as log
from aigateway.rules.envoy_config import EnvoyConfig, Note
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
#: What an expression may take of the metadata: the notes of an answer, which are judged below.
_NOTES_IN_EXPRESSION = re.compile(
    rf"metadata\.filter_metadata\['{log.NAMESPACE}'\]|'{log.NAMESPACE}' in metadata\.filter_metadata"
)

#: All that may be noted of an answer, by the header or the place in an event where it is found.
_HEADER_NOTES = {"x-litellm-timeout": Note(metadata_namespace=log.NAMESPACE, key=log.ASKED, value="true")}
_STREAM_NOTES = {
    "response.status": Note(metadata_namespace=log.NAMESPACE, key=log.STREAM),
    "error": Note(metadata_namespace=log.NAMESPACE, key=log.STREAM, value="failed"),
}
#: An event repeats the instructions and tools of its request; Envoy reads none that is larger.
_LARGEST_EVENT = 10 * 1024**2


@rule(
    "EN050",
    "an access log that tells what a client sent",
    reason="a path, a query, a header or a body can hold a key or source code, and logs are kept for months",
    source="the PRD, NFR2; www.envoyproxy.io/docs/envoy/v1.40.0/configuration/observability/access_log/usage",
).on_envoy
def access_log(config: EnvoyConfig, _settings: Settings) -> Iterator[Complaint]:
    """Every field is of operators that are known to be harmless."""
    for manager in config.managers:
        for index, access_log in enumerate(manager.access_log):
            for name, text in access_log.typed_config.log_format.json_format.items():
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
        rest = _NOTES_IN_EXPRESSION.sub("", argument or "request")
        return not _REQUEST_IN_EXPRESSION.search(_QUOTED.sub("''", rest))
    if operator == "DYNAMIC_METADATA":
        return (argument or "").startswith(f"{log.NAMESPACE}:")
    if operator in _HEADERS:
        # REQ(first?second) falls back on the second header.
        return all(name in _HEADERS[operator] for name in (argument or "").lower().split("?"))
    return operator in _HARMLESS


@rule(
    "EN053",
    "notes of an answer other than how it ended",
    reason="what is noted of an answer stands in the access log: more than how it ended could be what the model said; "
    "less, and a stream that broke off counts as served, since its status was sent long before",
    source="the PRD, NFR2 and NFR3; "
    "www.envoyproxy.io/docs/envoy/v1.40.0/configuration/http/http_filters/sse_to_metadata_filter",
).on_envoy
def notes(config: EnvoyConfig, _settings: Settings) -> Iterator[Complaint]:
    """Three notes, from where they should be, and no other."""
    for manager in config.managers:
        headers = {note.header: note.on_header_present for note in manager.header_notes}
        if headers != _HEADER_NOTES or len(manager.header_notes) != len(headers):
            yield "http_filters[header_to_metadata].response_rules", _describe_notes(_HEADER_NOTES)
        for stream in manager.stream_rules:
            place = "http_filters[sse_to_metadata].response_rules"
            found = [each.rule for each in stream.content_parser.typed_config.rules]
            if {note.path: note.on_present for note in found} != _STREAM_NOTES or len(found) != len(
                _STREAM_NOTES
            ):
                yield f"{place}.content_parser.typed_config.rules", _describe_notes(_STREAM_NOTES)
            if stream.max_event_size != _LARGEST_EVENT:
                yield f"{place}.max_event_size", f"must be {_LARGEST_EVENT}"


def _describe_notes(wanted: dict[str, Note]) -> str:
    texts = (
        f"{place} as {note.metadata_namespace}.{note.key}"
        + (f" with value {note.value}" if note.value else "")
        for place, note in wanted.items()
    )
    return f"must note {' and '.join(texts)}, and nothing else"


@rule(
    "EN054",
    "an access log without one of its fields",
    reason="requests, latency, refusals and failures are counted from these lines alone; a field that is missing, or "
    "says something else, is missed on the day that it is needed",
    source="the PRD, NFR3; docs/access-log.md",
).on_envoy
def log_fields(config: EnvoyConfig, settings: Settings) -> Iterator[Complaint]:
    """Every field of docs/access-log.md, from where it should be."""
    for manager in config.managers:
        for index, access_log in enumerate(manager.access_log):
            present = access_log.typed_config.log_format.json_format
            for field in log.list_fields(settings.environment):
                if present.get(field.name) != field.operator:
                    yield f"access_log[{index}].json_format.{field.name}", f"must be {field.operator}"


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
