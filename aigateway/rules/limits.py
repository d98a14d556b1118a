"""Rules on the edge's limits: each that the settings declare is enforced, and no replica lets more through.

The shares are worked out here by another way than the renderer's: what all replicas let through, against the whole.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from aigateway.rendering.edge import INDEXING_BODY_LIMIT_MIB
from aigateway.rules.doors import list_routes
from aigateway.rules.envoy_config import Cluster, Descriptor, EnvoyConfig, RateLimitAction
from aigateway.rules.rule import Complaint, rule
from aigateway.rules.served import HEALTH
from aigateway.settings.model import RateLimit, Settings
from aigateway.settings.values import ENDPOINTS

CLIENT_HEADER = "x-gateway-client"

_FILL_INTERVAL = "60s"

Labels = tuple[tuple[str, str], ...]


@rule(
    "EN020",
    "a rate limit that is not enforced on every request",
    reason="Envoy's default for both shares is 0 %: the buckets are counted, and nothing is refused",
    source="www.envoyproxy.io/docs/envoy/v1.40.0/configuration/http/http_filters/local_rate_limit_filter",
).on_envoy
def enforced_share(config: EnvoyConfig, _settings: Settings) -> Iterator[Complaint]:
    """Enabled and enforced at 100 %."""
    for manager in config.managers:
        for limit in manager.rate_limits:
            for name in ("filter_enabled", "filter_enforced"):
                share = getattr(limit, name)
                if share is None or not share.default_value.whole:
                    yield f"http_filters[local_ratelimit].{name}", "must be 100 of HUNDRED; unset, it is 0 %"


@rule(
    "EN021",
    "a limited route whose requests meet no bucket",
    reason="a request is counted only by the descriptors that its route makes of it",
    source="the PRD, FR5; "
    "www.envoyproxy.io/docs/envoy/v1.40.0/configuration/http/http_filters/local_rate_limit_filter",
).on_envoy
def limited_routes(config: EnvoyConfig, _settings: Settings) -> Iterator[Complaint]:
    """Each limited route counts for its endpoint and, there, for its client."""
    for label, route, served in list_routes(config):
        if served is None or not served.limited or route.route is None:
            continue
        made = {tuple(_read_action(action) for action in limit.actions) for limit in route.route.rate_limits}
        endpoint = ("endpoint", str(served.endpoint))
        client = ("client", f"the header {CLIENT_HEADER}")
        for labels in ((endpoint,), (endpoint, client)):
            if labels not in made:
                wanted = " and ".join(f"{key} = {value}" for key, value in labels)
                yield f"{label}.route.rate_limits", f"must have actions that make {wanted}"


def _read_action(action: RateLimitAction) -> tuple[str, str]:
    if action.generic_key:
        return action.generic_key.descriptor_key, action.generic_key.descriptor_value
    if action.request_headers:
        return action.request_headers.descriptor_key, f"the header {action.request_headers.header_name}"
    return "", ""


def _declare(settings: Settings) -> dict[Labels, RateLimit]:
    """Every limit of the settings, by the labels that its bucket must have."""
    declared: dict[Labels, RateLimit] = {}
    for endpoint in ENDPOINTS:
        labels: Labels = (("endpoint", endpoint),)
        declared[labels] = settings.endpoint_limit(endpoint)
        for client in settings.clients:
            declared[*labels, ("client", client.name)] = settings.client_limit(client, endpoint)
    return declared


def _label_bucket(labels: Labels) -> str:
    return f"descriptors[{'/'.join(value for _, value in labels)}]"


@rule(
    "EN022",
    "a bucket that is missing, twice, or nobody's",
    reason="without its bucket an endpoint or a client has no limit; of two for the same requests one is not meant",
    source="the PRD, FR5; "
    "www.envoyproxy.io/docs/envoy/v1.40.0/configuration/http/http_filters/local_rate_limit_filter",
).on_envoy
def buckets_of_settings(config: EnvoyConfig, settings: Settings) -> Iterator[Complaint]:
    """One bucket for each endpoint, and in it for each client."""
    declared = _declare(settings)
    present = [descriptor.labels for descriptor in _list_descriptors(config)]
    for labels in declared:
        if present.count(labels) != 1:
            yield _label_bucket(labels), f"is there {present.count(labels)} times; must be there once"
    for labels in present:
        if labels not in declared:
            yield _label_bucket(labels), "is no endpoint or client of the settings; remove it"


def _list_descriptors(config: EnvoyConfig) -> Iterator[Descriptor]:
    for manager in config.managers:
        for limit in manager.rate_limits:
            yield from limit.descriptors


@rule(
    "EN023",
    "a bucket that lets through more than the replica's share",
    reason="each replica counts by itself: in any minute a bucket lets through its burst and one fill, and all "
    "replicas together must not let through more than the settings say",
    source="the PRD, FR5; "
    "www.envoyproxy.io/docs/envoy/v1.40.0/configuration/http/http_filters/local_rate_limit_filter",
).on_envoy
def bucket_shares(config: EnvoyConfig, settings: Settings) -> Iterator[Complaint]:
    """Burst and fill of all replicas, against the limit."""
    declared, replicas = _declare(settings), settings.scale.max_replicas
    for descriptor in _list_descriptors(config):
        bucket, limit = descriptor.token_bucket, declared.get(descriptor.labels)
        place = f"{_label_bucket(descriptor.labels)}.token_bucket"
        if bucket.fill_interval != _FILL_INTERVAL:
            yield (
                f"{place}.fill_interval",
                f"must be {_FILL_INTERVAL}: the settings' limits are by the minute",
            )
        if limit is None:
            continue
        if bucket.max_tokens * replicas > limit.burst:
            yield (
                f"{place}.max_tokens",
                f"must be at most {limit.burst // replicas}, a replica's share of the burst",
            )
        if (bucket.max_tokens + bucket.tokens_per_fill) * replicas > limit.requests_per_minute:
            most = limit.requests_per_minute // replicas
            yield (
                f"{place}.tokens_per_fill",
                f"must be at most {most - bucket.max_tokens}: with max_tokens, the share of {most} in a minute",
            )


@rule(
    "EN027",
    "an endpoint's bucket that is asked before a client's",
    reason="of the buckets that a request meets, Envoy asks the slowest first, and of equal ones the route's first; a "
    "client that its own bucket refuses has then already taken from everybody's",
    source="measured with Envoy 1.40.0; its local_ratelimit_impl.cc:LocalRateLimiterImpl::requestAllowed",
).on_envoy
def bucket_order(config: EnvoyConfig, _settings: Settings) -> Iterator[Complaint]:
    """No client's bucket is filled faster than its endpoint's, and the routes name it first."""
    fills = {each.labels: each.token_bucket.tokens_per_fill for each in _list_descriptors(config)}
    for labels, fill in fills.items():
        most = fills.get(labels[:1], fill)
        if fill > most:
            yield (
                f"{_label_bucket(labels)}.token_bucket.tokens_per_fill",
                f"must be at most {most}, the endpoint's",
            )
    for label, route, _ in list_routes(config):
        entries = [len(limit.actions) for limit in route.route.rate_limits] if route.route else []
        if entries != sorted(entries, reverse=True):
            yield f"{label}.route.rate_limits", "must have the client's before the endpoint's"


@rule(
    "EN024",
    "a cluster that sends on more at once than the replica's share",
    reason="Envoy's own defaults are 1024 connections and 1024 waiting; a storm would reach LiteLLM and Azure whole",
    source="the PRD, NFR4; www.envoyproxy.io/docs/envoy/v1.40.0/intro/arch_overview/upstream/circuit_breaking",
).on_envoy
def circuit_breakers(config: EnvoyConfig, settings: Settings) -> Iterator[Complaint]:
    """One cluster for each endpoint and for health, with thresholds in its share."""
    names = [cluster.name for cluster in config.clusters]
    if sorted(names) != sorted((*ENDPOINTS, HEALTH)):
        yield "clusters", f"must be one for each of {', '.join(ENDPOINTS)} and {HEALTH}"
    most = dict(_list_shares(settings))
    for cluster in config.clusters:
        if cluster.name in most:
            yield from _judge_thresholds(cluster, most[cluster.name], settings)


@dataclass(frozen=True)
class Share:
    """The most that one replica sends on at once, and keeps waiting."""

    connections: int
    waiting: int


#: The health route asks for no key: enough for the platform's probes, too little for a flood.
_HEALTH_SHARE = Share(connections=4, waiting=50)


def _list_shares(settings: Settings) -> Iterator[tuple[str, Share]]:
    replicas = settings.scale.max_replicas
    yield HEALTH, _HEALTH_SHARE
    for endpoint in ENDPOINTS:
        limit = settings.endpoint_limit(endpoint)
        yield endpoint, Share(limit.parallel // replicas, limit.queue // replicas)


def _judge_thresholds(cluster: Cluster, share: Share, settings: Settings) -> Iterator[Complaint]:
    thresholds = cluster.circuit_breakers.thresholds if cluster.circuit_breakers else ()
    place = f"clusters[{cluster.name}].circuit_breakers"
    if len(thresholds) != 1:
        yield f"{place}.thresholds", "must be one"
        return
    for name, most in (("max_connections", share.connections), ("max_pending_requests", share.waiting)):
        value = getattr(thresholds[0], name)
        if value is None or value > most:
            yield f"{place}.{name}", f"must be at most {most}, a replica's share; unset, it is 1024"
    if cluster.name == HEALTH or settings.retries.attempts == 1:
        return
    if (thresholds[0].max_retries or 3) < share.connections:
        yield (
            f"{place}.max_retries",
            f"must be at least {share.connections}, so that each request can be retried; unset, it is 3",
        )


@rule(
    "EN028",
    "a connection to LiteLLM that carries a second request",
    reason="LiteLLM's server closes a connection after an error of its own, and 5 s after its last answer, also when "
    "it was too busy to see the next request: the client is told 503",
    source="measured with LiteLLM 1.106.2: metadata that is a text, a body of a million values; uvicorn's run_asgi",
).on_envoy
def connection_reuse(config: EnvoyConfig, _settings: Settings) -> Iterator[Complaint]:
    """Each request has one of its own."""
    for cluster in config.clusters:
        options = cluster.typed_extension_protocol_options.http.common_http_protocol_options
        if options is None or options.max_requests_per_connection != 1:
            yield f"clusters[{cluster.name}].max_requests_per_connection", "must be 1"


@rule(
    "EN025",
    "a body without a largest size, or a larger one than the settings say",
    reason="LiteLLM takes any body and keeps it: 60 MB raise its memory by 400 MB",
    source="measured with LiteLLM 1.106.2; "
    "www.envoyproxy.io/docs/envoy/v1.40.0/configuration/http/http_filters/buffer_filter",
).on_envoy
def body_limit(config: EnvoyConfig, settings: Settings) -> Iterator[Complaint]:
    """The buffer's limit is the settings'; embeddings have their own, of what Azure takes."""
    most = settings.request_body_limit_mib * 1024**2
    for manager in config.managers:
        if not manager.buffers:
            yield "http_filters[buffer]", f"is missing; must be there, with max_request_bytes {most}"
        for buffer in manager.buffers:
            if not 0 < buffer.max_request_bytes <= most:
                yield "http_filters[buffer].max_request_bytes", f"must be {most}, the settings' own"
    indexing = min(most, INDEXING_BODY_LIMIT_MIB * 1024**2)
    for label, route, served in list_routes(config):
        wanted = (indexing,) if served and served.endpoint == "embeddings" else ()
        if route.body_limits != wanted:
            yield (
                f"{label}.typed_per_filter_config",
                f"must set max_request_bytes {indexing}" if wanted else "must not set max_request_bytes",
            )


@rule(
    "EN026",
    "memory that is kept after a huge body",
    reason="a body of a million values takes Envoy 85 MB to read, and Envoy keeps what it once had",
    source="measured with Envoy 1.40.0; "
    "www.envoyproxy.io/docs/envoy/v1.40.0/api-v3/config/bootstrap/v3/bootstrap.proto",
).on_envoy
def released_memory(config: EnvoyConfig, _settings: Settings) -> Iterator[Complaint]:
    """Something goes back to the machine each second."""
    allocator = config.memory_allocator_manager
    if allocator is None or allocator.bytes_to_release <= 0:
        yield "memory_allocator_manager.bytes_to_release", "must be above 0"
