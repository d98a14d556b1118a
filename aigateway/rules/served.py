"""The routes that the edge may have: what the gateway serves, and nothing else.

Written down here a second time on purpose: what renders the routes must not also decide which are right.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from aigateway.rules.envoy_config import Route, RouteMatch
from aigateway.settings.values import Endpoint

HEALTH_PATH = "/healthz"
METHOD_HEADER = ":method"

#: Health has a cluster of its own: a gateway whose places are all taken is healthy.
HEALTH: Literal["health"] = "health"
ClusterName = Endpoint | Literal["health"]


@dataclass(frozen=True)
class Served:
    """A route that may exist: how it is matched, and what may be done with it."""

    match: str
    methods: frozenset[str] = frozenset()
    endpoint: ClusterName | None = None
    rewrite: str | None = None
    status: int | None = None
    upgrade: bool = False
    limited: bool = False
    retried: bool = False
    open: bool = False
    #: Filters that may be off here.
    without: frozenset[str] = frozenset()

    @property
    def is_last(self) -> bool:
        """Whether it takes all that is left."""
        return self.match == "prefix /"


def _serve(match: str, methods: str, endpoint: Endpoint, rewrite: str | None = None) -> Served:
    return Served(match, frozenset(methods.split()), endpoint, rewrite, limited=True, retried=True)


SERVED: tuple[Served, ...] = (
    Served(
        f"path {HEALTH_PATH}",
        endpoint=HEALTH,
        rewrite="/health/liveliness",
        open=True,
        without=frozenset({"api_key_auth"}),
    ),
    Served("regex /.*", status=426, upgrade=True, without=frozenset({"buffer", "transform"})),
    _serve("path /v1/responses", "POST", "responses"),
    _serve("path /v1/v1/responses", "POST", "responses", rewrite="/v1/responses"),
    _serve("regex /v1/responses/[A-Za-z0-9_=-]+", "GET DELETE", "responses"),
    _serve("regex /v1/responses/[A-Za-z0-9_=-]+/input_items", "GET", "responses"),
    _serve("regex /v1/responses/[A-Za-z0-9_=-]+/cancel", "POST", "responses"),
    _serve("path /v1/chat/completions", "POST", "responses"),
    _serve("path /v1/embeddings", "POST", "embeddings"),
    Served("path /v1/models", frozenset({"GET"}), "responses", retried=True),
    Served("tunnel", status=404, without=frozenset({"buffer", "transform", "rbac"})),
    Served("prefix /", status=404, without=frozenset({"buffer", "transform", "rbac"})),
)


def find_served(route: Route) -> Served | None:
    """The entry of the list that a route is matched like, if any."""
    match, upgrade = describe_match(route.match), asks_for_upgrade(route.match)
    return next((each for each in SERVED if (each.match, each.upgrade) == (match, upgrade)), None)


def describe_match(match: RouteMatch) -> str:
    """What a route takes, in two words: `path /v1/responses`."""
    kinds = {
        "path": match.path,
        "prefix": match.prefix,
        "path_separated_prefix": match.path_separated_prefix,
        "regex": match.safe_regex.regex if match.safe_regex else None,
    }
    return ", ".join(
        ("tunnel",)
        if match.connect_matcher
        else (f"{kind} {value}" for kind, value in kinds.items() if value is not None)
    )


def asks_for_upgrade(match: RouteMatch) -> bool:
    """Whether a route takes only requests for a WebSocket."""
    return any(
        header.name == "upgrade" and header.string_match.exact == "websocket" for header in match.headers
    )


def list_methods(match: RouteMatch) -> frozenset[str] | None:
    """The methods that a route takes; None where it takes every one, or says so in a way that is not understood."""
    for header in match.headers:
        if header.name == METHOD_HEADER:
            value = header.string_match
            text = value.exact or (value.safe_regex.regex if value.safe_regex else "")
            return frozenset(text.split("|")) if re.fullmatch(r"[A-Z]+(\|[A-Z]+)*", text) else None
    return None


def label_route(index: int, route: Route) -> str:
    """How a finding names a route: `routes[3:stored-responses]`."""
    return f"routes[{index}:{route.name}]"
