"""Rules on answers to requests that LiteLLM stumbled over."""

from __future__ import annotations

from collections.abc import Iterator

from aigateway.rendering import stumbles
from aigateway.rules.envoy_config import EnvoyConfig, Mutation, Note, Selector, ValueNote
from aigateway.rules.rule import Complaint, rule
from aigateway.settings.model import Settings


def _note(key: str, missing: str | None = None) -> ValueNote:
    return ValueNote(
        selectors=(Selector(key="error"), Selector(key=key)),
        on_present=Note(metadata_namespace=stumbles.NAMESPACE, key=key),
        on_missing=Note(metadata_namespace=stumbles.NAMESPACE, key=key, value=missing) if missing else None,
    )


_NOTES = (_note("message", stumbles.TOO_LONG), _note("type"))
_UNPACKED = Mutation(remove="accept-encoding")


@rule(
    "EN039",
    "answers of LiteLLM's that reach the client as they are",
    reason="a field of the wrong type makes LiteLLM answer 500, which clients try again, or with a traceback that "
    "shows its files; what it packs (Accept-Encoding) the edge cannot read",
    source="measured with LiteLLM 1.106.2; "
    "www.envoyproxy.io/docs/envoy/v1.40.0/configuration/http/http_filters/custom_response_filter",
).on_envoy
def stumbled_answers(config: EnvoyConfig, _settings: Settings) -> Iterator[Complaint]:
    """Refusals are read, and replaced where LiteLLM stumbled; what is served is not read."""
    for manager in config.managers:
        if manager.replaced_answers != (stumbles.STUMBLED,):
            yield (
                "http_filters[custom_response].custom_response_matcher",
                "must be what aigateway/rendering/stumbles.py says",
            )
        for reader in manager.answer_readers:
            if reader.xds_matcher != stumbles.SERVED:
                yield (
                    "http_filters[match_delegate].xds_matcher",
                    "must skip every answer of 2xx, and no other",
                )
            if reader.extension_config.typed_config.response_rules.rules != _NOTES:
                yield (
                    "http_filters[match_delegate].extension_config.typed_config.response_rules",
                    "must note error.message and error.type of every answer",
                )
        if _UNPACKED not in manager.request_mutations:
            yield "http_filters[header_mutation].request_mutations", "must remove accept-encoding"
