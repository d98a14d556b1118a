"""Each rule is seen refusing what it is there for, in the real rendering of dev spoilt in one place.

A case says which rule must speak of which key. `also` names the rules that cannot but speak too; every other one must
be silent, so that a message leads to the one thing that is wrong.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from spoiling import (
    ROOT,
    Mutation,
    Spoiler,
    add,
    both,
    drop,
    list_found,
    list_violations,
    put,
    render_dev,
    repeat,
    swap,
)

from aigateway.rendering.renderer import Rendering, render_environment
from aigateway.rules import RULES, find_violations


@pytest.fixture(scope="module")
def dev() -> Rendering:
    """The real rendering of dev."""
    return render_dev()


@pytest.fixture
def spoiler(dev: Rendering, tmp_path: Path) -> Spoiler:
    """Spoils dev."""
    return Spoiler(dev, tmp_path)


@dataclass(frozen=True)
class Case:
    """A file's data spoilt, and who must say so."""

    rule: str
    key: str
    file: str
    mutation: Mutation
    also: frozenset[str] = frozenset()

    def __str__(self) -> str:
        return f"{self.rule}-{self.key}"


@dataclass(frozen=True)
class TextCase:
    """A file's text, or a start script, spoilt, and who must say so."""

    rule: str
    key: str
    file: str
    old: str
    new: str
    also: frozenset[str] = field(default=frozenset())

    def __str__(self) -> str:
        return f"{self.rule}-{self.key}"


def litellm(rule: str, key: str, mutation: Mutation, *also: str) -> Case:
    return Case(rule, key, "litellm", mutation, frozenset(also))


def envoy(rule: str, key: str, mutation: Mutation, *also: str) -> Case:
    return Case(rule, key, "envoy", mutation, frozenset(also))


def tfvars(rule: str, key: str, mutation: Mutation, *also: str) -> Case:
    return Case(rule, key, "tfvars", mutation, frozenset(also))


PARAMETERS = "model_list/0/litellm_params"
EMBEDDINGS = "model_list/1/litellm_params"


def refused(rule: str, section: str, key: str, value: object = True) -> Case:
    """A key that must not be set, in its section."""
    path = f"{section}/{key}" if section else key
    name = path.replace("/0/", "[0].").replace("/", ".")
    return litellm(rule, name, put(path, value))


LITELLM_CASES = [
    litellm("LL001", "litellm_setings", put("litellm_setings", {"drop_params": True})),
    litellm("LL001", "model_list[0].api_base", put("model_list/0/api_base", "x")),
    litellm("LL001", "model_list[0].litellm_params.time_out", put(f"{PARAMETERS}/time_out", 5)),
    litellm("LL001", "model_list[1].model_info.modes", put("model_list/1/model_info/modes", "embedding")),
    litellm("LL001", "litellm_settings.drop_param", put("litellm_settings/drop_param", True)),
    litellm("LL001", "router_settings.disable_cooldown", put("router_settings/disable_cooldown", True)),
    litellm("LL001", "general_settings.masterkey", put("general_settings/masterkey", "x")),
    litellm("LL002", "model_list[0].litellm_params.rpm", put(f"{PARAMETERS}/rpm", "abc")),
    litellm(
        "LL002",
        "model_list[1].litellm_params.api_version",
        put(f"{EMBEDDINGS}/api_version", datetime.date(2024, 10, 21)),
    ),
    litellm("LL002", "model_list[0].litellm_params.timeout", put(f"{PARAMETERS}/timeout", "600")),
    litellm("LL002", "model_list[0].litellm_params.max_retries", put(f"{PARAMETERS}/max_retries", False)),
    litellm("LL002", "model_list[0].model_name", drop("model_list/0/model_name")),
    litellm("LL002", "model_list", put("model_list", {})),
    litellm("LL002", "general_settings", put("general_settings", None)),
    litellm("LL003", "model_list", drop("model_list/1")),
    litellm("LL003", "model_list", repeat("model_list", 0)),
    litellm("LL003", "model_list[1].model_name", put("model_list/1/model_name", "another"), "LL003"),
    litellm("LL004", "model_list[0].model_info.id", drop("model_list/0/model_info/id")),
    litellm("LL004", "model_list[1].model_info.id", put("model_list/1/model_info/id", "responses")),
    litellm(
        "LL005",
        "model_list[0].litellm_params.model",
        put(f"{PARAMETERS}/model", "azure/gpt-5.3-codex"),
    ),
    litellm(
        "LL005",
        "model_list[1].litellm_params.model",
        put(f"{EMBEDDINGS}/model", "azure/responses/text-embedding-3-large"),
    ),
    litellm(
        "LL005", "model_list[0].litellm_params.api_version", put(f"{PARAMETERS}/api_version", "2024-10-21")
    ),
    litellm(
        "LL005", "model_list[0].litellm_params.api_version", put(f"{PARAMETERS}/api_version", "2025-13-01")
    ),
    litellm(
        "LL005", "model_list[0].litellm_params.api_version", put(f"{PARAMETERS}/api_version", "20250401")
    ),
    litellm("LL005", "model_list[0].litellm_params.api_version", drop(f"{PARAMETERS}/api_version")),
    litellm("LL005", "model_list[1].litellm_params.api_version", put(f"{EMBEDDINGS}/api_version", "preview")),
    litellm("LL005", "model_list[0].model_info.mode", drop("model_list/0/model_info/mode")),
    litellm("LL005", "model_list[1].model_info.mode", put("model_list/1/model_info/mode", "responses")),
    litellm("LL006", "model_list[0].model_info.base_model", drop("model_list/0/model_info/base_model")),
    litellm("LL007", "model_list[0].litellm_params.rpm", put(f"{PARAMETERS}/rpm", 60)),
    litellm("LL007", "model_list[1].litellm_params.tpm", put(f"{EMBEDDINGS}/tpm", 100_000)),
    litellm(
        "LL021",
        "model_list[0].litellm_params.input_cost_per_token",
        drop(f"{PARAMETERS}/input_cost_per_token"),
    ),
    litellm(
        "LL021",
        "model_list[1].litellm_params.output_cost_per_token",
        put(f"{EMBEDDINGS}/output_cost_per_token", 1),
    ),
    litellm("LL008", "router_settings.num_retries", put("router_settings/num_retries", 2)),
    litellm("LL008", "router_settings.num_retries", drop("router_settings/num_retries")),
    litellm("LL008", "litellm_settings.num_retries", put("litellm_settings/num_retries", 1)),
    litellm("LL008", "model_list[0].litellm_params.max_retries", drop(f"{PARAMETERS}/max_retries")),
    litellm("LL008", "model_list[1].litellm_params.max_retries", put(f"{EMBEDDINGS}/max_retries", 2)),
    litellm("LL008", "model_list[1].litellm_params.num_retries", put(f"{EMBEDDINGS}/num_retries", 2)),
    litellm(
        "LL008",
        "router_settings.retry_policy",
        put("router_settings/retry_policy", {"RateLimitErrorRetries": 1}),
    ),
    litellm("LL009", "router_settings.disable_cooldowns", drop("router_settings/disable_cooldowns")),
    litellm("LL020", "general_settings.cancel_on_disconnect", drop("general_settings/cancel_on_disconnect")),
    litellm(
        "LL020", "general_settings.cancel_on_disconnect", put("general_settings/cancel_on_disconnect", False)
    ),
    litellm("LL017", "model_list[0].litellm_params.stream_timeout", drop(f"{PARAMETERS}/stream_timeout")),
    litellm("LL017", "model_list[0].litellm_params.stream_timeout", put(f"{PARAMETERS}/stream_timeout", 1)),
    litellm("LL009", "router_settings.disable_cooldowns", put("router_settings/disable_cooldowns", False)),
    refused("LL010", "general_settings", "allow_requests_on_db_unavailable"),
    refused("LL010", "general_settings", "allow_requests_on_db_unavailable", "true"),
    refused("LL010", "general_settings", "dangerously_permit_weak_or_unset_master_key"),
    refused("LL010", "general_settings", "custom_auth", "custom.check"),
    refused("LL010", "general_settings", "public_routes", ["/model/info"]),
    refused("LL011", "general_settings", "allow_client_side_credentials"),
    refused("LL011", "general_settings", "forward_client_headers_to_llm_api"),
    refused("LL011", PARAMETERS, "configurable_clientside_auth_params", ["api_base"]),
    refused(
        "LL011", "litellm_settings", "model_group_settings", {"forward_client_headers_to_llm_api": ["x"]}
    ),
    refused("LL012", "general_settings", "pass_through_endpoints", [{"path": "/x"}]),
    refused("LL012", "", "environment_variables", {"DEBUG": "1"}),
    refused("LL012", "", "include", ["more.yaml"]),
    refused("LL012", PARAMETERS, "mock_response", "hello"),
    refused("LL013", "litellm_settings", "set_verbose"),
    refused("LL013", "litellm_settings", "success_callback", ["langfuse"]),
    refused("LL013", "litellm_settings", "failure_callback", ["sentry"]),
    refused("LL013", "general_settings", "store_prompts_in_spend_logs"),
    refused("LL014", PARAMETERS, "max_budget", 10),
    refused("LL014", "litellm_settings", "max_budget", 10),
    refused("LL014", "general_settings", "global_max_parallel_requests", 10),
    refused("LL014", "general_settings", "max_request_size_mb", 16),
    refused("LL015", "litellm_settings", "cache"),
    litellm("LL016", "litellm_settings.drop_params", drop("litellm_settings/drop_params")),
    litellm("LL016", "litellm_settings.drop_params", put("litellm_settings/drop_params", False)),
    litellm("LL016", "model_list[0].litellm_params.drop_params", put(f"{PARAMETERS}/drop_params", False)),
    litellm("LL017", "model_list[1].litellm_params.timeout", drop(f"{EMBEDDINGS}/timeout")),
    litellm("LL017", "model_list[1].litellm_params.timeout", put(f"{EMBEDDINGS}/timeout", 6000)),
    litellm("LL017", "model_list[0].litellm_params.timeout", put(f"{PARAMETERS}/timeout", 0)),
    litellm("LL018", "model_list[0].litellm_params.api_key", put(f"{PARAMETERS}/api_key", "hunter2")),
    litellm("LL018", "model_list[1].litellm_params.api_base", drop(f"{EMBEDDINGS}/api_base")),
    litellm("LL018", "general_settings.master_key", put("general_settings/master_key", "os.environ/MASTER")),
    litellm(
        "LL019",
        "litellm_settings.turn_off_message_logging",
        drop("litellm_settings/turn_off_message_logging"),
    ),
    litellm(
        "LL019", "litellm_settings.callbacks[1]", put("litellm_settings/callbacks", ["prometheus", "otel"])
    ),
    litellm(
        "GW006",
        "model_list[0].litellm_params.api_key",
        put(f"{PARAMETERS}/api_key", "sk-1234567890abcdef1234"),
        "LL018",
    ),
    litellm(
        "GW007",
        "model_list[0].litellm_params.api_base",
        put(f"{PARAMETERS}/api_base", "https://my-own.openai.azure.com"),
        "LL018",
    ),
    litellm(
        "GW008",
        "model_list[0].litellm_params.api_key",
        put(f"{PARAMETERS}/api_key", "os.environ/AZURE_API_KEY"),
        "LL018",
    ),
]

CREDENTIALS = "http_filters[api_key_auth].credentials"
UPSTREAM = "typed_extension_protocol_options/envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
BODY_NOTES = "http_filters[transform].request_transformation.headers_mutations"
BODY_POLICIES = "http_filters[rbac].rules.policies"
QUERY = "http_filters[header_mutation].query_parameter_mutations"
REQUEST_MUTATIONS = "http_filters[header_mutation].request_mutations"
RESPONSE_MUTATIONS = "http_filters[header_mutation].response_mutations"
HEADER_NOTES = "http_filters[header_to_metadata]"
STREAM_NOTES = "http_filters[sse_to_metadata].response_rules"
STUMBLED = "http_filters[custom_response]"
ANSWERS = "http_filters[match_delegate]"
PARSER = "content_parser.typed_config"
PARSER_PATH = "content_parser/typed_config"
OFF = {"@type": "type.googleapis.com/envoy.config.route.v3.FilterConfig", "disabled": True}


def turn_off(route: str, name: str) -> Mutation:
    return put(f"ROUTES/@{route}/typed_per_filter_config", {f"envoy.filters.http.{name}": OFF})


def serve(path: str, **more: object) -> Mutation:
    """A route before the last one."""
    match = {"path": path, "headers": [{"name": ":method", "string_match": {"exact": "GET"}}]}
    route = {"name": "more", "match": match, "route": {"cluster": "responses", "timeout": "5s", **more}}
    return add("ROUTES", route, at=-1)


MANAGER = "static_resources.listeners[0].filter_chains[0].filters[0].typed_config"
ROUTES_KEY = f"{MANAGER}.route_config.virtual_hosts[0].routes"

ENVOY_CASES = [
    envoy("EN001", "admin", put("admin", {"address": {}})),
    envoy("EN001", f"{MANAGER}.xff_num_trusted_hops", put("HCM/xff_num_trusted_hops", 1)),
    envoy("EN001", f"{MANAGER}.preserve_external_request_id", put("HCM/preserve_external_request_id", True)),
    envoy(
        "EN001",
        f"{MANAGER}.http_filters[1].typed_config.local_rate_limit_per_downstream_connection",
        put("LIMIT/local_rate_limit_per_downstream_connection", True),
    ),
    envoy(
        "EN001",
        f"{ROUTES_KEY}[2].request_headers_to_add",
        put("ROUTES/@responses/request_headers_to_add", []),
    ),
    envoy("EN001", f"{ROUTES_KEY}[2].redirect", put("ROUTES/@responses/redirect", {"path_redirect": "/"})),
    envoy("EN002", f"{MANAGER}.http_filters", drop("HCM/http_filters")),
    envoy("EN002", f"{MANAGER}.http_filters[2]", put("HCM/http_filters/2/name", "envoy.filters.http.lua")),
    envoy(
        "EN002",
        f"{MANAGER}.http_filters[2].typed_config.@type",
        put("BUFFER/@type", "type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua"),
    ),
    envoy("EN002", "static_resources.clusters[0].type", put("CLUSTERS/0/type", "STRICT_DNS")),
    envoy("EN003", "static_resources.listeners", repeat("static_resources/listeners", 0), "EN022"),
    envoy(
        "EN003",
        "static_resources.listeners",
        put("static_resources/listeners", []),
        "EN011",
        "EN022",
    ),
    envoy(
        "EN003", "route_config.virtual_hosts", put("HCM/route_config/virtual_hosts/0/domains", ["a.example"])
    ),
    envoy("EN004", "http_filters", swap("HCM/http_filters", "0", "1")),
    envoy("EN004", "http_filters", swap("HCM/http_filters", "0", "3")),
    envoy("EN010", "routes[more].match", serve("/model/info")),
    envoy("EN010", "routes[more].match", serve("/v1/responses/")),
    envoy("EN010", "routes[more].match", serve("/v1/files", prefix_rewrite="/v1/models")),
    envoy(
        "EN010",
        "routes[health].route.prefix_rewrite",
        put("ROUTES/@health/route/prefix_rewrite", "/model/info"),
    ),
    envoy("EN010", "routes[responses].route.cluster", put("ROUTES/@responses/route/cluster", "embeddings")),
    envoy(
        "EN010",
        "routes[stored-response].match",
        put("ROUTES/@stored-response/match/safe_regex/regex", "/v1/responses/.*"),
        "EN011",
    ),
    envoy(
        "EN010",
        "routes[websocket]",
        both(
            drop("ROUTES/@websocket/direct_response"),
            put("ROUTES/@websocket/route", {"cluster": "responses", "timeout": "5s"}),
        ),
        "EN017",
    ),
    envoy(
        "EN010",
        "routes[embeddings]",
        both(drop("ROUTES/@embeddings/route"), put("ROUTES/@embeddings/direct_response", {"status": 200})),
    ),
    envoy("EN011", "routes", drop("ROUTES/@embeddings")),
    envoy("EN011", "routes", drop("ROUTES/@responses+1")),
    envoy("EN012", "routes", drop("ROUTES/@unserved")),
    envoy("EN012", "routes", swap("ROUTES", "@models", "@unserved")),
    envoy(
        "EN012",
        "routes[responses].match",
        both(
            drop("ROUTES/@responses/match/path"),
            put("ROUTES/@responses/match/path_separated_prefix", "/v1/responses"),
        ),
        "EN010",
        "EN011",
    ),
    envoy("EN013", "routes[responses].match.headers", drop("ROUTES/@responses/match/headers")),
    envoy(
        "EN013",
        "routes[embeddings].match.headers",
        put("ROUTES/@embeddings/match/headers/0/string_match/safe_regex/regex", "POST|DELETE"),
    ),
    envoy(
        "EN013",
        "routes[models].match.headers",
        put("ROUTES/@models/match/headers/0/string_match/safe_regex/regex", "[A-Z]+"),
    ),
    envoy("EN014", "routes[models].typed_per_filter_config", turn_off("models", "api_key_auth")),
    envoy("EN014", "routes[unserved].typed_per_filter_config", turn_off("unserved", "api_key_auth")),
    envoy(
        "EN014",
        "routes[more].typed_per_filter_config",
        both(serve("/x"), turn_off("more", "api_key_auth")),
        "EN010",
    ),
    envoy("EN015", "routes[responses].typed_per_filter_config", turn_off("responses", "local_ratelimit")),
    envoy("EN015", "routes[responses].typed_per_filter_config", turn_off("responses", "buffer")),
    envoy("EN015", "routes[health].typed_per_filter_config", turn_off("health", "header_mutation")),
    envoy("EN016", "normalize_path", put("HCM/normalize_path", False)),
    envoy("EN016", "merge_slashes", drop("HCM/merge_slashes")),
    envoy(
        "EN016",
        "path_with_escaped_slashes_action",
        put("HCM/path_with_escaped_slashes_action", "UNESCAPE_AND_FORWARD"),
    ),
    envoy("EN017", "routes[health]", swap("ROUTES", "@websocket", "@health")),
    envoy("EN017", "upgrade_configs[1]", add("HCM/upgrade_configs", {"upgrade_type": "CONNECT"})),
    envoy(
        "EN020",
        "http_filters[local_ratelimit].filter_enforced",
        put("LIMIT/filter_enforced/default_value/numerator", 99),
    ),
    envoy(
        "EN020",
        "http_filters[local_ratelimit].filter_enabled",
        put("LIMIT/filter_enabled/default_value/denominator", "TEN_THOUSAND"),
    ),
    envoy("EN020", "http_filters[local_ratelimit].filter_enabled", drop("LIMIT/filter_enabled")),
    envoy("EN021", "routes[responses].route.rate_limits", drop("ROUTES/@responses/route/rate_limits")),
    envoy("EN021", "routes[embeddings].route.rate_limits", drop("ROUTES/@embeddings/route/rate_limits/0")),
    envoy(
        "EN021",
        "routes[chat-completions].route.rate_limits",
        put("ROUTES/@chat-completions/route/rate_limits/0/actions/1/request_headers/header_name", "x-client"),
    ),
    envoy(
        "EN021",
        "routes[embeddings].route.rate_limits",
        put("ROUTES/@embeddings/route/rate_limits/1/actions/0/generic_key/descriptor_value", "responses"),
    ),
    envoy(
        "EN021",
        "routes[embeddings].route.rate_limits",
        put("ROUTES/@embeddings/route/rate_limits/0/actions/1", {}),
    ),
    envoy("EN022", "descriptors[responses]", drop("LIMIT/descriptors/0")),
    envoy("EN022", "descriptors[responses/roo]", drop("LIMIT/descriptors/2")),
    envoy("EN022", "descriptors[embeddings]", repeat("LIMIT/descriptors", 5)),
    envoy(
        "EN022",
        "descriptors[responses/nobody]",
        both(repeat("LIMIT/descriptors", 1), put("LIMIT/descriptors/-1/entries/1/value", "nobody")),
    ),
    envoy(
        "EN023",
        "descriptors[responses].token_bucket.tokens_per_fill",
        put("LIMIT/descriptors/0/token_bucket/tokens_per_fill", 501),
    ),
    envoy(
        "EN023",
        "descriptors[embeddings/roo].token_bucket.max_tokens",
        both(
            put("LIMIT/descriptors/7/token_bucket/max_tokens", 51),
            put("LIMIT/descriptors/7/token_bucket/tokens_per_fill", 249),
        ),
    ),
    envoy(
        "EN023",
        "descriptors[responses].token_bucket.fill_interval",
        put("LIMIT/descriptors/0/token_bucket/fill_interval", "1s"),
    ),
    envoy(
        "EN027",
        "descriptors[responses/roo].token_bucket.tokens_per_fill",
        both(
            put("LIMIT/descriptors/2/token_bucket/max_tokens", 1),
            put("LIMIT/descriptors/0/token_bucket/tokens_per_fill", 249),
        ),
    ),
    envoy(
        "EN027",
        "routes[embeddings].route.rate_limits",
        swap("ROUTES/@embeddings/route/rate_limits", "0", "1"),
    ),
    envoy("EN024", "clusters[responses].circuit_breakers.thresholds", drop("CLUSTERS/0/circuit_breakers")),
    envoy(
        "EN024",
        "clusters[responses].circuit_breakers.max_connections",
        put("CLUSTERS/0/circuit_breakers/thresholds/0/max_connections", 51),
    ),
    envoy(
        "EN024",
        "clusters[embeddings].circuit_breakers.max_pending_requests",
        drop("CLUSTERS/1/circuit_breakers/thresholds/0/max_pending_requests"),
    ),
    envoy(
        "EN024",
        "clusters[embeddings].circuit_breakers.max_retries",
        drop("CLUSTERS/1/circuit_breakers/thresholds/0/max_retries"),
    ),
    envoy("EN024", "clusters", repeat("CLUSTERS", 0)),
    envoy(
        "EN028",
        "clusters[health].max_requests_per_connection",
        drop(f"CLUSTERS/2/{UPSTREAM}/common_http_protocol_options"),
    ),
    envoy(
        "EN028",
        "clusters[responses].max_requests_per_connection",
        put(f"CLUSTERS/0/{UPSTREAM}/common_http_protocol_options/max_requests_per_connection", 2),
    ),
    envoy("EN025", "http_filters[buffer].max_request_bytes", put("BUFFER/max_request_bytes", 8_388_609)),
    envoy("EN025", "http_filters[buffer]", drop("HCM/http_filters/2"), "EN004"),
    envoy("EN030", f"{CREDENTIALS}[1].key", put("AUTH/credentials/1/key", "hunter2")),
    envoy("EN030", CREDENTIALS, drop("AUTH/credentials/4")),
    envoy("EN030", CREDENTIALS, repeat("AUTH/credentials", 1)),
    envoy("EN030", f"{CREDENTIALS}[1].client", put("AUTH/credentials/1/client", "codex")),
    envoy(
        "EN030",
        f"{CREDENTIALS}[5].key",
        add("AUTH/credentials", {"client": "roo", "key": "${CLIENT_KEY_ROO_B}"}),
    ),
    envoy("EN030", "http_filters[api_key_auth]", drop("HCM/http_filters/0"), "EN004"),
    envoy("EN031", "http_filters[api_key_auth].key_sources", add("AUTH/key_sources", {"query": "key"})),
    envoy("EN031", "http_filters[api_key_auth].key_sources", drop("AUTH/key_sources/1")),
    envoy("EN031", "http_filters[api_key_auth].forwarding.header", put("AUTH/forwarding/header", "x-client")),
    envoy(
        "EN031",
        "http_filters[api_key_auth].forwarding.hide_credentials",
        drop("AUTH/forwarding/hide_credentials"),
    ),
    envoy("EN032", REQUEST_MUTATIONS, drop("HEADERS/request_mutations/0")),
    envoy(
        "EN032",
        REQUEST_MUTATIONS,
        put("HEADERS/request_mutations/0/append/append_action", "ADD_IF_ABSENT"),
    ),
    envoy("EN032", REQUEST_MUTATIONS, drop("HEADERS/request_mutations/2")),
    envoy("EN032", REQUEST_MUTATIONS, drop("HEADERS/request_mutations/5")),
    envoy("EN033", RESPONSE_MUTATIONS, drop("HEADERS/response_mutations/3")),
    envoy("EN033", RESPONSE_MUTATIONS, drop("HEADERS/response_mutations/4")),
    envoy("EN034", "use_remote_address", put("HCM/use_remote_address", False)),
    envoy("EN034", "internal_address_config", drop("HCM/internal_address_config")),
    envoy("EN034", "internal_address_config", drop("HCM/internal_address_config/cidr_ranges")),
    envoy("EN034", "internal_address_config", put("HCM/internal_address_config/unix_sockets", True)),
    envoy(
        "EN034",
        "internal_address_config",
        put("HCM/internal_address_config/cidr_ranges/0/address_prefix", "10.0.0.0"),
    ),
    envoy(
        "EN035",
        "clusters[responses].load_assignment",
        put(
            "CLUSTERS/0/load_assignment/endpoints/0/lb_endpoints/0/endpoint/address/socket_address/address",
            "10.0.0.7",
        ),
    ),
    envoy("EN036", "early_header_mutation_extensions", drop("HCM/early_header_mutation_extensions")),
    envoy(
        "EN036",
        "early_header_mutation_extensions",
        add(
            "HCM/early_header_mutation_extensions/0/typed_config/mutations",
            {"append": {"header": {"key": "x-gateway-client", "value": "roo"}}},
        ),
    ),
    envoy(
        "EN036",
        "early_header_mutation_extensions",
        drop("HCM/early_header_mutation_extensions/0/typed_config/mutations/1"),
    ),
    envoy("EN037", BODY_NOTES, drop("BODY_NOTES/0")),
    envoy("EN037", BODY_NOTES, put("BODY_NOTES/1/append/header/value", "%REQUEST_BODY(model:name)%")),
    envoy("EN037", BODY_NOTES, put("BODY_NOTES/2/append/header/value", "%REQUEST_BODY(api_key)%")),
    envoy("EN037", BODY_NOTES, put("BODY_NOTES/2/append/append_action", "ADD_IF_ABSENT")),
    envoy("EN037", BODY_NOTES, repeat("BODY_NOTES", 0)),
    envoy("EN037", f"{BODY_POLICIES}.body", drop("BODY_POLICIES/body/permissions/0/and_rules/rules/0")),
    envoy("EN037", f"{BODY_POLICIES}.body", repeat("BODY_POLICIES/body/permissions", 0)),
    envoy("EN037", f"{BODY_POLICIES}.no-body", put("BODY_POLICIES/no-body/permissions", [])),
    envoy("EN038", QUERY, drop("HEADERS/query_parameter_mutations/0")),
    envoy("EN038", QUERY, put("HEADERS/query_parameter_mutations", [])),
    envoy("EN018", "codec_type", drop("HCM/codec_type")),
    envoy("EN018", "layered_runtime", drop("layered_runtime")),
    envoy(
        "EN018",
        "layered_runtime",
        put(
            "layered_runtime/layers/0/static_layer",
            {
                "envoy.reloadable_features.strict_chunk_parsing": True,
                "envoy.reloadable_features.http_reject_path_with_fragment": False,
            },
        ),
    ),
    envoy(
        "EN025",
        "routes[embeddings].typed_per_filter_config",
        drop("ROUTES/@embeddings/typed_per_filter_config"),
    ),
    envoy(
        "EN025",
        "routes[responses].typed_per_filter_config",
        put(
            "ROUTES/@responses/typed_per_filter_config",
            {
                "envoy.filters.http.buffer": {
                    "@type": "type.googleapis.com/envoy.extensions.filters.http.buffer.v3.BufferPerRoute",
                    "buffer": {"max_request_bytes": 2**30},
                }
            },
        ),
    ),
    envoy(
        "EN039",
        f"{STUMBLED}.custom_response_matcher",
        put("STUMBLED/custom_response_matcher/matcher_list/matchers/0/predicate", {}),
    ),
    envoy(
        "EN039",
        f"{ANSWERS}.xds_matcher",
        put(
            "ANSWERS/xds_matcher/matcher_list/matchers/0/predicate/single_predicate/value_match/exact", "5xx"
        ),
    ),
    envoy(
        "EN039",
        f"{ANSWERS}.extension_config.typed_config.response_rules",
        drop("ANSWERS/extension_config/typed_config/response_rules/rules/0"),
    ),
    envoy("EN039", "http_filters[header_mutation].request_mutations", drop("HEADERS/request_mutations/8")),
    envoy("EN026", "memory_allocator_manager.bytes_to_release", drop("memory_allocator_manager")),
    envoy(
        "EN026",
        "memory_allocator_manager.bytes_to_release",
        put("memory_allocator_manager/bytes_to_release", 0),
    ),
    envoy(
        "EN024",
        "clusters[health].circuit_breakers.max_connections",
        put("CLUSTERS/@health/circuit_breakers/thresholds/0/max_connections", 5),
    ),
    envoy(
        "EN040",
        "routes[responses].route.retry_policy.retriable_status_codes",
        put("ROUTES/@responses/route/retry_policy/retriable_status_codes", [429, 403]),
    ),
    envoy(
        "EN040",
        "routes[embeddings].route.retry_policy.retry_on",
        put("ROUTES/@embeddings/route/retry_policy/retry_on", "5xx,retriable-4xx"),
    ),
    envoy(
        "EN041",
        "routes[responses].route.retry_policy.num_retries",
        put("ROUTES/@responses/route/retry_policy/num_retries", 100),
    ),
    envoy("EN041", "routes[responses].route.retry_policy", drop("ROUTES/@responses/route/retry_policy")),
    envoy(
        "EN041",
        "routes[responses].route.retry_policy.retry_back_off.max_interval",
        drop("ROUTES/@responses/route/retry_policy/retry_back_off"),
    ),
    envoy(
        "EN041",
        "routes[responses].route.retry_policy.rate_limited_retry_back_off.max_interval",
        drop("ROUTES/@responses/route/retry_policy/rate_limited_retry_back_off/max_interval"),
    ),
    envoy("EN042", "routes[responses].route.timeout", drop("ROUTES/@responses/route/timeout")),
    envoy("EN042", "routes[embeddings].route.timeout", put("ROUTES/@embeddings/route/timeout", "0s")),
    *(
        envoy("EN050", "access_log[0].json_format.more", put(f"{LOG}/more", text))
        for LOG in ["HCM/access_log/0/typed_config/log_format/json_format"]
        for text in (
            "%REQ(:PATH)%",
            "%REQ(authorization)%",
            "%REQ(x-request-id?authorization)%",
            "%REQ_WITHOUT_QUERY(:PATH)%",
            "%PATH(WQ)%",
            "%CEL(request.path)%",
            "%CEL(response.code < 400 ? '' : request.headers['authorization'])%",
            "%RESP(x-litellm-model-api-base)%",
            "%DYNAMIC_METADATA(x:y)%",
            "%CEL(metadata.filter_metadata['x']['y'])%",
            "%CEL(metadata.filter_metadata['answer']['stream'] + metadata.filter_metadata['x'])%",
            "%LOCAL_REPLY_BODY%",
            "%DOWNSTREAM_PEER_SUBJECT%",
            "%DURATION",
        )
    ),
    envoy(
        "EN052",
        RESPONSE_MUTATIONS,
        put("HEADERS/response_mutations/1/append/header/value", "%REQ(authorization)%"),
    ),
    envoy(
        "EN052",
        "local_reply_config",
        put(
            "HCM/local_reply_config/mappers/0/body_format_override/json_format/error/message",
            "%CEL(request.headers['authorization'])%",
        ),
    ),
    envoy("EN051", "access_log", drop("HCM/access_log/0")),
    envoy("EN053", f"{HEADER_NOTES}.response_rules", drop("HEADER_NOTES/response_rules/0")),
    envoy(
        "EN053",
        f"{HEADER_NOTES}.response_rules",
        put("HEADER_NOTES/response_rules/0/header", "x-litellm-model-api-base"),
    ),
    envoy(
        "EN053",
        f"{HEADER_NOTES}.response_rules",
        drop("HEADER_NOTES/response_rules/0/on_header_present/value"),
    ),
    envoy("EN053", f"{STREAM_NOTES}.{PARSER}.rules", drop(f"STREAM_NOTES/{PARSER_PATH}/rules/1")),
    envoy("EN053", f"{STREAM_NOTES}.{PARSER}.rules", repeat(f"STREAM_NOTES/{PARSER_PATH}/rules", 0)),
    envoy(
        "EN053",
        f"{STREAM_NOTES}.{PARSER}.rules",
        put(f"STREAM_NOTES/{PARSER_PATH}/rules/0/rule/selectors/1/key", "output"),
    ),
    envoy(
        "EN053",
        f"{STREAM_NOTES}.{PARSER}.rules",
        drop(f"STREAM_NOTES/{PARSER_PATH}/rules/1/rule/on_present/value"),
    ),
    envoy("EN053", f"{STREAM_NOTES}.max_event_size", drop("STREAM_NOTES/max_event_size")),
    *(
        envoy("EN054", f"access_log[0].json_format.{name}", drop(f"{LOG}/{name}"))
        for LOG in ["HCM/access_log/0/typed_config/log_format/json_format"]
        for name in ("status", "failed", "attempts", "client")
    ),
    envoy(
        "EN054",
        "access_log[0].json_format.first_byte_ms",
        put("HCM/access_log/0/typed_config/log_format/json_format/first_byte_ms", "%DURATION%"),
    ),
    envoy(
        "GW009",
        f"{MANAGER}.http_filters[5].typed_config.mutations.response_mutations[0].append.header.value",
        put("HEADERS/response_mutations/0/append/header/value", "${LITELLM_MASTER_KEY}"),
    ),
    envoy(
        "GW009",
        f"{MANAGER}.access_log[0].typed_config.log_format.json_format.environment",
        put("HCM/access_log/0/typed_config/log_format/json_format/environment", "${CLIENT_KEY_ROO_A}"),
        "EN054",
    ),
    envoy("GW009", f"{MANAGER}.server_name", put("HCM/server_name", "${HOSTNAME}")),
]

TFVARS_CASES = [
    tfvars("GW001", "images.litellm", drop("images/litellm")),
    tfvars("GW001", "client_keys", put("client_keys", ["CLIENT_KEY_ROO_A"])),
    *(
        tfvars("GW002", "images.litellm", put("images/litellm", f"ghcr.io/berriai/litellm{tag}"))
        for tag in (
            "",
            ":latest",
            ":main-latest",
            ":main-stable",
            ":main-v1.106.2",
            ":v1.106",
            ":v1.106.2-nightly",
            ":v1.106.2-dev",
            ":v1.106.2.dev1",
            ":v1.106.2-rc.1",
            f":latest@sha256:{'0' * 64}",
        )
    ),
    *(
        tfvars("GW002", "images.envoy", put("images/envoy", f"envoyproxy/envoy{tag}"))
        for tag in (":latest", ":v1.40-latest", ":v1.40", ":dev", ":contrib-v1.40.0", "-dev:v1.40.0")
    ),
    tfvars("GW003", "images.litellm", put("images/litellm", "litellm:v1.82.7"), "GW004"),
    tfvars("GW003", "images.litellm", put("images/litellm", "litellm:1.82.8"), "GW004"),
    tfvars("GW004", "images.litellm", put("images/litellm", "ghcr.io/berriai/litellm:v1.83.9")),
    tfvars("GW004", "images.litellm", put("images/litellm", "ghcr.io/berriai/litellm:v1.83.14-stable")),
    tfvars("GW005", "images.envoy", put("images/envoy", "envoyproxy/envoy:distroless-v1.40.0")),
    tfvars("GW006", "names.key_vault", put("names/key_vault", "aZ09" * 12)),
    tfvars("GW007", "names.key_vault", put("names/key_vault", "https://x.vault.azure.net.openai.azure.com")),
    tfvars("GW008", "client_keys.AZURE_API_KEY", put("client_keys/AZURE_API_KEY", "x"), "GW012"),
    tfvars("GW012", "client_keys.CLIENT_KEY_ROO_A", drop("client_keys/CLIENT_KEY_ROO_A")),
    tfvars("GW012", "client_keys.CLIENT_KEY_ROO_B", put("client_keys/CLIENT_KEY_ROO_B", "client-roo-b")),
    tfvars("GW012", "client_keys.CLIENT_KEY_ROO_A", put("client_keys/CLIENT_KEY_ROO_A", "client-codex-a")),
]

TEXT_CASES = [
    TextCase(
        "GW011", "(the whole file)", "envoy", "# Rendered from", f"#{' word' * 20_000}\n# Rendered from"
    ),
    TextCase("GW006", "line 1", "litellm", "# Rendered", "# sk-1234567890abcdef1234 Rendered"),
    TextCase("GW007", "line 2", "envoy", "# No secret", "# my-own.openai.azure.com: No secret"),
    TextCase("GW008", "line 2", "litellm", "# No secret", "# AZURE_API_BASE: No secret"),
    TextCase("GW009", "line 2", "envoy", "# No secret", "# ${LITELLM_MASTER_KEY}: No secret"),
    TextCase("GW009", "line 2", "envoy", "# No secret", "# ${EDGE_PORT}: No secret"),
]

SCRIPT_CASES = [
    TextCase("GW008", "AZURE_API_KEY", "litellm", "${AZURE_API_KEY-}", ""),
    TextCase("GW008", "AZURE_API_BASE", "litellm", "unset LITELLM_CONFIG", "export AZURE_API_BASE=x"),
    TextCase("GW020", "LITELLM_LOG", "litellm", "LITELLM_LOG=CRITICAL", "LITELLM_LOG=ERROR"),
    TextCase("GW020", "LITELLM_LOG", "litellm", "LITELLM_LOG=CRITICAL", ""),
    TextCase("GW020", "LITELLM_LOG", "litellm", "unset LITELLM_CONFIG", "LITELLM_LOG=DEBUG"),
    TextCase("GW020", "--debug", "litellm", "exec litellm", "exec litellm --detailed_debug"),
    TextCase("GW020", "DETAILED_DEBUG", "litellm", "NO_DOCS=True", "NO_DOCS=True DETAILED_DEBUG=True"),
    TextCase("GW020", "--log_config", "litellm", '--log_config "$folder/logging.json"', ""),
    TextCase("GW021", "--log-level", "envoy", "--log-level error", "--log-level trace"),
    TextCase("GW021", "--component-log-level", "envoy", "--log-level error", "--log-level error -l debug"),
    TextCase("GW022", "LITELLM_SALT_KEY", "litellm", "check_key LITELLM_SALT_KEY", "# LITELLM_SALT_KEY"),
    TextCase("GW022", "LITELLM_SALT_KEY", "litellm", "unset LITELLM_CONFIG", "LITELLM_SALT_KEY=$RANDOM"),
    TextCase("GW022", "LITELLM_MASTER_KEY", "litellm", "check_key LITELLM_MASTER_KEY", "echo"),
    TextCase("GW023", "--host", "litellm", "--host 127.0.0.1", "--host 0.0.0.0"),
    TextCase("GW023", "--host", "litellm", "--host 127.0.0.1", ""),
    TextCase("GW024", "check_value", "envoy", '  check_value "$name" "$value"\n', ""),
    TextCase("GW025", "admin.address", "envoy", "address: 127.0.0.1, port", "address: 0.0.0.0, port"),
    TextCase(
        "GW025", "admin.allow_paths", "envoy", "  allow_paths: [", "  allow_paths: [{exact: /config_dump}, "
    ),
    TextCase("GW025", "admin.allow_paths", "envoy", '{prefix: "/stats?filter="}', "{prefix: /}"),
]

DATA_CASES = [*LITELLM_CASES, *ENVOY_CASES, *TFVARS_CASES]


def _check(case: Case | TextCase, rendering: Rendering) -> None:
    found = list_found(rendering)
    assert case.key in found.get(case.rule, set()), f"found only {found}"
    assert set(found) <= {case.rule, *case.also}
    assert case.also <= set(found), "a rule that the case names is silent"


@pytest.mark.parametrize("case", DATA_CASES, ids=str)
def test_spoilt_data_is_refused(case: Case, spoiler: Spoiler) -> None:
    _check(case, spoiler.spoil(case.file, case.mutation))


@pytest.mark.parametrize("case", TEXT_CASES, ids=str)
def test_comments_are_committed_too(case: TextCase, spoiler: Spoiler) -> None:
    _check(case, spoiler.replace_text(case.file, case.old, case.new))


@pytest.mark.parametrize(
    ("file", "variable"), [("litellm.yaml", "LITELLM_CONFIG="), ("envoy.yaml", "ENVOY_CONFIG=")]
)
def test_a_config_must_fit_into_a_variable(dev: Rendering, file: str, variable: str) -> None:
    text = dev.texts[file]
    room = 128 * 1024 - len(f"{variable}{text}\0".encode())
    largest = text + "#\n" * (room // 2) + "\n" * (room % 2)
    for padded, found in ((largest, {}), (f"{largest}\n", {"GW011": {"(the whole file)"}})):
        assert list_found(replace(dev, texts={**dev.texts, file: padded})) == found


@pytest.mark.parametrize("case", SCRIPT_CASES, ids=str)
def test_a_spoilt_start_script_is_refused(case: TextCase, spoiler: Spoiler) -> None:
    _check(case, spoiler.edit_script(case.file, case.old, case.new))


def test_a_start_script_that_is_not_there_is_refused(spoiler: Spoiler) -> None:
    rendering = spoiler.edit_script("litellm", "exec", "exec")
    (spoiler.folder / "infra/modules/aigateway_aca/start/litellm.sh").unlink()
    found = list_found(rendering)
    assert {"GW020", "GW022", "GW023"} <= set(found)


@pytest.mark.parametrize(
    ("key", "mutation"),
    [
        (
            "descriptors[responses].token_bucket.max_tokens",
            put(
                "LIMIT/descriptors/0/token_bucket",
                {"max_tokens": 101, "tokens_per_fill": 400, "fill_interval": "60s"},
            ),
        ),
        (
            "descriptors[responses].token_bucket.tokens_per_fill",
            put("LIMIT/descriptors/0/token_bucket/tokens_per_fill", 501),
        ),
        (
            "clusters[embeddings].circuit_breakers.max_connections",
            put("CLUSTERS/@embeddings/circuit_breakers/thresholds/0/max_connections", 21),
        ),
        (
            "clusters[embeddings].circuit_breakers.max_pending_requests",
            put("CLUSTERS/@embeddings/circuit_breakers/thresholds/0/max_pending_requests", 101),
        ),
    ],
)
def test_one_of_several_replicas_may_not_take_more_than_its_share(
    key: str, mutation: Mutation, tmp_path: Path
) -> None:
    prod = Spoiler(render_environment(ROOT, "prod"), tmp_path)
    assert prod.rendering.settings.scale.max_replicas == 3
    (violation,) = find_violations(prod.spoil("envoy", mutation))
    assert violation.key == key


def test_a_port_of_a_mirror_is_no_tag(spoiler: Spoiler) -> None:
    rendering = spoiler.spoil("tfvars", put("images/envoy", "mirror.example:5000/envoy"))
    (violation,) = find_violations(rendering)
    assert violation.rule == "GW002"
    assert "has the tag ''" in violation.message


def test_every_rule_has_a_case_in_which_it_fires() -> None:
    cases = {case.rule for case in (*DATA_CASES, *TEXT_CASES, *SCRIPT_CASES)}
    assert {rule.id for rule in RULES} == cases


def test_a_violation_has_its_rules_reason_and_source(spoiler: Spoiler) -> None:
    rendering = spoiler.spoil("litellm", put(f"{PARAMETERS}/rpm", 60))
    (violation,) = find_violations(rendering)
    (rule,) = (rule for rule in RULES if rule.id == violation.rule)
    assert (violation.reason, violation.source) == (rule.reason, rule.source)
    assert violation.file == "infra/env/dev/litellm.yaml"


@pytest.mark.parametrize(
    ("key", "word"), [("drop_param", "drop_params"), ("num_retrys", "num_retries"), ("calbacks", "callbacks")]
)
def test_the_nearest_known_key_is_named(spoiler: Spoiler, key: str, word: str) -> None:
    (violation,) = list_violations(spoiler.spoil("litellm", put(f"litellm_settings/{key}", 1)), "LL001")
    assert f"did you mean '{word}'?" in violation.message


def test_the_nearest_field_is_named_inside_of_a_filter(spoiler: Spoiler) -> None:
    rendering = spoiler.spoil("envoy", put("LIMIT/filter_enforce", 1))
    (violation,) = list_violations(rendering, "EN001")
    assert "did you mean 'filter_enforced'?" in violation.message
