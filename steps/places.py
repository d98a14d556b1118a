"""Requests at once: the places that the gateway has for them at Azure, and the queue before those."""

from __future__ import annotations

from collections.abc import Mapping

from pytest_bdd import given, parsers, then, when

from aigateway.acceptance.target import Target
from aigateway.settings.model import EndpointLimit
from aigateway.simulator.faults import Failing, Fault, SilentStream, SlowFirstByte
from aigateway.simulator.ledger import RecordedRequest
from aigateway.waiting import wait_until
from steps.answers import OPERATIONS, assert_openai_error, attempt, read_retry_after
from steps.gateway import PATIENCE_SECONDS, Gateway, LastingEdge, LocalControl
from steps.load import Background, Flood, count_at_once, find_endpoint, flood, limit, mark_flood, send_at_once

_EVERY = 1000
_FIRST_EVENTS = 5

# Azure takes so long for a request that is one of many at once: for each place, since LiteLLM sends them on one after
# the other and all have to be there before the first is done.
_WORK_SECONDS_A_PLACE = 0.25
# And for one that holds a place meanwhile.
_HELD_SECONDS = 3.0

# Of a failure, the attempts follow each other fast: what is looked at is the place.
_SHORT_BACKOFF = {"backoff_base_seconds": 0.02, "backoff_max_seconds": 0.02}


@given(parsers.parse("a gateway with {places:d} places and a queue of {queue:d}"), target_fixture="gateway")
def _(lasting_edge: LastingEdge, target: Target, places: int, queue: int) -> Gateway:
    retries = target.settings.retries.model_copy(update=_SHORT_BACKOFF)
    limited = limit(target.settings, write_ample_limit(places, queue))
    return lasting_edge.take(limited.model_copy(update={"retries": retries}))


def write_ample_limit(places: int, queue: int = _EVERY) -> EndpointLimit:
    """The limit of a replica that lets everything through in the end, but only so many requests at once."""
    return EndpointLimit(requests_per_minute=60_000, burst=1_000, parallel=places, queue=queue)


def find_places(gateway: Gateway, operation: str) -> int:
    """How many requests the gateway lets through to Azure at once, all replicas together."""
    return gateway.settings.endpoint_limit(find_endpoint(operation)).parallel


def make_slow(operation: str, seconds: float) -> Fault:
    """Have Azure take its time: of a stream, in its middle."""
    if "streamed" in operation:
        return SilentStream(after_events=_FIRST_EVENTS, seconds=seconds, times=_EVERY)
    return SlowFirstByte(seconds=seconds, times=_EVERY)


@when(
    parsers.parse("{count:d} requests for {operation} come at once, and Azure takes its time"),
    target_fixture="flood",
)
def _(gateway: Gateway, control: LocalControl, marker: str, count: int, operation: str) -> Flood:
    seconds = find_places(gateway, operation) * _WORK_SECONDS_A_PLACE
    control.azure.inject(make_slow(operation, seconds), marker=marker)
    return send_at_once(gateway, operation, marker, count)


@then(parsers.parse("Azure worked on {count:d} of them at once, and never on more"))
def _(received: list[RecordedRequest], count: int) -> None:
    assert count_at_once(received) == count


# --- the queue


@given("requests that hold all places")
@given("a client that holds all places")
def _(gateway: Gateway, control: LocalControl, background: Background, marker: str) -> None:
    own = mark_flood(marker)
    places = find_places(gateway, "an answer")
    control.azure.inject(SlowFirstByte(seconds=_HELD_SECONDS, times=places), marker=own)
    background.start(flood([gateway], "an answer", own, places))
    taken = wait_until(
        lambda: len(control.azure.requests(marker=own)) == places, seconds=PATIENCE_SECONDS, every=0.02
    )
    assert taken, "there are fewer places than there should be"


@then(parsers.parse("{waited:d} of them wait for a place and are served"))
def _(flood: Flood, waited: int) -> None:
    assert len(flood.served) == waited


@then("the others are told at once, in OpenAI's error shape, when to come back")
def _(flood: Flood) -> None:
    soonest = min(outcome.seconds for outcome in flood.served)
    for outcome in flood.refused:
        assert outcome.status == 429
        assert_openai_error(outcome)
        assert read_retry_after(outcome) >= 1
        assert outcome.seconds < soonest, "the refusal came no sooner than a place was free"


@then("it had to wait for a place")
def _(control: LocalControl, marker: str) -> None:
    held = control.azure.requests(marker=mark_flood(marker))
    (waited,) = control.azure.requests(marker=marker)
    ends = [request.arrived + request.duration for request in held if request.duration is not None]
    assert ends, "no place was free yet"
    assert waited.arrived >= min(ends), (
        "there was a place for it: the deviation that this scenario pins is gone"
    )


# --- places are given back

_ENDINGS: Mapping[str, tuple[int, Fault | None]] = {
    "were served": (200, None),
    "Azure refused": (400, Failing(status=400, times=_EVERY)),
    "failed at Azure": (503, Failing(status=503, times=_EVERY)),
}


@given(parsers.parse("{count:d} requests for {operation} that {ending}, one after the other"))
def _(gateway: Gateway, control: LocalControl, marker: str, count: int, operation: str, ending: str) -> None:
    own = mark_flood(marker)
    status, fault = _ENDINGS[ending]
    if fault:
        control.azure.inject(fault, marker=own)
    outcomes = [attempt(lambda: OPERATIONS[operation](gateway, own)) for _ in range(count)]
    assert {outcome.status for outcome in outcomes} == {status}
