"""Rules on what a request may say to LiteLLM in its body and in its query."""

from __future__ import annotations

from collections.abc import Iterator

from aigateway.rendering import body
from aigateway.rules.envoy_config import (
    EnvoyConfig,
    HeaderAppend,
    HeaderCondition,
    HeaderValue,
    Mutation,
    Pattern,
    StringMatch,
)
from aigateway.rules.rule import Complaint, rule
from aigateway.settings.model import Settings


def _note(header: str, value: str) -> Mutation:
    return Mutation(
        append=HeaderAppend(
            header=HeaderValue(key=header, value=value), append_action="OVERWRITE_IF_EXISTS_OR_ADD"
        )
    )


def _match(header: str, pattern: str, *, or_none: bool = False) -> HeaderCondition:
    match = StringMatch(safe_regex=Pattern(regex=pattern))
    return HeaderCondition(name=header, string_match=match, treat_missing_header_as_empty=or_none)


_NOTES = {
    body.READ_HEADER: _note(body.READ_HEADER, "object"),
    body.MODEL_HEADER: _note(body.MODEL_HEADER, "%REQUEST_BODY(model)%"),
    body.REFUSED_HEADER: _note(
        body.REFUSED_HEADER, "".join(f"%REQUEST_BODY({field})%" for field in body.REFUSED_FIELDS)
    ),
}
_GOOD_BODY = frozenset(
    {
        HeaderCondition(name=body.READ_HEADER, present_match=True),
        HeaderCondition(name=body.REFUSED_HEADER, present_match=False),
        _match(body.MODEL_HEADER, body.MODEL_PATTERN),
        _match("content-type", body.CONTENT_TYPE_PATTERN),
    }
)
_NO_BODY = frozenset(
    {
        _match("content-length", "0?", or_none=True),
        HeaderCondition(name="transfer-encoding", present_match=False),
    }
)


@rule(
    "EN037",
    "a body that LiteLLM would obey",
    reason="LiteLLM takes another key, api-version or deployment, headers for Azure, time-outs and retries from a "
    "body; it answers what is no JSON object with 500, and a path for a model's name with another deployment",
    source="measured with LiteLLM 1.106.2; "
    "www.envoyproxy.io/docs/envoy/v1.40.0/configuration/http/http_filters/transform_filter",
).on_envoy
def bodies(config: EnvoyConfig, _settings: Settings) -> Iterator[Complaint]:
    """Each body is read, and only one that was read, names a model and has no refused field goes on."""
    for manager in config.managers:
        notes = {step.append.header.key: step for step in manager.body_notes if step.append}
        if notes != _NOTES or len(manager.body_notes) != len(_NOTES):
            yield (
                "http_filters[transform].request_transformation.headers_mutations",
                f"must set {', '.join(_NOTES)} from the body, as aigateway/rendering/body.py says",
            )
        for policies in manager.allowed_bodies:
            if policies.body.conditions != (_GOOD_BODY,):
                yield (
                    "http_filters[rbac].rules.policies.body",
                    "must ask for a body that was read, names one model and has no refused field",
                )
            if policies.no_body.conditions != (_NO_BODY,):
                yield "http_filters[rbac].rules.policies.no-body", "must ask for no body"


@rule(
    "EN038",
    "query parameters that LiteLLM obeys",
    reason="with ?api-version=… a client chooses another surface of Azure's, with ?model=… another model",
    source="measured with LiteLLM 1.106.2; its proxy/litellm_pre_call_utils.py, add_litellm_data_to_request",
).on_envoy
def parameters(config: EnvoyConfig, _settings: Settings) -> Iterator[Complaint]:
    """They are taken away."""
    for manager in config.managers:
        for parameter in body.REFUSED_PARAMETERS:
            if parameter not in manager.removed_parameters:
                yield (
                    "http_filters[header_mutation].query_parameter_mutations",
                    f"must remove {parameter}",
                )
