"""What Envoy's template loops over: the routes, token buckets, keys and refusals of one replica's edge.

A template only writes down; every number that has to be worked out is worked out here.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from aigateway.rendering import body, stumbles
from aigateway.rendering.access_log import LogField, list_fields
from aigateway.settings.model import RateLimit, Settings
from aigateway.settings.values import ENDPOINTS, Endpoint

#: Statuses that another attempt can cure. 403 is none of them: a firewall or a policy says it again each time.
#: LiteLLM's own retries cannot tell 500 from 403, which is why Envoy does them.
RETRIED_STATUSES = (429, 500, 502, 503, 504)

#: Seconds to wait that a refusal of these statuses names when Azure named none.
FALLBACK_RETRY_AFTER_SECONDS = 5

#: Seconds that the edge waits longer than LiteLLM, so that LiteLLM's own, clearer, time-out comes first.
PATIENCE_SECONDS = 10

#: Azure takes 300,000 tokens in a request for embeddings, which as text or as numbers is less than this. LiteLLM looks
#: at every item by itself: an array of a million holds it for half a minute.
INDEXING_BODY_LIMIT_MIB = 2

_RESPONSE_ID = "[A-Za-z0-9_=-]+"


@dataclass(frozen=True)
class Route:
    """A served route: what it matches, where it goes, whether it counts against the rate limit."""

    name: str
    endpoint: Endpoint
    methods: tuple[str, ...]
    timeout_seconds: int
    path: str = ""
    pattern: str = ""
    rewrite: str = ""
    limited: bool = True

    def matches(self, method: str, path: str) -> bool:
        """Whether it serves a request; `path` is without a query."""
        served = bool(re.fullmatch(self.pattern, path)) if self.pattern else path == self.path
        return served and method in self.methods


@dataclass(frozen=True)
class Bucket:
    """A token bucket of one replica: of an endpoint or, with `client`, of one client there.

    In any 60 seconds it lets through at most `burst + refill_per_minute` requests.
    """

    endpoint: Endpoint
    client: str
    burst: int
    refill_per_minute: int


@dataclass(frozen=True)
class Cluster:
    """LiteLLM as one kind of requests sees it: `parallel` at once, `queue` more waiting."""

    name: Endpoint | Literal["health"]
    parallel: int
    queue: int


@dataclass(frozen=True)
class ClientKey:
    """One of a client's keys: the environment variable, and the Key Vault secret, that hold it."""

    client: str
    variable: str
    secret: str


@dataclass(frozen=True)
class Reply:
    """What Envoy answers by itself, chosen by the status that it would have answered, which is `status` too unless
    `instead_of` says otherwise, by response flag, or by a header that the edge has put into the request."""

    status: int
    message: str
    type: str
    code: str
    flag: str = ""
    header: str = ""
    instead_of: int = 0
    retry_after_seconds: int = 0


@dataclass(frozen=True)
class Edge:
    """Everything that Envoy's template needs beside the settings."""

    routes: tuple[Route, ...]
    buckets: tuple[Bucket, ...]
    clusters: tuple[Cluster, ...]
    keys: tuple[ClientKey, ...]
    replies: tuple[Reply, ...]
    retried_statuses: tuple[int, ...]
    retried_header_values: str
    log_fields: tuple[LogField, ...]
    body_limit_bytes: int
    indexing_body_limit_bytes: int
    idle_seconds: int
    fallback_retry_after_seconds: int
    backoff_base_seconds: float
    backoff_max_seconds: float


#: A busy gateway is healthy: its probes wait for no place of a client's.
_HEALTH = Cluster(name="health", parallel=2, queue=20)


def derive_edge(settings: Settings) -> Edge:
    """Work out one replica's edge from an environment's settings."""
    buckets = tuple(_derive_buckets(settings))
    return Edge(
        routes=_derive_routes(settings),
        buckets=buckets,
        clusters=(*(_derive_cluster(settings, endpoint) for endpoint in ENDPOINTS), _HEALTH),
        keys=tuple(
            ClientKey(client.name, variable, secret)
            for client in settings.clients
            for variable, secret in zip(client.key_variables, client.secret_names, strict=True)
        ),
        replies=_derive_replies(settings, buckets),
        retried_statuses=RETRIED_STATUSES,
        retried_header_values=", ".join(f"'{status}'" for status in RETRIED_STATUSES),
        log_fields=list_fields(settings.environment),
        body_limit_bytes=settings.request_body_limit_mib * 1024**2,
        indexing_body_limit_bytes=_derive_indexing_limit_mib(settings) * 1024**2,
        idle_seconds=settings.timeouts.stream_idle_seconds + PATIENCE_SECONDS,
        fallback_retry_after_seconds=FALLBACK_RETRY_AFTER_SECONDS,
        backoff_base_seconds=_round_duration(settings.retries.backoff_base_seconds),
        backoff_max_seconds=_round_duration(settings.retries.backoff_max_seconds),
    )


def _round_duration(seconds: float) -> float:
    """Whole milliseconds, at least one: Envoy's least back-off, and it reads no more than nine decimals."""
    return max(round(seconds, 3), 0.001)


def _derive_indexing_limit_mib(settings: Settings) -> int:
    return min(INDEXING_BODY_LIMIT_MIB, settings.request_body_limit_mib)


def _derive_cluster(settings: Settings, endpoint: Endpoint) -> Cluster:
    share = settings.endpoint_limit(endpoint).divide(settings.scale.max_replicas)
    return Cluster(name=endpoint, parallel=share.parallel, queue=share.queue)


def _derive_routes(settings: Settings) -> tuple[Route, ...]:
    coding_seconds = settings.timeouts.responses_seconds + PATIENCE_SECONDS
    stored = f"/v1/responses/{_RESPONSE_ID}"
    indexing_seconds = settings.timeouts.embeddings_seconds + PATIENCE_SECONDS
    return (
        Route("responses", "responses", ("POST",), coding_seconds, path="/v1/responses"),
        # A base URL that ends in /v1 makes Roo's native provider ask again here, and show what this route says.
        Route(
            "responses",
            "responses",
            ("POST",),
            coding_seconds,
            path="/v1/v1/responses",
            rewrite="/v1/responses",
        ),
        Route("stored-response", "responses", ("GET", "DELETE"), coding_seconds, pattern=stored),
        Route("input-items", "responses", ("GET",), coding_seconds, pattern=f"{stored}/input_items"),
        Route("cancel-response", "responses", ("POST",), coding_seconds, pattern=f"{stored}/cancel"),
        Route("chat-completions", "responses", ("POST",), coding_seconds, path="/v1/chat/completions"),
        Route("embeddings", "embeddings", ("POST",), indexing_seconds, path="/v1/embeddings"),
        Route("models", "responses", ("GET",), indexing_seconds, path="/v1/models", limited=False),
    )


def _derive_buckets(settings: Settings) -> Iterator[Bucket]:
    for endpoint in ENDPOINTS:
        whole = _derive_bucket(settings, endpoint, settings.endpoint_limit(endpoint))
        yield whole
        for client in settings.clients:
            own = _derive_bucket(settings, endpoint, settings.client_limit(client, endpoint), client.name)
            # Of the buckets that a request meets, Envoy asks the slowest first, and of equal ones the route's first.
            # So the client's refuses before the endpoint's has given anything away.
            yield replace(own, refill_per_minute=min(own.refill_per_minute, whole.refill_per_minute))


def _derive_bucket(settings: Settings, endpoint: Endpoint, limit: RateLimit, client: str = "") -> Bucket:
    """Split a replica's share into what may come at once and what trickles in, so that no 60 seconds see more."""
    share = limit.divide(settings.scale.max_replicas)
    return Bucket(endpoint, client, share.burst, share.requests_per_minute - share.burst)


def _derive_replies(settings: Settings, buckets: tuple[Bucket, ...]) -> tuple[Reply, ...]:
    next_token = max(math.ceil(60 / bucket.refill_per_minute) for bucket in buckets)
    invalid, server = "invalid_request_error", "server_error"
    return (
        Reply(
            429,
            "Too many requests are under way at once. Please retry after the time in Retry-After.",
            "requests",
            "rate_limit_exceeded",
            flag="UO",
            retry_after_seconds=1,
        ),
        Reply(
            400,
            "The request has a field that is not of OpenAI's API and would change how this gateway calls the model, "
            "such as api_key, api_version, extra_headers, timeout or num_retries. Leave it out.",
            invalid,
            "field_refused",
            header=body.REFUSED_HEADER,
        ),
        Reply(
            400,
            "The body must be a JSON object that names one model in 'model', sent as Content-Type: application/json.",
            invalid,
            "invalid_body",
            instead_of=403,
        ),
        Reply(
            400,
            "The gateway could not work with this request: a field has a type or a value that does not fit.",
            invalid,
            "invalid_request",
            instead_of=stumbles.STUMBLED_STATUS,
        ),
        # The second is what Envoy says of a transfer coding that it does not know: to try again would not help.
        *(
            Reply(
                400,
                "The gateway cannot read this request: check its path and headers.",
                invalid,
                "bad_request",
                instead_of=status,
            )
            for status in (400, 501)
        ),
        Reply(
            401,
            "Incorrect API key provided. Send this environment's key as 'Authorization: Bearer KEY' or as "
            "'x-gateway-key: KEY'.",
            invalid,
            "invalid_api_key",
        ),
        Reply(
            404,
            "No such route. This gateway serves POST /v1/responses, POST /v1/chat/completions, "
            "POST /v1/embeddings and GET /v1/models.",
            invalid,
            "not_found",
        ),
        Reply(408, "The request did not arrive in time.", invalid, "request_timeout"),
        Reply(
            413,
            f"The request is larger than the {settings.request_body_limit_mib} MiB that this gateway takes, or than "
            f"{_derive_indexing_limit_mib(settings)} MiB for embeddings.",
            invalid,
            "request_too_large",
        ),
        Reply(
            426,
            "This gateway speaks HTTP/1.1 and no WebSocket: send POST /v1/responses.",
            invalid,
            "upgrade_refused",
        ),
        Reply(
            429,
            "Rate limit reached. Please retry after the time in Retry-After.",
            "requests",
            "rate_limit_exceeded",
            retry_after_seconds=next_token,
        ),
        Reply(431, "The request's headers are too large.", invalid, "headers_too_large"),
        Reply(
            503,
            "The gateway is starting or restarting. Please retry after the time in Retry-After.",
            server,
            "gateway_unavailable",
            retry_after_seconds=FALLBACK_RETRY_AFTER_SECONDS,
        ),
        Reply(
            504,
            "The model did not answer in time.",
            server,
            "timeout",
            retry_after_seconds=FALLBACK_RETRY_AFTER_SECONDS,
        ),
    )
