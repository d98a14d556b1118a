"""Azure behind the gateway, simulated: what it is told to do, and what it saw."""

from __future__ import annotations

import re
import secrets

import pytest
from pytest_bdd import given, parsers, then

from aigateway.acceptance.target import Target
from aigateway.simulator.faults import (
    FailedStream,
    Failing,
    Fault,
    Filtered,
    SilentStream,
    SlowFirstByte,
    Throttled,
)
from aigateway.simulator.ledger import RecordedRequest
from steps.answers import ask_for_answer, attempt
from steps.gateway import Gateway, LocalControl

_EVERY = 1000
_MIDDLE_EVENTS = 12  # by then the first pieces of the text have been sent
_FAILURE = re.compile(r"(?P<status>\d{3})(?: with (?P<time>.+))?")
_OWN_TIME = re.compile(r"Retry-After of (?P<seconds>\d+) seconds")
_RETRY_AFTER_SECONDS = 1.0

#: So long Azure waits before it breaks off: what it has sent has then arrived.
ARRIVAL_SECONDS = 0.2

#: What LiteLLM says to a model when it is asked on /health whether the model is there (its constants.py).
_LITELLM_PROBE = "test from litellm"


def _read_failure(failure: str, times: int) -> Fault:
    """The fault that the features call, for example, "429 with Retry-After"."""
    match = _FAILURE.fullmatch(failure)
    if match is None:
        raise ValueError(f"unknown failure {failure!r}")
    status, time = int(match["status"]), match["time"]
    if status != 429:
        return Failing(status=status, times=times)
    own = _OWN_TIME.fullmatch(time)
    if own:
        return Throttled(retry_after=float(own["seconds"]), dialect="seconds", times=times)
    dialects = {"Retry-After": "seconds", "retry-after-ms": "milliseconds", "no time": "none"}
    return Throttled(retry_after=_RETRY_AFTER_SECONDS, dialect=dialects[time], times=times)  # type: ignore[arg-type] # a Literal


@given(parsers.parse("Azure will answer the next request with {failure}"))
def _(control: LocalControl, marker: str, failure: str) -> None:
    control.azure.inject(_read_failure(failure, times=1), marker=marker)


@given(parsers.parse("Azure will answer as many requests as the gateway tries with {failure}"))
def _(control: LocalControl, gateway: Gateway, marker: str, failure: str) -> None:
    control.azure.inject(_read_failure(failure, times=gateway.settings.retries.attempts), marker=marker)


@given(parsers.parse("Azure will answer every request with {failure}"))
def _(control: LocalControl, marker: str, failure: str) -> None:
    control.azure.inject(_read_failure(failure, times=_EVERY), marker=marker)


@given(parsers.parse("Azure will pause for {seconds:d} seconds in the middle of the next stream"))
def _(control: LocalControl, marker: str, seconds: int) -> None:
    control.azure.inject(SilentStream(after_events=_MIDDLE_EVENTS, seconds=seconds), marker=marker)


_SECOND = SlowFirstByte(seconds=1)


@given("Azure will take a second for the next request")
def _(control: LocalControl, marker: str) -> None:
    control.azure.inject(_SECOND, marker=marker)


@given("Azure's content filter will refuse the next request")
def _(control: LocalControl, marker: str) -> None:
    control.azure.inject(Filtered(), marker=marker)


@given("Azure will break off the next stream because of its rate limit")
def _(control: LocalControl, marker: str) -> None:
    control.azure.inject(FailedStream(after_output=True, code="rate_limit_exceeded"), marker=marker)


@given(parsers.parse("an assistant was told {failure} by Azure"))
def _(gateway: Gateway, control: LocalControl, failure: str) -> None:
    earlier = f"earlier{secrets.token_hex(6)}"
    control.azure.inject(_read_failure(failure, times=_EVERY), marker=earlier)
    outcome = attempt(lambda: ask_for_answer(gateway, earlier))
    assert outcome.status == int(failure[:3])


@pytest.fixture
def received(control: LocalControl, marker: str) -> list[RecordedRequest]:
    """What Azure received of this scenario, in order; asked for by a Then, so after the When."""
    return control.azure.requests(marker=marker)


@then(parsers.re(r"Azure received (?P<count>\d+) requests?"), converters={"count": int})
def _(received: list[RecordedRequest], count: int) -> None:
    assert len(received) == count, [(request.path, request.status) for request in received]


@then("Azure received 1 request, for which it took a second")
def _(received: list[RecordedRequest]) -> None:
    assert [request.fault for request in received] == [_SECOND.kind]


@then("Azure received one request more than the gateway tries")
def _(received: list[RecordedRequest], gateway: Gateway) -> None:
    assert len(received) == gateway.settings.retries.attempts + 1


@then("Azure received as many requests as the settings allow")
def _(received: list[RecordedRequest], gateway: Gateway) -> None:
    assert len(received) == gateway.settings.retries.attempts


@then(
    parsers.re(
        r"Azure received (?P<count>\d+) requests?, all of them to "
        r"(?P<place>its Responses API|the embeddings deployment)"
    ),
    converters={"count": int},
)
def _(received: list[RecordedRequest], gateway: Gateway, count: int, place: str) -> None:
    azure = gateway.settings.azure
    path = (
        _find_responses_path(azure.responses.api_version)
        if place == "its Responses API"
        else f"/openai/deployments/{azure.embeddings.deployment}/embeddings"
    )
    assert [request.path for request in received] == [path] * count


def _find_responses_path(api_version: str) -> str:
    return "/openai/responses" if api_version[0].isdecimal() else "/openai/v1/responses"


@then("Azure received the configured api-version, deployment and key")
def _(received: list[RecordedRequest], gateway: Gateway) -> None:
    azure = gateway.settings.azure
    assert received
    for request in received:
        assert request.key_ok, "not the environment's Azure key"
        if request.operation == "embeddings":
            assert request.query == {"api-version": azure.embeddings.api_version}
            assert f"/deployments/{azure.embeddings.deployment}/" in request.path
        else:
            assert request.query == {"api-version": azure.responses.api_version}
            assert request.body["model"] == azure.responses.deployment


@then("Azure received nothing of it")
def _(target: Target, marker: str) -> None:
    # From outside, a deployed gateway's refusal has to be believed.
    if target.stack:
        azure = LocalControl(target.stack, slot=0).azure
        assert azure.requests(marker=marker) == []
        # A request with no body carries no marker, and no operation of Azure's that we use.
        assert azure.requests(operation="other") == []


@then("no model was called to find out")
def _(control: LocalControl) -> None:
    assert control.azure.requests(marker=_LITELLM_PROBE) == []


@then("Azure was asked for vectors of the configured dimensions")
def _(received: list[RecordedRequest], gateway: Gateway) -> None:
    embeddings = gateway.settings.azure.embeddings
    assert received
    # Without a word of it, Azure gives all that the model has.
    asked = {request.body.get("dimensions", embeddings.full_dimensions) for request in received}
    assert asked == {embeddings.dimensions}


@then("Azure's requests lay at least as far apart as it had asked for")
def _(received: list[RecordedRequest]) -> None:
    assert len(received) == 2
    first, second = received
    assert second.arrived - first.arrived >= _RETRY_AFTER_SECONDS
