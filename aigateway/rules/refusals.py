"""Keys of LiteLLM's that must not be set: each is a door, a leak, or a promise that is not kept.

They are looked for in the data itself, so that they are found in a file whose shape is wrong too. A key that is there
but off (false, nothing, an empty list) is let be.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from aigateway.rendering.renderer import LITELLM
from aigateway.rules.rule import Finding, rule
from aigateway.rules.subject import Subject
from aigateway.settings.problems import Key, write_key

TOP = ""
_DEPLOYMENT_SECTIONS = ("litellm_params", "model_info")


@dataclass(frozen=True)
class Refusal:
    """A key of one section that must not be set; `why` follows "remove it: it"."""

    section: str
    key: str
    why: str


AUTHENTICATION = (
    Refusal(
        "general_settings", "allow_requests_on_db_unavailable", "lets any key in where there is no database"
    ),
    Refusal(
        "general_settings",
        "dangerously_permit_weak_or_unset_master_key",
        "starts with no master key, or with one that everybody knows",
    ),
    Refusal("general_settings", "custom_auth", "puts a function in the place of the check of the key"),
    Refusal("general_settings", "public_routes", "serves routes without a key"),
    Refusal("general_settings", "allow_user_auth", "answers /user/auth without a key"),
    Refusal("general_settings", "enable_jwt_auth", "lets in whoever has a token of another issuer"),
    Refusal("general_settings", "enable_oauth2_auth", "lets in whoever has a token of another issuer"),
    Refusal("general_settings", "enable_oauth2_proxy_auth", "believes headers that say who somebody is"),
    Refusal("general_settings", "custom_ui_sso_sign_in_handler", "believes headers that say who somebody is"),
    Refusal(
        "general_settings", "disable_responses_id_security", "gives a stored response to whoever knows its id"
    ),
    Refusal(
        "general_settings", "allow_unmanaged_response_ids", "gives a stored response to whoever knows its id"
    ),
)

CLIENT_CHOICES = (
    Refusal(
        "general_settings",
        "allow_client_side_credentials",
        "lets a body choose the upstream call's address and key",
    ),
    Refusal(
        "litellm_params",
        "configurable_clientside_auth_params",
        "lets a body choose the upstream call's address and key",
    ),
    Refusal("general_settings", "forward_client_headers_to_llm_api", "sends clients' headers on to Azure"),
    Refusal("general_settings", "forward_llm_provider_auth_headers", "sends clients' keys on to Azure"),
    Refusal("general_settings", "forward_openai_org_id", "sends clients' headers on to Azure"),
    Refusal("litellm_settings", "model_group_settings", "sends clients' headers on to Azure, model by model"),
)

OTHER_DOORS = (
    Refusal(TOP, "environment_variables", "sets variables that open the pass-through, or hold secrets"),
    Refusal(TOP, "include", "reads settings from a file that no rule sees"),
    Refusal(TOP, "credential_list", "holds keys of its own"),
    Refusal(TOP, "mcp_servers", "makes the gateway call other servers"),
    Refusal(
        "general_settings", "pass_through_endpoints", "relays to any address, without a key unless it says so"
    ),
    Refusal("general_settings", "enable_openai_websocket_passthrough", "relays frames that nothing checks"),
    Refusal(
        "general_settings", "enable_drain_endpoint", "lets whoever reaches it take a replica out of service"
    ),
    Refusal("general_settings", "enable_claude_code_gateway", "opens a sign-in of its own"),
    Refusal("general_settings", "control_plane_url", "opens a sign-in of its own"),
    Refusal("general_settings", "allow_public_health_readiness_details", "tells the set-up without a key"),
    Refusal("general_settings", "expose_fallback_errors_to_caller", "tells the set-up in errors"),
    Refusal("general_settings", "infer_model_from_keys", "serves models that are not in the settings"),
    Refusal("general_settings", "store_model_in_db", "takes models from a database that no rule sees"),
    Refusal("general_settings", "database_url", "makes a second source of keys and models"),
    Refusal("litellm_params", "use_in_pass_through", "offers the deployment on the pass-through routes"),
    Refusal("litellm_params", "litellm_credential_name", "takes its key from a list that no rule sees"),
    Refusal("litellm_params", "mock_response", "answers without a model"),
    Refusal("litellm_settings", "network_mock", "answers without a model"),
)

PROMPT_LOGS = (
    Refusal("litellm_settings", "set_verbose", "logs bodies"),
    Refusal("litellm_settings", "log_raw_request_response", "logs bodies"),
    Refusal("litellm_settings", "log_client_error_tracebacks", "logs what a client sent"),
    Refusal("litellm_settings", "success_callback", "sends bodies to another service"),
    Refusal("litellm_settings", "failure_callback", "sends bodies to another service"),
    Refusal("litellm_settings", "audit_log_callbacks", "sends bodies to another service"),
    Refusal("litellm_settings", "cold_storage_custom_logger", "keeps bodies"),
    Refusal("litellm_settings", "store_audit_logs", "keeps bodies"),
    Refusal("router_settings", "set_verbose", "logs bodies"),
    Refusal("router_settings", "debug_level", "logs bodies"),
    Refusal("general_settings", "store_prompts_in_spend_logs", "keeps prompts and answers"),
    Refusal("general_settings", "alerting", "sends parts of requests to another service"),
    Refusal("general_settings", "otel", "sends bodies to another service"),
    Refusal("general_settings", "detailed_debug", "logs bodies"),
    Refusal(TOP, "callback_settings", "sets up services that bodies are sent to"),
)

IDLE_LIMITS = (
    Refusal("litellm_params", "max_budget", "is counted in each process by itself, and lost with it"),
    Refusal("litellm_params", "budget_duration", "is counted in each process by itself, and lost with it"),
    Refusal(
        "litellm_params", "default_api_key_rpm_limit", "holds for LiteLLM's keys, of which there are none"
    ),
    Refusal(
        "litellm_params", "default_api_key_tpm_limit", "holds for LiteLLM's keys, of which there are none"
    ),
    Refusal("litellm_settings", "max_budget", "is counted only with a database"),
    Refusal("litellm_settings", "budget_duration", "is counted only with a database"),
    Refusal("litellm_settings", "max_user_budget", "is counted only with a database"),
    Refusal("litellm_settings", "max_internal_user_budget", "is counted only with a database"),
    Refusal(
        "litellm_settings",
        "default_internal_user_params",
        "holds for LiteLLM's users, of which there are none",
    ),
    Refusal(
        "litellm_settings", "default_key_generate_params", "holds for LiteLLM's keys, of which there are none"
    ),
    Refusal(
        "litellm_settings",
        "upperbound_key_generate_params",
        "holds for LiteLLM's keys, of which there are none",
    ),
    Refusal("general_settings", "max_parallel_requests", "holds for LiteLLM's keys, of which there are none"),
    Refusal("general_settings", "global_max_parallel_requests", "does nothing without a database"),
    Refusal("general_settings", "max_request_size_mb", "does nothing without a licence"),
    Refusal("general_settings", "max_response_size_mb", "does nothing without a licence"),
    Refusal("general_settings", "allowed_routes", "does nothing without a licence"),
    Refusal("general_settings", "allowed_ips", "sees the edge's address only, never a client's"),
    Refusal(
        "router_settings", "provider_budget_config", "is counted in each process by itself, and lost with it"
    ),
    Refusal("router_settings", "routing_strategy", "has only one deployment of each model to choose from"),
)

CACHES = (
    Refusal("litellm_settings", "cache", "answers one client with what another was answered"),
    Refusal("litellm_settings", "cache_params", "answers one client with what another was answered"),
    Refusal("router_settings", "cache_responses", "answers one client with what another was answered"),
    Refusal("general_settings", "cache", "answers one client with what another was answered"),
)

_ALL = (*AUTHENTICATION, *CLIENT_CHOICES, *OTHER_DOORS, *PROMPT_LOGS, *IDLE_LIMITS, *CACHES)
_NAMES = frozenset((refusal.section, refusal.key) for refusal in _ALL)


def is_refused(key: Key) -> bool:
    """Whether another rule than that of unknown keys speaks of a key."""
    sections = [part for part in key if isinstance(part, str)]
    return (sections[-2] if len(sections) > 1 else TOP, sections[-1] if sections else "") in _NAMES


def _list_sections(data: dict[str, Any]) -> Iterator[tuple[Key, dict[str, Any]]]:
    yield (), data
    for name, section in data.items():
        if isinstance(section, dict):
            yield (name,), section
    deployments = data.get("model_list")
    for index, deployment in enumerate(deployments if isinstance(deployments, list) else []):
        for name in _DEPLOYMENT_SECTIONS:
            section = deployment.get(name) if isinstance(deployment, dict) else None
            if isinstance(section, dict):
                yield ("model_list", index, name), section


def _find(subject: Subject, refusals: Iterable[Refusal]) -> Iterator[Finding]:
    wanted = {(refusal.section, refusal.key): refusal for refusal in refusals}
    for place, section in _list_sections(subject.data[LITELLM]):
        for key, value in section.items():
            refusal = wanted.get((str(place[-1]) if place else TOP, str(key)))
            if refusal and value:
                yield Finding(
                    subject.files[LITELLM],
                    write_key((*place, refusal.key)),
                    f"is set; remove it: it {refusal.why}",
                )


@rule(
    "LL010",
    "a flag that lets requests in without the master key",
    reason="the edge is the first lock, and LiteLLM's master key behind it must stay the second",
    source="LiteLLM 1.106.2: proxy/auth/auth_exception_handler.py:147, user_api_key_auth.py:1672, 1970, 2891, "
    "auth_utils.py:731, master_key_boot_check.py:14, proxy/hooks/responses_id_security.py:163",
).on_subject
def open_authentication(subject: Subject) -> Iterator[Finding]:
    """Flags that fail open."""
    return _find(subject, AUTHENTICATION)


@rule(
    "LL011",
    "a flag that lets a client choose what goes to Azure",
    reason="a client that chooses where its request goes, with which key or headers, gets past the settings",
    source="LiteLLM 1.106.2: proxy/auth/auth_utils.py:470, proxy/litellm_pre_call_utils.py:1507, 1552",
).on_subject
def client_choices(subject: Subject) -> Iterator[Finding]:
    """Flags by which a body or a header decides on the upstream call."""
    return _find(subject, CLIENT_CHOICES)


@rule(
    "LL012",
    "a setting that opens another way in or out",
    reason="only the two configured deployments are to be reachable, through routes that rules have seen",
    source="LiteLLM 1.106.2: proxy/_types.py:2785 (ConfigGeneralSettings), proxy/proxy_server.py:5747, 6422, "
    "router.py:10129; docs.litellm.ai/docs/proxy/pass_through",
).on_subject
def other_doors(subject: Subject) -> Iterator[Finding]:
    """Settings that add routes, models, sources of settings."""
    return _find(subject, OTHER_DOORS)


@rule(
    "LL013",
    "a setting that logs, keeps or sends prompts",
    reason="prompts are source code; nothing but Azure is to see them",
    source="the PRD, NFR2; LiteLLM 1.106.2: __init__.py:208-213, proxy/_types.py:3126, "
    "docs.litellm.ai/docs/proxy/logging",
).on_subject
def prompt_logs(subject: Subject) -> Iterator[Finding]:
    """Settings by which bodies leave the gateway elsewhere than to Azure."""
    return _find(subject, PROMPT_LOGS)


@rule(
    "LL014",
    "a limit of LiteLLM's that does nothing here",
    reason="LiteLLM enforces these only with a database or a licence, or each process by itself; the edge's hold",
    source="measured with LiteLLM 1.106.2; its proxy/hooks/parallel_request_limiter.py:270, "
    "docs.litellm.ai/docs/proxy/enterprise",
).on_subject
def idle_limits(subject: Subject) -> Iterator[Finding]:
    """Limits that are declared and not enforced."""
    return _find(subject, IDLE_LIMITS)


@rule(
    "LL015",
    "a cache of answers",
    reason="LiteLLM knows one key only, so that all clients would share what one of them asked and was answered",
    source="LiteLLM 1.106.2: proxy/proxy_server.py:6545; docs.litellm.ai/docs/proxy/caching",
).on_subject
def caches(subject: Subject) -> Iterator[Finding]:
    """Answers from a cache."""
    return _find(subject, CACHES)
