"""Requests that LiteLLM stumbles over, and how the edge tells them from what fails at Azure.

A field of the wrong type makes LiteLLM answer 500, as if another attempt could help, or 400 with a Python traceback in
it. The edge reads LiteLLM's refusals, and says 400 and nothing more where LiteLLM never got as far as Azure.
"""

from __future__ import annotations

from typing import Any

#: The status of such an answer on its way; the edge's list of replies says what the client reads instead.
STUMBLED_STATUS = 422

#: Where the edge notes what a refusal says.
NAMESPACE = "refusal"

#: What is noted in place of a message of more than 8 KiB, the most that Envoy notes.
TOO_LONG = "(too long)"

_Matcher = dict[str, Any]

# LiteLLM hands on every header of Azure's under this prefix, and no answer of HTTP's is without a date.
_AZURE_HEADER = "llm_provider-date"

# LiteLLM says the first of every AttributeError (1.106.2: proxy/common_request_processing.py); the second is Python's.
_STUMBLE = r"(?s).*(Invalid request format: |Traceback \(most recent call last\)).*"

# LiteLLM says the first when it asked Azure and got no answer, or one that it cannot read (1.106.2: router.py); the
# second when Azure's answer holds nothing that fits into a chat completion (completion_extras/litellm_responses…).
_FAILED_AT_AZURE = r"(?s).*(failed with the error above|Unknown items in responses API response).*"

_INPUTS = "type.googleapis.com/envoy.type.matcher.v3."
_MATCHING = "type.googleapis.com/envoy.extensions.matching."


def _noted(key: str, value: _Matcher) -> _Matcher:
    return {
        "single_predicate": {
            "input": {
                "name": key,
                "typed_config": {
                    "@type": f"{_MATCHING}common_inputs.network.v3.DynamicMetadataInput",
                    "filter": NAMESPACE,
                    "path": [{"key": key}],
                },
            },
            "custom_match": {
                "name": "envoy.matching.matchers.metadata_matcher",
                "typed_config": {
                    "@type": f"{_MATCHING}input_matchers.metadata.v3.Metadata",
                    "value": {"string_match": value},
                },
            },
        }
    }


def _says(pattern: str) -> _Matcher:
    return _noted("message", {"safe_regex": {"regex": pattern}})


def _status(kind: str, value: str) -> _Matcher:
    return {
        "single_predicate": {
            "input": {"name": "status", "typed_config": {"@type": f"{_INPUTS}{kind}"}},
            "value_match": {"exact": value},
        }
    }


def _answers(status: str) -> _Matcher:
    return _status("HttpResponseStatusCodeMatchInput", status)


def _all(*matchers: _Matcher) -> _Matcher:
    return {"and_matcher": {"predicate": list(matchers)}}


def _any(*matchers: _Matcher) -> _Matcher:
    return {"or_matcher": {"predicate": list(matchers)}}


def _not(matcher: _Matcher) -> _Matcher:
    return {"not_matcher": matcher}


_FROM_AZURE: _Matcher = {
    "single_predicate": {
        "input": {
            "name": _AZURE_HEADER,
            "typed_config": {
                "@type": f"{_INPUTS}HttpResponseHeaderMatchInput",
                "header_name": _AZURE_HEADER,
            },
        },
        "value_match": {"safe_regex": {"google_re2": {}, "regex": ".*"}},
    }
}

_STUMBLED = _all(
    _not(_FROM_AZURE),
    _any(
        _says(_STUMBLE),
        _all(_answers("400"), _noted("message", {"exact": TOO_LONG})),
        _all(
            _answers("500"),
            _noted("type", {"exact": "internal_server_error"}),
            _not(_noted("message", {"exact": TOO_LONG})),
            _not(_says(_FAILED_AT_AZURE)),
        ),
    ),
)


def _act(matcher: _Matcher, name: str, action: _Matcher) -> _Matcher:
    on_match = {"action": {"name": name, "typed_config": action}}
    return {"matcher_list": {"matchers": [{"predicate": matcher, "on_match": on_match}]}}


#: For Envoy's custom_response filter: which answers are replaced.
STUMBLED: _Matcher = _act(
    _STUMBLED,
    "stumbled",
    {
        "@type": "type.googleapis.com/envoy.extensions.http.custom_response.local_response_policy.v3."
        "LocalResponsePolicy",
        "status_code": STUMBLED_STATUS,
    },
)

#: For Envoy's match_delegate filter: which answers are not read at all. They may be large, and streams must not wait.
SERVED: _Matcher = _act(
    _status("HttpResponseStatusCodeClassMatchInput", "2xx"),
    "skip",
    {"@type": "type.googleapis.com/envoy.extensions.filters.common.matcher.action.v3.SkipFilter"},
)
