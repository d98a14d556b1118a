"""Rules on the edge's routes: what is served, and that nothing else is."""

from __future__ import annotations

from collections.abc import Iterator

from aigateway.rendering.renderer import ENVOY
from aigateway.rules.envoy_config import ConnectionManager, EnvoyConfig, Route
from aigateway.rules.rule import Complaint, Finding, rule
from aigateway.rules.served import (
    SERVED,
    Served,
    asks_for_upgrade,
    describe_match,
    find_served,
    label_route,
    list_methods,
)
from aigateway.rules.subject import Subject
from aigateway.settings.model import Settings

FILTER_ORDER = (
    "api_key_auth",
    "local_ratelimit",
    "buffer",
    "transform",
    "rbac",
    "header_mutation",
    "header_to_metadata",
    "sse_to_metadata",
    "custom_response",
    "match_delegate",
    "router",
)

#: What Envoy can be told about itself: this, and nothing else.
STRICT = {"envoy.reloadable_features.strict_chunk_parsing": True}


def list_routes(config: EnvoyConfig) -> Iterator[tuple[str, Route, Served | None]]:
    """Every route, with its name in findings and what it may be."""
    for manager in config.managers:
        for index, route in enumerate(manager.routes):
            yield label_route(index, route), route, find_served(route)


@rule(
    "EN001",
    "a field that no rule looks at",
    reason="Envoy takes every field that it knows; one that is not judged here could open a door, a log or a limit",
    source="www.envoyproxy.io/docs/envoy/v1.40.0/configuration/best_practices/edge",
).on_subject
def unknown_fields(subject: Subject) -> Iterator[Finding]:
    """Fields outside of what the edge is made of."""
    for misfit in subject.envoy.misfits:
        if misfit.unknown:
            yield Finding(
                subject.files[ENVOY],
                misfit.path,
                f"is unknown to the rules{misfit.message}; correct it, remove it, or give it a rule in aigateway/rules",
            )


@rule(
    "EN002",
    "a value of the wrong type, or a missing one",
    reason="what cannot be read as the edge's config cannot be judged",
    source="www.envoyproxy.io/docs/envoy/v1.40.0/api-v3/config/bootstrap/v3/bootstrap.proto",
).on_subject
def wrong_fields(subject: Subject) -> Iterator[Finding]:
    """Values that do not fit."""
    for misfit in subject.envoy.misfits:
        if not misfit.unknown:
            yield Finding(subject.files[ENVOY], misfit.path, misfit.message)


@rule(
    "EN003",
    "a second way in",
    reason="every rule on routes, keys and limits is about one list of routes, reached through one listener",
    source="www.envoyproxy.io/docs/envoy/v1.40.0/intro/arch_overview/listeners/listeners",
).on_envoy
def single_entrance(config: EnvoyConfig, _settings: Settings) -> Iterator[Complaint]:
    """One listener, one chain, one HTTP filter, one host that takes every name."""
    listeners = config.static_resources.listeners
    if len(listeners) != 1 or len(config.managers) != 1:
        yield "static_resources.listeners", "must be one, with one filter chain of one filter"
    for manager in config.managers:
        hosts = manager.route_config.virtual_hosts
        if len(hosts) != 1 or hosts[0].domains != ("*",):
            yield "route_config.virtual_hosts", 'must be one, with domains ["*"]'


@rule(
    "EN004",
    "filters missing, twice, or in another order",
    reason="the key is checked before anything is counted, so that strangers use up nobody's limit; the client's name "
    "that the limit counts by comes from the key; LiteLLM's key is put in when the client's and the body were "
    "checked; answers go through them backwards, so what the log needs of LiteLLM's headers is noted before it is "
    "taken away",
    source="www.envoyproxy.io/docs/envoy/v1.40.0/intro/arch_overview/http/http_filters",
).on_envoy
def filter_order(config: EnvoyConfig, _settings: Settings) -> Iterator[Complaint]:
    """The filters, each once, in their order."""
    for manager in config.managers:
        if manager.filter_names != FILTER_ORDER:
            yield (
                "http_filters",
                f"are {', '.join(manager.filter_names) or 'none'}; must be {', '.join(FILTER_ORDER)}",
            )


@rule(
    "EN010",
    "a route that is not a served endpoint",
    reason="LiteLLM has a thousand routes; /model/info tells Azure's address, /health spends tokens, /login tells "
    "whether a key is right",
    source="the PRD, FR1; measured with LiteLLM 1.106.2 (1,023 routes, 51 of them answer without a key)",
).on_envoy
def served_routes(config: EnvoyConfig, _settings: Settings) -> Iterator[Complaint]:
    """Each route is on the list, and goes where the list says."""
    clusters = {cluster.name for cluster in config.clusters}
    for label, route, served in list_routes(config):
        if served is None:
            yield (
                f"{label}.match",
                f"takes {describe_match(route.match) or 'what nobody can tell'}, which is not served; remove it",
            )
        elif served.status is not None:
            if route.route or not route.direct_response or route.direct_response.status != served.status:
                yield label, f"must be a direct_response with status {served.status}"
        elif route.route is None or route.direct_response:
            yield label, "must go to LiteLLM"
        else:
            wanted = {served.endpoint} if served.endpoint else clusters
            if route.route.cluster not in wanted:
                yield f"{label}.route.cluster", f"must be {' or '.join(sorted(map(str, wanted)))}"
            if route.route.prefix_rewrite != served.rewrite:
                yield f"{label}.route.prefix_rewrite", f"must be {served.rewrite or 'left out'}"


@rule(
    "EN011",
    "a served endpoint that has no route",
    reason="clients that ask for it get 404",
    source="the PRD, FR1",
).on_envoy
def missing_routes(config: EnvoyConfig, _settings: Settings) -> Iterator[Complaint]:
    """Each entry of the list has its route."""
    present = {served for _, _, served in list_routes(config)}
    for served in SERVED:
        if served not in present and not served.is_last:
            yield (
                "routes",
                f"have none for {served.match}{' with an upgrade' if served.upgrade else ''}; add it",
            )


@rule(
    "EN012",
    "a last route other than the 404, or a prefix before it",
    reason="Envoy takes the first route that matches: without the 404 at the end, or with a prefix such as "
    "/v1/responses (which takes /v1/responsesX too), requests come through that nobody meant to serve",
    source="www.envoyproxy.io/docs/envoy/v1.40.0/intro/arch_overview/http/http_routing",
).on_envoy
def last_route(config: EnvoyConfig, _settings: Settings) -> Iterator[Complaint]:
    """The 404 is the last one, and the only one with a prefix."""
    for manager in config.managers:
        *before, last = (*manager.routes,) or (None,)
        served = find_served(last) if last else None
        if served is None or not served.is_last:
            yield "routes", "must end with the one of prefix / that answers 404"
        for index, route in enumerate(route for route in before if route):
            if route.match.prefix is not None or route.match.path_separated_prefix is not None:
                yield (
                    f"{label_route(index, route)}.match",
                    "is a prefix; must be a path or a regex for the whole path",
                )


@rule(
    "EN013",
    "a route that takes methods beyond those of its endpoint",
    reason="the same path does other things with other methods, and a route without a method takes them all",
    source="the PRD, FR1; www.envoyproxy.io/docs/envoy/v1.40.0/api-v3/config/route/v3/route_components.proto",
).on_envoy
def methods(config: EnvoyConfig, _settings: Settings) -> Iterator[Complaint]:
    """Each served route names its methods."""
    for label, route, served in list_routes(config):
        if served is None or not served.methods:
            continue
        taken = list_methods(route.match)
        if taken is None or not taken <= served.methods:
            yield (
                f"{label}.match.headers",
                f"must match :method with {'|'.join(sorted(served.methods))} and no other",
            )


@rule(
    "EN014",
    "a route that asks for no key",
    reason="only the platform's probes have none; whatever else is open, anybody on the internet can use",
    source="the PRD, FR3; www.envoyproxy.io/docs/envoy/v1.40.0/configuration/http/http_filters/api_key_auth_filter",
).on_envoy
def open_routes(config: EnvoyConfig, _settings: Settings) -> Iterator[Complaint]:
    """The key is asked for everywhere but at the health route."""
    return _find_disabled(config, ("api_key_auth",))


@rule(
    "EN015",
    "a route with a filter turned off",
    reason="without its filter a route has no limit, no largest body, or sends what a client chooses to LiteLLM",
    source="the PRD, FR5 and NFR2; www.envoyproxy.io/docs/envoy/v1.40.0/intro/arch_overview/http/http_filters",
).on_envoy
def disabled_filters(config: EnvoyConfig, _settings: Settings) -> Iterator[Complaint]:
    """The other filters hold for every route; the 426 would wait for the end of a body that never ends, and what
    is not served is no matter of its body."""
    return _find_disabled(config, FILTER_ORDER[1:])


def _find_disabled(config: EnvoyConfig, filters: tuple[str, ...]) -> Iterator[Complaint]:
    for label, route, served in list_routes(config):
        for name in route.disabled_filters:
            if name in filters and not (served and name in served.without):
                yield f"{label}.typed_per_filter_config", f"turns {name} off; it must stay on here"


@rule(
    "EN016",
    "paths that can be written in several ways",
    reason="with `..`, `//` or %2F the edge and LiteLLM read different paths, and other routes are reached",
    source="www.envoyproxy.io/docs/envoy/v1.40.0/configuration/best_practices/edge",
).on_envoy
def path_forms(config: EnvoyConfig, _settings: Settings) -> Iterator[Complaint]:
    """Paths are made one of a kind before they are matched."""
    for manager in config.managers:
        yield from _judge_paths(manager)


def _judge_paths(manager: ConnectionManager) -> Iterator[Complaint]:
    if not manager.normalize_path:
        yield "normalize_path", "must be true"
    if not manager.merge_slashes:
        yield "merge_slashes", "must be true"
    if manager.path_with_escaped_slashes_action != "REJECT_REQUEST":
        yield "path_with_escaped_slashes_action", "must be REJECT_REQUEST"


@rule(
    "EN018",
    "more of HTTP than clients speak",
    reason="each version has ways of its own to hide a request in another; without the switch Envoy takes what stands "
    "between a chunk and the end of its line for nothing, and who stands before it may take it for a request",
    source="measured with Envoy 1.40.0; RFC 9112, section 7.1",
).on_envoy
def http_versions(config: EnvoyConfig, _settings: Settings) -> Iterator[Complaint]:
    """HTTP/1.1 alone, read strictly."""
    for manager in config.managers:
        if manager.codec_type != "HTTP1":
            yield "codec_type", "must be HTTP1"
    if config.switches != STRICT:
        yield "layered_runtime", f"must set {', '.join(STRICT)} to true, and nothing else"


@rule(
    "EN017",
    "upgrades of other kinds, or a WebSocket that reaches LiteLLM",
    reason="LiteLLM accepts a WebSocket on /v1/responses and then breaks it, and on any other path the buffer filter "
    "waits until the line has been idle too long, without a key on the health path; after an upgrade no filter sees "
    "anything",
    source="measured with LiteLLM 1.106.2; www.envoyproxy.io/docs/envoy/v1.40.0/intro/arch_overview/http/upgrades",
).on_envoy
def upgrades(config: EnvoyConfig, _settings: Settings) -> Iterator[Complaint]:
    """An upgrade is let in only to be refused with 426, before any route that leads to LiteLLM."""
    for manager in config.managers:
        for index, upgrade in enumerate(manager.upgrade_configs):
            if upgrade.upgrade_type != "websocket":
                yield f"upgrade_configs[{index}]", "must be websocket, or not there"
        yield from _judge_upgrade_order(manager)


def _judge_upgrade_order(manager: ConnectionManager) -> Iterator[Complaint]:
    if not manager.upgrade_configs:
        return
    for index, route in enumerate(manager.routes):
        if asks_for_upgrade(route.match) and route.direct_response:
            return
        if route.route:
            yield label_route(index, route), "must come after the route that answers an upgrade with 426"
