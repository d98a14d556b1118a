"""What Envoy is told, for settings of every kind: limits, replicas, keys, routes, retries."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, reject
from hypothesis import settings as examples
from hypothesis import strategies as st
from pydantic import ValidationError
from rich.console import Console

from aigateway.errors import RenderError
from aigateway.rendering.checking import check_envoy
from aigateway.rendering.edge import Bucket, derive_edge
from aigateway.rendering.renderer import (
    ENVOY,
    LITELLM,
    TFVARS,
    Rendering,
    render_environment,
    render_settings,
)
from aigateway.settings.loading import find_root
from aigateway.settings.model import Settings
from aigateway.settings.values import ENDPOINTS, ENVIRONMENTS, Endpoint

ROOT = find_root(Path(__file__))
SLOTS = st.sampled_from([["a"], ["b"], ["a", "b"], ["b", "a"]])


@st.composite
def make_limits(draw: st.DrawFn, most: int = 1_000_000) -> dict[str, int]:
    """Requests per minute up to `most`, and a burst below them."""
    rate = draw(st.integers(2, most))
    return {"requests_per_minute": rate, "burst": draw(st.integers(1, rate - 1))}


@st.composite
def make_places(draw: st.DrawFn) -> dict[str, int]:
    parallel = draw(st.integers(1, 10_000))
    return {"parallel": parallel, "queue": draw(st.integers(parallel, 10_000))}


@st.composite
def make_client(draw: st.DrawFn, name: str, whole: dict[Endpoint, dict[str, int]]) -> dict[str, Any]:
    client: dict[str, Any] = {"name": name, "keys": draw(SLOTS)}
    endpoint: Endpoint | None = draw(st.sampled_from([None, *ENDPOINTS]))
    if endpoint:
        rate = draw(st.integers(2, whole[endpoint]["requests_per_minute"]))
        burst = draw(st.integers(1, min(whole[endpoint]["burst"], rate - 1)))
        client["limits"] = {endpoint: {"requests_per_minute": rate, "burst": burst}}
    return client


@st.composite
def make_settings(draw: st.DrawFn) -> Settings:
    """Settings that the model takes, far from the defaults."""
    limits: dict[Endpoint, dict[str, int]] = {
        endpoint: {
            **draw(make_limits()),
            **draw(make_places()),
        }
        for endpoint in ENDPOINTS
    }
    names = draw(
        st.lists(
            st.from_regex(r"[a-z][a-z0-9]{0,8}(-[a-z0-9]{1,4})?", fullmatch=True),
            min_size=1,
            max_size=4,
            unique=True,
        )
    )
    base = draw(st.floats(0.00001, 10))
    data = {
        "environment": draw(st.sampled_from(ENVIRONMENTS)),
        "clients": [draw(make_client(name, limits)) for name in names],
        "limits": {
            "responses": limits["responses"],
            "embeddings": limits["embeddings"],
            "client_share": draw(st.floats(0.01, 1)),
        },
        "scale": {"max_replicas": draw(st.one_of(st.just(1), st.integers(1, 20)))},
        "retries": {
            "attempts": draw(st.integers(1, 5)),
            "backoff_base_seconds": base,
            "backoff_max_seconds": draw(st.floats(base, 60)),
        },
        "request_body_limit_mib": draw(st.integers(1, 9)),
    }
    try:
        return Settings.model_validate(data)
    except ValidationError:
        reject()


def _find_filter(manager: dict[str, Any], name: str) -> dict[str, Any]:
    (found,) = (each for each in manager["http_filters"] if each["name"] == f"envoy.filters.http.{name}")
    config: dict[str, Any] = found["typed_config"]
    return config


def _find_manager(config: dict[str, Any]) -> dict[str, Any]:
    (listener,) = config["static_resources"]["listeners"]
    manager: dict[str, Any] = listener["filter_chains"][0]["filters"][0]["typed_config"]
    return manager


def _list_routes(manager: dict[str, Any]) -> list[dict[str, Any]]:
    (host,) = manager["route_config"]["virtual_hosts"]
    routes: list[dict[str, Any]] = host["routes"]
    return routes


def _list_buckets(manager: dict[str, Any]) -> Iterator[tuple[dict[str, str], dict[str, Any]]]:
    for descriptor in _find_filter(manager, "local_ratelimit")["descriptors"]:
        yield {entry["key"]: entry["value"] for entry in descriptor["entries"]}, descriptor["token_bucket"]


# Each example renders three templates; shrinking a failure would take minutes, and the settings are small.
varied = examples(
    max_examples=25,
    deadline=None,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)


def _check_that_no_minute_lets_more_through_than_is_declared(rendering: Rendering) -> None:
    settings = rendering.settings
    replicas = settings.scale.max_replicas
    seen = set()
    buckets = list(_list_buckets(_find_manager(rendering.parse(ENVOY))))
    fills = {
        entries["endpoint"]: bucket["tokens_per_fill"]
        for entries, bucket in buckets
        if "client" not in entries
    }
    for entries, bucket in buckets:
        endpoint, name = entries["endpoint"], entries.get("client", "")
        seen.add((endpoint, name))
        client = next((each for each in settings.clients if each.name == name), None)
        declared = settings.client_limit(client, endpoint) if client else settings.endpoint_limit(endpoint)  # type: ignore[arg-type] # read from YAML
        assert bucket["fill_interval"] == "60s"
        assert bucket["max_tokens"] >= 1
        assert bucket["tokens_per_fill"] >= 1, "a bucket that is never filled again"
        in_a_minute = bucket["max_tokens"] + bucket["tokens_per_fill"]
        assert in_a_minute <= declared.requests_per_minute / replicas
        assert in_a_minute * replicas <= declared.requests_per_minute
        assert bucket["max_tokens"] * replicas <= declared.burst
        # Rounding down loses less than one request a replica: the limit is kept, not far undercut. But a client's
        # bucket is filled no faster than its endpoint's, so that it is asked first.
        assert bucket["tokens_per_fill"] <= fills[endpoint]
        if not name or bucket["tokens_per_fill"] < fills[endpoint]:
            assert in_a_minute * replicas > declared.requests_per_minute - replicas
    clients = ["", *(client.name for client in settings.clients)]
    assert seen == {(endpoint, client) for endpoint in ENDPOINTS for client in clients}


def _check_that_no_more_is_sent_at_once_than_is_declared(rendering: Rendering) -> None:
    settings = rendering.settings
    clusters = {each["name"]: each for each in rendering.parse(ENVOY)["static_resources"]["clusters"]}
    assert set(clusters) == {*ENDPOINTS, "health"}
    for endpoint in ENDPOINTS:
        declared = settings.endpoint_limit(endpoint)
        (threshold,) = clusters[endpoint]["circuit_breakers"]["thresholds"]
        assert 1 <= threshold["max_connections"] <= declared.parallel / settings.scale.max_replicas
        assert 1 <= threshold["max_pending_requests"] <= declared.queue / settings.scale.max_replicas
        assert threshold["max_retries"] >= threshold["max_connections"], "a retry would be refused at once"


def _check_that_every_valid_key_is_a_credential_once_and_no_other_is(rendering: Rendering) -> None:
    settings = rendering.settings
    auth = _find_filter(_find_manager(rendering.parse(ENVOY)), "api_key_auth")
    expected = {
        f"${{{variable}}}": client.name for client in settings.clients for variable in client.key_variables
    }
    assert Counter(each["key"] for each in auth["credentials"]) == Counter(dict.fromkeys(expected, 1))
    assert {each["key"]: each["client"] for each in auth["credentials"]} == expected
    assert auth["key_sources"] == [{"header": "x-gateway-key"}, {"header": "Authorization"}]
    handed_over = rendering.parse(TFVARS)["client_keys"]
    assert set(handed_over) == {key.removeprefix("${").removesuffix("}") for key in expected}
    assert len(set(handed_over.values())) == len(handed_over), "two keys share a Key Vault secret"


def _check_that_every_limited_route_meets_its_buckets(rendering: Rendering) -> None:
    settings = rendering.settings
    config = rendering.parse(ENVOY)
    manager = _find_manager(config)
    buckets = [entries for entries, _ in _list_buckets(manager)]
    forwarded = _find_filter(manager, "api_key_auth")["forwarding"]["header"]
    clusters = {each["name"] for each in config["static_resources"]["clusters"]}
    limited = [route for route in _list_routes(manager) if "rate_limits" in route.get("route", {})]
    assert {route["name"] for route in limited} == {
        "responses",
        "stored-response",
        "input-items",
        "cancel-response",
        "chat-completions",
        "embeddings",
    }
    for route in limited:
        own, whole = (limit["actions"] for limit in route["route"]["rate_limits"])
        endpoint = whole[0]["generic_key"]["descriptor_value"]
        assert whole == [{"generic_key": {"descriptor_key": "endpoint", "descriptor_value": endpoint}}]
        assert own == [
            *whole,
            {"request_headers": {"header_name": forwarded, "descriptor_key": "client"}},
        ]
        assert {"endpoint": endpoint} in buckets
        for client in settings.clients:
            assert {"endpoint": endpoint, "client": client.name} in buckets
        assert route["route"]["cluster"] == endpoint
        assert endpoint in clusters


def _check_attempts_times_and_sizes(rendering: Rendering) -> None:
    settings = rendering.settings
    config = rendering.parse(ENVOY)
    manager = _find_manager(config)
    limit = settings.request_body_limit_mib * 1024**2
    assert _find_filter(manager, "buffer")["max_request_bytes"] == limit
    assert config["static_resources"]["listeners"][0]["per_connection_buffer_limit_bytes"] == limit
    for route in _list_routes(manager):
        if "route" not in route or route["name"] == "health":
            continue
        policy = route["route"].get("retry_policy")
        if settings.retries.attempts == 1:
            assert policy is None
            continue
        assert policy["num_retries"] == settings.retries.attempts - 1
        assert policy["retriable_status_codes"] == [429, 500, 502, 503, 504]
        waits = [
            float(policy["retry_back_off"][name].removesuffix("s"))
            for name in ("base_interval", "max_interval")
        ]
        declared = [settings.retries.backoff_base_seconds, settings.retries.backoff_max_seconds]
        assert waits == pytest.approx(declared, abs=0.001)


def _check_that_litellm_is_told_the_models_and_never_to_retry(rendering: Rendering) -> None:
    settings = rendering.settings
    config = rendering.parse(LITELLM)
    azure = settings.azure
    responses, embeddings = config["model_list"]
    assert responses["model_name"] == azure.responses.model
    assert responses["litellm_params"]["model"] == f"azure/responses/{azure.responses.deployment}"
    assert responses["litellm_params"]["api_version"] == azure.responses.api_version
    assert embeddings["model_name"] == azure.embeddings.model
    assert embeddings["litellm_params"]["model"] == f"azure/{azure.embeddings.deployment}"
    assert embeddings["litellm_params"]["api_version"] == azure.embeddings.api_version
    assert config["litellm_settings"]["num_retries"] == config["router_settings"]["num_retries"] == 0
    assert [model["litellm_params"]["max_retries"] for model in config["model_list"]] == [0, 0]


@varied
@given(settings=make_settings())
def test_any_settings_render_to_what_they_declare(settings: Settings) -> None:
    # One test for all, because rendering and parsing take far longer than the checks.
    rendering = render_settings(ROOT, settings)
    _check_that_no_minute_lets_more_through_than_is_declared(rendering)
    _check_that_no_more_is_sent_at_once_than_is_declared(rendering)
    _check_that_every_valid_key_is_a_credential_once_and_no_other_is(rendering)
    _check_that_every_limited_route_meets_its_buckets(rendering)
    _check_attempts_times_and_sizes(rendering)
    _check_that_litellm_is_told_the_models_and_never_to_retry(rendering)


@varied
@given(settings=make_settings())
def test_a_refusal_of_the_edge_asks_to_wait_until_the_slowest_bucket_has_a_token(settings: Settings) -> None:
    edge = derive_edge(settings)
    (limited,) = (reply for reply in edge.replies if reply.status == 429 and not reply.flag)
    assert limited.retry_after_seconds >= 1
    assert all(_count_tokens(bucket, limited.retry_after_seconds) >= 1 for bucket in edge.buckets)


def _count_tokens(bucket: Bucket, seconds: int) -> float:
    return bucket.refill_per_minute * seconds / 60


# --- the routes


def test_only_the_served_routes_reach_litellm_and_the_last_answers_for_all_others() -> None:
    manager = _find_manager(render_environment(ROOT, "dev").parse(ENVOY))
    routes = _list_routes(manager)
    assert routes[-1]["match"] == {"prefix": "/"}
    assert routes[-1]["direct_response"] == {"status": 404}
    # Prefixes would let /v1/responsesX through.
    assert all("prefix" not in route["match"] for route in routes[:-1])
    keyless = [
        route["name"]
        for route in routes
        if "envoy.filters.http.api_key_auth" in route.get("typed_per_filter_config", {})
    ]
    assert keyless == ["health"]


# --- Envoy's own opinion


@pytest.fixture(scope="session")
def console() -> Console:
    return Console(stderr=True)


def test_envoy_takes_the_config_of_every_environment(root: Path, console: Console) -> None:
    check_envoy((render_environment(root, name) for name in ENVIRONMENTS), console)


VARIED: dict[str, dict[str, Any]] = {
    "no retries": {"retries": {"attempts": 1}},
    "many retries, with waits of odd lengths": {
        "retries": {"attempts": 5, "backoff_base_seconds": 0.00001, "backoff_max_seconds": 5.717717893182639}
    },
    "the largest of everything": {
        "limits": {
            endpoint: {
                "requests_per_minute": 1_000_000,
                "burst": 999_999,
                "parallel": 10_000,
                "queue": 10_000,
            }
            for endpoint in ENDPOINTS
        },
        "request_body_limit_mib": 64,
        "scale": {"litellm": {"cpu": 1, "memory_gib": 1}, "envoy": {"cpu": 1.25, "memory_gib": 3.5}},
        "timeouts": {"responses_seconds": 3600, "stream_idle_seconds": 3600, "embeddings_seconds": 600},
    },
    "the smallest of everything": {
        "limits": {
            **{
                endpoint: {"requests_per_minute": 2, "burst": 1, "parallel": 1, "queue": 1}
                for endpoint in ENDPOINTS
            },
            "client_share": 1.0,
        },
        "request_body_limit_mib": 1,
        "timeouts": {
            "responses_seconds": 1,
            "stream_idle_seconds": 1,
            "embeddings_seconds": 1,
            "connect_seconds": 1,
        },
    },
    "many clients with two keys": {"clients": [{"name": f"team-{n}", "keys": ["a", "b"]} for n in range(40)]},
    "names that YAML reads as something else": {
        "clients": [{"name": word} for word in ("on", "null", "y", "true")]
    },
}


@pytest.mark.parametrize("variation", VARIED)
def test_envoy_takes_varied_settings(root: Path, console: Console, variation: str) -> None:
    data = {"environment": "dev", "clients": [{"name": "roo"}], **VARIED[variation]}
    check_envoy([render_settings(root, Settings.model_validate(data))], console)


@examples(
    max_examples=5, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much]
)
@given(settings=make_settings())
def test_envoy_takes_any_settings(settings: Settings) -> None:
    check_envoy([render_settings(ROOT, settings)], Console(stderr=True))


def test_what_envoy_refuses_is_named_with_template_and_environment(checkout: Path, console: Console) -> None:
    path = checkout / "templates" / "envoy.yaml.j2"
    path.write_text(path.read_text().replace("merge_slashes: true", "merge_slashes: sometimes"))
    with pytest.raises(RenderError, match=r"templates/envoy\.yaml\.j2.*staging.*merge_slashes"):
        check_envoy([render_environment(checkout, "staging")], console)


def test_the_edges_own_retry_after_is_not_overwritten() -> None:
    # A local reply passes the filters of answers too.
    mutations = _find_filter(_find_manager(render_environment(ROOT, "dev").parse(ENVOY)), "header_mutation")
    headers = [
        each["append"]["header"] for each in mutations["mutations"]["response_mutations"] if "append" in each
    ]
    (value,) = (header["value"] for header in headers if header["key"] == "retry-after")
    own = value.index("? response.headers['retry-after']")
    assert value.index("? response.headers['llm_provider-retry-after']") < own < value.index("'503'")
