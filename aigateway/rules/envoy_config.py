"""The part of Envoy's config that the edge is made of, with Envoy's own names.

Envoy refuses a field that it does not know. What is unknown here is a field that no rule looks at, and so one that
could open a door unseen: a second listener's filter, another key source, a redirect. Add it together with its rule.
Envoy goes by `@type` and not by a filter's name, so both are fixed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from aigateway.rules.shape import Items, Part

FILTER_PREFIX = "envoy.filters.http."


class SocketAddress(Part):
    """Where to listen, or whom to call; ports are placeholders until the start command fills them in."""

    address: str
    port_value: str


class Address(Part):
    """An address of any kind; only sockets are used."""

    socket_address: SocketAddress


# --- HTTP filters


class Pattern(Part):
    """A regular expression for the whole value."""

    regex: str


class StringMatch(Part):
    """What a header's value must be."""

    exact: str | None = None
    safe_regex: Pattern | None = None
    ignore_case: bool = False


class Credential(Part):
    """A client's key."""

    key: str
    client: str


class KeySource(Part):
    """Where a key is looked for."""

    header: str | None = None
    query: str | None = None
    cookie: str | None = None


class Forwarding(Part):
    """The header that carries the client's name on, and whether the key goes on with it."""

    header: str
    hide_credentials: bool = False


class ApiKeyAuth(Part):
    """Who may come in."""

    type_url: Literal["type.googleapis.com/envoy.extensions.filters.http.api_key_auth.v3.ApiKeyAuth"] = Field(
        alias="@type"
    )
    credentials: Items[Credential] = ()
    key_sources: Items[KeySource] = ()
    forwarding: Forwarding | None = None


class Fraction(Part):
    """A share: `numerator` of the denominator's number."""

    numerator: int
    denominator: Literal["HUNDRED", "TEN_THOUSAND", "MILLION"] = "HUNDRED"

    @property
    def whole(self) -> bool:
        """Whether it is everything."""
        return (
            self.numerator >= {"HUNDRED": 100, "TEN_THOUSAND": 10_000, "MILLION": 1_000_000}[self.denominator]
        )


class RuntimeFraction(Part):
    """A share that the runtime could change, had the edge one."""

    default_value: Fraction


class TokenBucket(Part):
    """How many requests may come at once, and how many more in each interval."""

    max_tokens: int
    tokens_per_fill: int = 1
    fill_interval: str


class Entry(Part):
    """A key and value that a request's descriptor must have."""

    key: str
    value: str = ""


class Descriptor(Part):
    """The requests that share a bucket."""

    entries: Items[Entry]
    token_bucket: TokenBucket

    @property
    def labels(self) -> tuple[tuple[str, str], ...]:
        """Its entries as pairs."""
        return tuple((entry.key, entry.value) for entry in self.entries)


class LocalRateLimit(Part):
    """How much may come in."""

    type_url: Literal[
        "type.googleapis.com/envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit"
    ] = Field(alias="@type")
    stat_prefix: str
    filter_enabled: RuntimeFraction | None = None
    filter_enforced: RuntimeFraction | None = None
    descriptors: Items[Descriptor] = ()


class Buffer(Part):
    """How large a request may be."""

    type_url: Literal["type.googleapis.com/envoy.extensions.filters.http.buffer.v3.Buffer"] = Field(
        alias="@type"
    )
    max_request_bytes: int


class HeaderValue(Part):
    """A header."""

    key: str
    value: str


class HeaderAppend(Part):
    """A header to set, and what to do where it is there already."""

    header: HeaderValue
    append_action: str = "APPEND_IF_EXISTS_OR_ADD"


class KeyMatcher(Part):
    """Headers by the beginning of their names."""

    prefix: str


class RemoveOnMatch(Part):
    """Headers to take away."""

    key_matcher: KeyMatcher


class Mutation(Part):
    """One step of a header mutation."""

    append: HeaderAppend | None = None
    remove: str | None = None
    remove_on_match: RemoveOnMatch | None = None


class ParameterRemoval(Part):
    """A query parameter to take away."""

    remove: str


class Mutations(Part):
    """What is done to the headers of requests and of answers, and to a request's query."""

    query_parameter_mutations: Items[ParameterRemoval] = ()
    request_mutations: Items[Mutation] = ()
    response_mutations: Items[Mutation] = ()


class HeaderMutation(Part):
    """What LiteLLM sees of the client, and the client of LiteLLM."""

    type_url: Literal[
        "type.googleapis.com/envoy.extensions.filters.http.header_mutation.v3.HeaderMutation"
    ] = Field(alias="@type")
    mutations: Mutations = Mutations()


class Transformation(Part):
    """Headers that are set from what a body says."""

    headers_mutations: Items[Mutation] = ()


class Transform(Part):
    """What the edge reads in a request's body."""

    type_url: Literal["type.googleapis.com/envoy.extensions.filters.http.transform.v3.TransformConfig"] = (
        Field(alias="@type")
    )
    request_transformation: Transformation


class HeaderCondition(Part):
    """A header that must be there, must not, or must have a value of some form."""

    name: str
    present_match: bool | None = None
    string_match: StringMatch | None = None
    treat_missing_header_as_empty: bool = False


class Permission(Part):
    """One condition."""

    header: HeaderCondition


class Permissions(Part):
    """Conditions that must all hold."""

    rules: Items[Permission]


class AndRules(Part):
    """Conditions that must all hold, under the name that Envoy gives them."""

    and_rules: Permissions


class Principal(Part):
    """Whom a policy is about: everybody, since who it is was asked before."""

    any: Literal[True]


class Policy(Part):
    """Whoever, with whatever fits one of the permissions."""

    principals: Items[Principal]
    permissions: Items[AndRules]

    @property
    def conditions(self) -> tuple[frozenset[HeaderCondition], ...]:
        """The conditions of each permission."""
        return tuple(frozenset(rule.header for rule in each.and_rules.rules) for each in self.permissions)


class Policies(Part):
    """A body, or none."""

    body: Policy
    no_body: Policy = Field(alias="no-body")


class RbacRules(Part):
    """What is let through: whatever fits one of the policies."""

    action: Literal["ALLOW"]
    policies: Policies


class Rbac(Part):
    """Which bodies LiteLLM may see."""

    type_url: Literal["type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC"] = Field(alias="@type")
    rules: RbacRules


class Note(Part):
    """Something that is remembered of an answer, under a name: a fixed value, or what was found."""

    metadata_namespace: str
    key: str
    value: str | None = None


class HeaderNote(Part):
    """What is noted when an answer has a header."""

    header: str
    on_header_present: Note


class HeaderToMetadata(Part):
    """Notes from headers."""

    type_url: Literal["type.googleapis.com/envoy.extensions.filters.http.header_to_metadata.v3.Config"] = (
        Field(alias="@type")
    )
    response_rules: Items[HeaderNote] = ()


class Selector(Part):
    """A key on the way to a value."""

    key: str


class ValueNote(Part):
    """What is noted when an event or an answer has a value, and when it has none."""

    selectors: Items[Selector]
    on_present: Note
    on_missing: Note | None = None

    @property
    def path(self) -> str:
        """Where the value stands."""
        return ".".join(selector.key for selector in self.selectors)


class ParserRule(Part):
    """A rule of the parser of events."""

    rule: ValueNote


class JsonContentParser(Part):
    """Reads an event as JSON."""

    type_url: Literal["type.googleapis.com/envoy.extensions.content_parsers.json.v3.JsonContentParser"] = (
        Field(alias="@type")
    )
    rules: Items[ParserRule]


class ContentParser(Part):
    """The parser of events."""

    name: Literal["envoy.content_parsers.json"]
    typed_config: JsonContentParser


class StreamRules(Part):
    """What is read of a stream's events, and of how large ones."""

    max_event_size: int = 8192
    content_parser: ContentParser


class SseToMetadata(Part):
    """Notes from streams."""

    type_url: Literal[
        "type.googleapis.com/envoy.extensions.filters.http.sse_to_metadata.v3.SseToMetadata"
    ] = Field(alias="@type")
    response_rules: StreamRules


class Router(Part):
    """Sends a request on."""

    type_url: Literal["type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"] = Field(
        alias="@type"
    )
    suppress_envoy_headers: bool = False


class ApiKeyAuthFilter(Part):
    """The filter that asks for a key."""

    name: Literal["envoy.filters.http.api_key_auth"]
    typed_config: ApiKeyAuth


class LocalRateLimitFilter(Part):
    """The filter that counts."""

    name: Literal["envoy.filters.http.local_ratelimit"]
    typed_config: LocalRateLimit


class BufferFilter(Part):
    """The filter that weighs."""

    name: Literal["envoy.filters.http.buffer"]
    typed_config: Buffer


class HeaderMutationFilter(Part):
    """The filter that changes headers."""

    name: Literal["envoy.filters.http.header_mutation"]
    typed_config: HeaderMutation


class CustomResponse(Part):
    """Which answers are replaced, and by what."""

    type_url: Literal[
        "type.googleapis.com/envoy.extensions.filters.http.custom_response.v3.CustomResponse"
    ] = Field(alias="@type")
    custom_response_matcher: dict[str, object]


class ValueNotes(Part):
    """What is noted of an answer's body."""

    rules: Items[ValueNote]


class JsonToMetadata(Part):
    """Notes from answers."""

    type_url: Literal[
        "type.googleapis.com/envoy.extensions.filters.http.json_to_metadata.v3.JsonToMetadata"
    ] = Field(alias="@type")
    response_rules: ValueNotes


class JsonToMetadataFilter(Part):
    """The filter that reads answers, as long as it is not told to skip them."""

    name: Literal["envoy.filters.http.json_to_metadata"]
    typed_config: JsonToMetadata


class MatchDelegate(Part):
    """A filter for some answers only, and what it skips."""

    type_url: Literal["type.googleapis.com/envoy.extensions.common.matching.v3.ExtensionWithMatcher"] = Field(
        alias="@type"
    )
    xds_matcher: dict[str, object]
    extension_config: JsonToMetadataFilter


class TransformFilter(Part):
    """The filter that reads bodies."""

    name: Literal["envoy.filters.http.transform"]
    typed_config: Transform


class RbacFilter(Part):
    """The filter that refuses them."""

    name: Literal["envoy.filters.http.rbac"]
    typed_config: Rbac


class HeaderToMetadataFilter(Part):
    """The filter that notes headers."""

    name: Literal["envoy.filters.http.header_to_metadata"]
    typed_config: HeaderToMetadata


class SseToMetadataFilter(Part):
    """The filter that notes how a stream ended."""

    name: Literal["envoy.filters.http.sse_to_metadata"]
    typed_config: SseToMetadata


class CustomResponseFilter(Part):
    """The filter that replaces answers."""

    name: Literal["envoy.filters.http.custom_response"]
    typed_config: CustomResponse


class MatchDelegateFilter(Part):
    """The filter around the one that reads answers."""

    name: Literal["envoy.filters.http.match_delegate"]
    typed_config: MatchDelegate


class RouterFilter(Part):
    """The filter that sends on, always the last."""

    name: Literal["envoy.filters.http.router"]
    typed_config: Router


HttpFilter = Annotated[
    ApiKeyAuthFilter
    | LocalRateLimitFilter
    | BufferFilter
    | TransformFilter
    | RbacFilter
    | HeaderMutationFilter
    | HeaderToMetadataFilter
    | SseToMetadataFilter
    | CustomResponseFilter
    | MatchDelegateFilter
    | RouterFilter,
    Field(discriminator="name"),
]


# --- routes


class HeaderMatch(Part):
    """A header that a request must have."""

    name: str
    string_match: StringMatch


class Tunnels(Part):
    """Requests for a tunnel, every one."""


class RouteMatch(Part):
    """The requests that a route takes."""

    path: str | None = None
    prefix: str | None = None
    path_separated_prefix: str | None = None
    safe_regex: Pattern | None = None
    connect_matcher: Tunnels | None = None
    headers: Items[HeaderMatch] = ()


class GenericKey(Part):
    """A descriptor's entry that is the same for every request."""

    descriptor_key: str
    descriptor_value: str


class RequestHeader(Part):
    """A descriptor's entry from a header."""

    header_name: str
    descriptor_key: str


class RateLimitAction(Part):
    """Makes one entry of a descriptor."""

    generic_key: GenericKey | None = None
    request_headers: RequestHeader | None = None


class RateLimit(Part):
    """Makes a descriptor, by which the request meets its buckets."""

    actions: Items[RateLimitAction]


class BackOff(Part):
    """Waits between attempts."""

    base_interval: str
    max_interval: str | None = None


class ResetHeader(Part):
    """A header of the answer that says how long to wait."""

    name: str
    format: str


class RateLimitedBackOff(Part):
    """Waits that the answer asks for."""

    reset_headers: Items[ResetHeader]
    max_interval: str | None = None


class RetryPolicy(Part):
    """What is tried again."""

    retry_on: str = ""
    retriable_status_codes: Items[int] = ()
    num_retries: int = 1
    retry_back_off: BackOff | None = None
    rate_limited_retry_back_off: RateLimitedBackOff | None = None


class RouteAction(Part):
    """Where a request goes."""

    cluster: str
    prefix_rewrite: str | None = None
    timeout: str | None = None
    rate_limits: Items[RateLimit] = ()
    retry_policy: RetryPolicy | None = None


class DirectResponse(Part):
    """What Envoy answers by itself."""

    status: int


class FilterOverride(Part):
    """What a route changes about a filter: that it is off."""

    type_url: Literal["type.googleapis.com/envoy.config.route.v3.FilterConfig"] = Field(alias="@type")
    disabled: bool = False


class BufferLimit(Part):
    """How large a request may be."""

    max_request_bytes: int


class BufferOverride(Part):
    """What a route changes about the filter that weighs: how large a request may be here."""

    type_url: Literal["type.googleapis.com/envoy.extensions.filters.http.buffer.v3.BufferPerRoute"] = Field(
        alias="@type"
    )
    buffer: BufferLimit


class Route(Part):
    """A route: what it takes, and what it does with it."""

    name: str
    match: RouteMatch
    route: RouteAction | None = None
    direct_response: DirectResponse | None = None
    typed_per_filter_config: dict[
        str, Annotated[FilterOverride | BufferOverride, Field(discriminator="type_url")]
    ] = Field(default_factory=dict)

    @property
    def disabled_filters(self) -> tuple[str, ...]:
        """Short names of the filters that are off here."""
        return tuple(
            name.removeprefix(FILTER_PREFIX)
            for name, override in self.typed_per_filter_config.items()
            if isinstance(override, FilterOverride) and override.disabled
        )

    @property
    def body_limits(self) -> tuple[int, ...]:
        """The largest request that the route takes, where it says so."""
        return tuple(
            override.buffer.max_request_bytes
            for override in self.typed_per_filter_config.values()
            if isinstance(override, BufferOverride)
        )


class VirtualHost(Part):
    """The routes of some host names."""

    name: str
    domains: Items[str]
    routes: Items[Route]


class RouteConfig(Part):
    """All routes."""

    name: str
    virtual_hosts: Items[VirtualHost]


# --- the connection manager, the listener, the clusters


class LogFormat(Part):
    """An access line: field by field."""

    json_format: dict[str, str]


class StdoutAccessLog(Part):
    """Access lines on standard output."""

    type_url: Literal["type.googleapis.com/envoy.extensions.access_loggers.stream.v3.StdoutAccessLog"] = (
        Field(alias="@type")
    )
    log_format: LogFormat


class AccessLog(Part):
    """An access logger."""

    name: Literal["envoy.access_loggers.stdout"]
    typed_config: StdoutAccessLog


class CidrRange(Part):
    """A range of addresses."""

    address_prefix: str
    prefix_len: int | None = None


class InternalAddresses(Part):
    """Who counts as a friend; with no range at all, everybody with a private address does."""

    unix_sockets: bool = False
    cidr_ranges: Items[CidrRange] = ()


class HttpOptions(Part):
    """Options of the HTTP protocol."""

    headers_with_underscores_action: str | None = None
    max_requests_per_connection: int | None = None


class UpgradeConfig(Part):
    """A protocol that may ask for an upgrade."""

    upgrade_type: str


class EarlyMutations(Part):
    """Changes to the request's headers before anything looks at them."""

    type_url: Literal[
        "type.googleapis.com/envoy.extensions.http.early_header_mutation.header_mutation.v3.HeaderMutation"
    ] = Field(alias="@type")
    mutations: Items[Mutation] = ()


class EarlyMutation(Part):
    """The extension that makes them."""

    name: Literal["envoy.http.early_header_mutation.header_mutation"]
    typed_config: EarlyMutations


class ConnectionManager(Part):
    """HTTP at the edge."""

    type_url: Literal[
        "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
    ] = Field(alias="@type")
    stat_prefix: str
    codec_type: str = "AUTO"
    server_name: str | None = None
    use_remote_address: bool = False
    skip_xff_append: bool = False
    internal_address_config: InternalAddresses | None = None
    generate_request_id: bool = True
    always_set_request_id_in_response: bool = False
    normalize_path: bool = False
    merge_slashes: bool = False
    path_with_escaped_slashes_action: str = "KEEP_UNCHANGED"
    common_http_protocol_options: HttpOptions | None = None
    request_headers_timeout: str | None = None
    stream_idle_timeout: str | None = None
    early_header_mutation_extensions: Items[EarlyMutation] = ()
    upgrade_configs: Items[UpgradeConfig] = ()
    access_log: Items[AccessLog] = ()
    # What Envoy answers by itself: fixed texts, with nothing of the request's.
    local_reply_config: dict[str, object] = Field(default_factory=dict)
    http_filters: Items[HttpFilter]
    route_config: RouteConfig

    @property
    def filter_names(self) -> tuple[str, ...]:
        """Short names of the filters, in their order."""
        return tuple(each.name.removeprefix(FILTER_PREFIX) for each in self.http_filters)

    @property
    def routes(self) -> tuple[Route, ...]:
        """The routes of every host."""
        return tuple(route for host in self.route_config.virtual_hosts for route in host.routes)

    @property
    def key_auths(self) -> tuple[ApiKeyAuth, ...]:
        """The filters that ask for a key."""
        return tuple(each.typed_config for each in self.http_filters if isinstance(each, ApiKeyAuthFilter))

    @property
    def rate_limits(self) -> tuple[LocalRateLimit, ...]:
        """The filters that count."""
        return tuple(
            each.typed_config for each in self.http_filters if isinstance(each, LocalRateLimitFilter)
        )

    @property
    def buffers(self) -> tuple[Buffer, ...]:
        """The filters that weigh."""
        return tuple(each.typed_config for each in self.http_filters if isinstance(each, BufferFilter))

    @property
    def body_notes(self) -> tuple[Mutation, ...]:
        """What is noted of a request's body."""
        return tuple(
            step
            for each in self.http_filters
            if isinstance(each, TransformFilter)
            for step in each.typed_config.request_transformation.headers_mutations
        )

    @property
    def allowed_bodies(self) -> tuple[Policies, ...]:
        """What a body must be to be let through."""
        return tuple(
            each.typed_config.rules.policies for each in self.http_filters if isinstance(each, RbacFilter)
        )

    @property
    def removed_parameters(self) -> tuple[str, ...]:
        """What is taken away from a request's query."""
        return tuple(
            parameter.remove
            for each in self._header_mutations()
            for parameter in each.mutations.query_parameter_mutations
        )

    @property
    def header_notes(self) -> tuple[HeaderNote, ...]:
        """What is noted of an answer's headers."""
        return tuple(
            note
            for each in self.http_filters
            if isinstance(each, HeaderToMetadataFilter)
            for note in each.typed_config.response_rules
        )

    @property
    def replaced_answers(self) -> tuple[dict[str, object], ...]:
        """Which answers are replaced."""
        return tuple(
            each.typed_config.custom_response_matcher
            for each in self.http_filters
            if isinstance(each, CustomResponseFilter)
        )

    @property
    def answer_readers(self) -> tuple[MatchDelegate, ...]:
        """What is read of which answers."""
        return tuple(each.typed_config for each in self.http_filters if isinstance(each, MatchDelegateFilter))

    @property
    def stream_rules(self) -> tuple[StreamRules, ...]:
        """What is noted of a stream."""
        return tuple(
            each.typed_config.response_rules
            for each in self.http_filters
            if isinstance(each, SseToMetadataFilter)
        )

    @property
    def request_mutations(self) -> tuple[Mutation, ...]:
        """What is done to a request's headers, in order."""
        return tuple(step for each in self._header_mutations() for step in each.mutations.request_mutations)

    @property
    def response_mutations(self) -> tuple[Mutation, ...]:
        """What is done to an answer's headers, in order."""
        return tuple(step for each in self._header_mutations() for step in each.mutations.response_mutations)

    def _header_mutations(self) -> Iterator[HeaderMutation]:
        for each in self.http_filters:
            if isinstance(each, HeaderMutationFilter):
                yield each.typed_config


class NetworkFilter(Part):
    """The only network filter: HTTP."""

    name: Literal["envoy.filters.network.http_connection_manager"]
    typed_config: ConnectionManager


class FilterChain(Part):
    """What handles a connection."""

    filters: Items[NetworkFilter]


class Listener(Part):
    """A door."""

    name: str
    address: Address
    per_connection_buffer_limit_bytes: int | None = None
    filter_chains: Items[FilterChain]


class Threshold(Part):
    """How much a cluster takes at once; what is not set is 1024, retries 3."""

    max_connections: int | None = None
    max_pending_requests: int | None = None
    max_retries: int | None = None


class CircuitBreakers(Part):
    """The thresholds of a cluster."""

    thresholds: Items[Threshold] = ()


class Http1(Part):
    """HTTP/1.1 with nothing set."""


class ExplicitHttp(Part):
    """HTTP/1.1, where one connection carries one request; with HTTP/2 the thresholds would mean nothing."""

    http_protocol_options: Http1


class UpstreamHttp(Part):
    """How LiteLLM is spoken to."""

    type_url: Literal["type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions"] = Field(
        alias="@type"
    )
    common_http_protocol_options: HttpOptions | None = None
    explicit_http_config: ExplicitHttp


class UpstreamOptions(Part):
    """Options of a cluster's protocols."""

    http: UpstreamHttp = Field(alias="envoy.extensions.upstreams.http.v3.HttpProtocolOptions")


class Endpoint(Part):
    """One address of a cluster."""

    address: Address


class LoadBalancedEndpoint(Part):
    """One endpoint of a cluster."""

    endpoint: Endpoint


class Locality(Part):
    """Endpoints that stand together."""

    lb_endpoints: Items[LoadBalancedEndpoint]


class LoadAssignment(Part):
    """Where a cluster is."""

    cluster_name: str
    endpoints: Items[Locality]


class Cluster(Part):
    """Whom the edge calls."""

    name: str
    type: Literal["STATIC"]
    connect_timeout: str
    circuit_breakers: CircuitBreakers | None = None
    typed_extension_protocol_options: UpstreamOptions
    load_assignment: LoadAssignment

    @property
    def addresses(self) -> tuple[SocketAddress, ...]:
        """Every address that it calls."""
        return tuple(
            member.endpoint.address.socket_address
            for locality in self.load_assignment.endpoints
            for member in locality.lb_endpoints
        )


class StaticResources(Part):
    """Listeners and clusters."""

    listeners: Items[Listener]
    clusters: Items[Cluster]


class MemoryAllocator(Part):
    """How much memory that is not used any more goes back to the machine each second."""

    bytes_to_release: int


class RuntimeLayer(Part):
    """Switches of Envoy's own."""

    name: str
    static_layer: dict[str, bool]


class LayeredRuntime(Part):
    """All switches of Envoy's own that are not left as they are."""

    layers: Items[RuntimeLayer]


class EnvoyConfig(Part):
    """A whole envoy.yaml."""

    static_resources: StaticResources
    memory_allocator_manager: MemoryAllocator | None = None
    layered_runtime: LayeredRuntime | None = None

    @property
    def switches(self) -> dict[str, bool]:
        """The switches of Envoy's own that are set."""
        layers = self.layered_runtime.layers if self.layered_runtime else ()
        return {name: value for layer in layers for name, value in layer.static_layer.items()}

    @property
    def managers(self) -> tuple[ConnectionManager, ...]:
        """HTTP of every listener."""
        return tuple(
            each.typed_config
            for listener in self.static_resources.listeners
            for chain in listener.filter_chains
            for each in chain.filters
        )

    @property
    def clusters(self) -> tuple[Cluster, ...]:
        """Whom the edge calls."""
        return self.static_resources.clusters
