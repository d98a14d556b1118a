"""Rules on the edge's retries and time-outs: bounded, and only of what another attempt can cure."""

from __future__ import annotations

import re
from collections.abc import Iterator

from aigateway.rules.doors import list_routes
from aigateway.rules.envoy_config import EnvoyConfig, RetryPolicy
from aigateway.rules.rule import Complaint, rule
from aigateway.settings.model import Settings

#: 400, 401, 403, 404: the next attempt is refused again. 408 and 409 are LiteLLM's own, and may have cost tokens.
RETRIABLE = (429, 500, 502, 503, 504)
_CONDITIONS = ("retriable-status-codes", "connect-failure", "reset-before-request")

_DURATION = re.compile(r"(\d+(?:\.\d+)?(?:e-?\d+)?)s")


def read_seconds(text: str | None) -> float | None:
    """A duration such as `0.5s`; None where there is none."""
    matched = _DURATION.fullmatch(text or "")
    return float(matched[1]) if matched else None


def _list_policies(config: EnvoyConfig) -> Iterator[tuple[str, RetryPolicy]]:
    for label, route, _ in list_routes(config):
        if route.route and route.route.retry_policy:
            yield f"{label}.route.retry_policy", route.route.retry_policy


@rule(
    "EN040",
    "a retry of what another attempt cannot cure",
    reason="400, 401, 403 and 404 are refused again each time; 5xx as Envoy means it, and a reset after the request "
    "was sent, repeat what may have been done and paid for",
    source="the PRD, FR5; www.envoyproxy.io/docs/envoy/v1.40.0/configuration/http/http_filters/router_filter",
).on_envoy
def retried_failures(config: EnvoyConfig, _settings: Settings) -> Iterator[Complaint]:
    """Exact statuses, and failures before the request was sent."""
    for place, policy in _list_policies(config):
        conditions = [part.strip() for part in policy.retry_on.split(",") if part.strip()]
        if not set(conditions) <= set(_CONDITIONS):
            yield f"{place}.retry_on", f"must be of {', '.join(_CONDITIONS)}"
        if not set(policy.retriable_status_codes) <= set(RETRIABLE):
            yield f"{place}.retriable_status_codes", f"must be of {', '.join(map(str, RETRIABLE))}"


@rule(
    "EN041",
    "retries other than the settings', or without a bounded wait",
    reason="too many attempts make a storm worse and cost tokens each; too few break the promise; Envoy's default wait "
    "of 25 ms helps with no 429",
    source="the PRD, FR5; "
    "www.envoyproxy.io/docs/envoy/v1.40.0/api-v3/config/route/v3/route_components.proto#config-route-v3-retrypolicy",
).on_envoy
def bounded_retries(config: EnvoyConfig, settings: Settings) -> Iterator[Complaint]:
    """As many as the settings say, on every route that goes to a model, each after a wait."""
    further = settings.retries.attempts - 1
    for label, route, served in list_routes(config):
        if route.route is None:
            continue
        policy, place = route.route.retry_policy, f"{label}.route.retry_policy"
        if policy is None:
            if served and served.retried and further:
                yield place, f"is missing; the settings ask for {further} more attempts"
        elif policy.num_retries != further:
            yield f"{place}.num_retries", f"must be {further}, the settings' attempts without the first"
        else:
            yield from _judge_waits(place, policy, settings)


def _judge_waits(place: str, policy: RetryPolicy, settings: Settings) -> Iterator[Complaint]:
    longest = read_seconds(policy.retry_back_off.max_interval) if policy.retry_back_off else None
    if longest is None or longest > settings.retries.backoff_max_seconds:
        yield (
            f"{place}.retry_back_off.max_interval",
            f"must be there, at most {settings.retries.backoff_max_seconds:g}s",
        )
    limited = policy.rate_limited_retry_back_off
    # Unset, Envoy waits up to 300 s for what Azure asks.
    longest = read_seconds(limited.max_interval) if limited else 0
    if longest is None or longest > settings.retries.retry_after_max_seconds:
        yield (
            f"{place}.rate_limited_retry_back_off.max_interval",
            f"must be there, at most {settings.retries.retry_after_max_seconds}s; unset, it is 300 s",
        )


@rule(
    "EN042",
    "a route without a time-out",
    reason="unset, Envoy cuts a request after 15 s, and with it most answers of a reasoning model; 0s is for ever",
    source="www.envoyproxy.io/docs/envoy/v1.40.0/faq/configuration/timeouts",
).on_envoy
def route_timeouts(config: EnvoyConfig, _settings: Settings) -> Iterator[Complaint]:
    """Every route that goes to a model ends; the health route has Envoy's 15 s."""
    for label, route, served in list_routes(config):
        if route.route is None or (served and served.open and route.route.timeout is None):
            continue
        if not read_seconds(route.route.timeout):
            yield f"{label}.route.timeout", "must be there, and not 0s"
