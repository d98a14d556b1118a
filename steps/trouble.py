"""Trouble at Azure, and what clients of every kind see of it."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import product

from pytest_bdd import given, parsers, then, when

from aigateway.simulator.faults import (
    CutBody,
    CutStream,
    EmptyBody,
    FailedStream,
    Failing,
    Fault,
    HungUp,
    MalformedBody,
    SilentStream,
    SlowFirstByte,
    Throttled,
    WebPage,
)
from steps.answers import BUSY_SECONDS, OPERATIONS, Outcome, assert_openai_error, attempt, sum_waits
from steps.azure import ARRIVAL_SECONDS
from steps.gateway import Gateway, LocalControl

_ALWAYS = 1000
_NEVER_SECONDS = 600.0

# Of the nine events of the answers here, these come before and with the first piece of the text.
_EVENTS_BEFORE_PIECE = 2
_EVENTS_WITH_PIECE = 5
_LAST_EVENT = 8

_WHOLE = ("an answer", "a chat completion", "embeddings")
_STREAMED = ("a streamed answer", "a streamed chat completion")
_MANY = _WHOLE + _STREAMED
_AT_ONCE = 20

#: What is asked for at once, by the name that the features use.
_KINDS: Mapping[str, tuple[str, ...]] = {
    "everything": _WHOLE + _STREAMED,
    "everything that is not streamed": _WHOLE,
    "both kinds of streams": _STREAMED,
    "embeddings": ("embeddings",),
}

# Words in the markers of many requests.
_TROUBLED, _SPARED = "troubled", "spared"

#: What Azure does, by the name that the features use, so many times.
_TROUBLES: Mapping[str, Callable[[int], Fault]] = {
    "throttle": lambda times: Throttled(dialect="none", times=times),
    "fail": lambda times: Failing(500, times=times),
    "hang up": lambda times: HungUp(times=times),
    "take a second": lambda times: SlowFirstByte(1, times=times),
    "say nothing at all": lambda times: SlowFirstByte(_NEVER_SECONDS, times=times),
    "hang up in the middle of an answer": lambda times: CutBody(times=times),
    "answer with nothing": lambda times: EmptyBody(times=times),
    "answer with a web page": lambda times: WebPage(times=times),
    "answer with half of its JSON": lambda times: MalformedBody(times=times),
    "hang up before the first piece": lambda times: CutStream(
        _EVENTS_BEFORE_PIECE, ARRIVAL_SECONDS, times=times
    ),
    "hang up after the first piece": lambda times: CutStream(
        _EVENTS_WITH_PIECE, ARRIVAL_SECONDS, times=times
    ),
    "stop after the first piece as if that were all": lambda times: CutStream(
        _EVENTS_WITH_PIECE, ARRIVAL_SECONDS, cleanly=True, times=times
    ),
    "say before the first piece that it failed": lambda times: FailedStream(times=times),
    "say after the first piece that it failed": lambda times: FailedStream(after_output=True, times=times),
    "say after the first piece that it is throttled": lambda times: FailedStream(
        after_output=True, code="rate_limit_exceeded", times=times
    ),
    "send a last event that cannot be read": lambda times: MalformedBody(_LAST_EVENT, times=times),
    "fall silent for good after the first piece": lambda times: SilentStream(
        _EVENTS_WITH_PIECE, _NEVER_SECONDS, times=times
    ),
}

#: What of it is mixed among many requests.
_MIXED = (
    "throttle",
    "fail",
    "hang up",
    "take a second",
    "hang up in the middle of an answer",
    "answer with nothing",
    "hang up after the first piece",
    "say before the first piece that it failed",
)


@dataclass(frozen=True)
class Asked:
    """A request for `operation` with a marker of its own, and how it ended."""

    operation: str
    marker: str
    outcome: Outcome


def _mark(marker: str, operation: str, trouble: str = "") -> str:
    """The scenario's marker, made into one of a request's own."""
    return f"{marker}for{operation}{trouble}".replace(" ", "")


def _make_trouble(control: LocalControl, marker: str, fault: Fault) -> None:
    """Have Azure do it to each kind of request, to each as many times as the fault says."""
    for operation in _KINDS["everything"]:
        control.azure.inject(fault, marker=_mark(marker, operation))


def _ask_at_once(gateway: Gateway, requests: Iterable[tuple[str, str]]) -> tuple[Asked, ...]:
    """Ask for each operation with its own marker, all at the same time."""

    def ask(request: tuple[str, str]) -> Asked:
        operation, own = request
        return Asked(operation, own, attempt(partial(OPERATIONS[operation], gateway, own)))

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return tuple(pool.map(ask, requests))


def ask_for_everything(gateway: Gateway, marker: str) -> tuple[Asked, ...]:
    """Ask for all that there is, at the same time."""
    return _ask_at_once(gateway, [(each, _mark(marker, each)) for each in _KINDS["everything"]])


def assert_told(outcome: Outcome) -> None:
    """The client knows that it did not get its answer: a refusal, or a stream that breaks off with an error."""
    assert outcome.broken or outcome.status >= 400, f"told nothing, but given {outcome.text!r:.300}"
    # LiteLLM leaves out the type of some errors of streams.
    assert outcome.broken or outcome.body["error"]["message"]


@given(parsers.parse("Azure will once {trouble}"))
def _(control: LocalControl, marker: str, trouble: str) -> None:
    _make_trouble(control, marker, _TROUBLES[trouble](1))


@given(parsers.parse("Azure will always {trouble}"))
def _(control: LocalControl, marker: str, trouble: str) -> None:
    _make_trouble(control, marker, _TROUBLES[trouble](_ALWAYS))


@given(
    parsers.re(r"Azure will fall silent for (?P<seconds>\d+) seconds? in the middle of each stream"),
    converters={"seconds": int},
)
def _(control: LocalControl, marker: str, seconds: int) -> None:
    _make_trouble(control, marker, SilentStream(_EVENTS_WITH_PIECE, seconds, times=_ALWAYS))


@given("Azure will send a piece of the next stream that cannot be read")
def _(control: LocalControl, marker: str) -> None:
    control.azure.inject(MalformedBody(_EVENTS_WITH_PIECE), marker=marker)


@when(parsers.parse("assistants ask for {kinds} at once"), target_fixture="asked_at_once")
def _(gateway: Gateway, marker: str, kinds: str) -> tuple[Asked, ...]:
    return _ask_at_once(gateway, [(operation, _mark(marker, operation)) for operation in _KINDS[kinds]])


@when(
    parsers.re(
        r"assistants ask at once for everything that is not streamed, and Azure will (?P<often>once|always)"
    ),
    target_fixture="asked_at_once",
)
def _(
    gateway: Gateway, control: LocalControl, marker: str, often: str, datatable: list[list[str]]
) -> tuple[Asked, ...]:
    requests = []
    for (trouble,), operation in product(datatable, _WHOLE):
        own = _mark(marker, operation, trouble)
        control.azure.inject(_TROUBLES[trouble](1 if often == "once" else _ALWAYS), marker=own)
        requests.append((operation, own))
    return _ask_at_once(gateway, requests)


@then("each gets its answer")
def _(asked_at_once: Iterable[Asked]) -> None:
    for asked in asked_at_once:
        assert asked.outcome.text == asked.marker, asked


@then(parsers.parse("each is told {status:d} in OpenAI's error shape"))
def _(asked_at_once: Iterable[Asked], status: int) -> None:
    for asked in asked_at_once:
        assert asked.outcome.status == status, asked
        assert_openai_error(asked.outcome)


@then("each is told clearly that it did not get its answer")
def _(asked_at_once: Iterable[Asked]) -> None:
    for asked in asked_at_once:
        assert_told(asked.outcome)


@then("none took longer than the settings allow")
def _(asked_at_once: Iterable[Asked], gateway: Gateway) -> None:
    slowest = max(asked.outcome.seconds for asked in asked_at_once)
    # Many at once keep a busy machine twice as busy.
    assert slowest <= sum_waits(gateway) + 2 * BUSY_SECONDS


@then(parsers.re(r"Azure received (?P<count>\d+) requests? for each"), converters={"count": int})
def _(control: LocalControl, asked_at_once: Iterable[Asked], marker: str, count: int) -> None:
    assert _count_received(control, marker) == {asked.marker: count for asked in asked_at_once}


@then("Azure received none more often than the settings allow")
def _(control: LocalControl, gateway: Gateway, marker: str) -> None:
    received = _count_received(control, marker)
    assert received
    assert max(received.values()) <= gateway.settings.retries.attempts, received


@then("the error of the streamed chat completion holds a traceback, and that of the streamed answer does not")
def _(asked_at_once: Iterable[Asked]) -> None:
    broken = {asked.operation: asked.outcome.broken for asked in asked_at_once}
    assert "Traceback" in broken["a streamed chat completion"]
    assert "Traceback" not in broken["a streamed answer"]


@then("the streamed chat completion is told 500, with a message and no type")
def _(asked_at_once: Iterable[Asked]) -> None:
    (outcome,) = (asked.outcome for asked in asked_at_once if asked.operation == "a streamed chat completion")
    assert outcome.status == 500
    assert outcome.body["error"]["message"]
    assert outcome.body["error"]["type"] is None


def _count_received(control: LocalControl, marker: str) -> Counter[str]:
    """How often each request of the scenario reached Azure, by its own marker."""
    own = re.compile(rf"{marker}\w+")
    bodies = (str(request.body) for request in control.azure.requests(marker=marker))
    return Counter(found[0] for body in bodies if (found := own.search(body)))


# --- many requests, and trouble with some


@when(
    parsers.parse("{count:d} requests come, 20 at a time, and Azure makes trouble for one in ten"),
    target_fixture="asked_at_once",
)
def _(gateway: Gateway, control: LocalControl, marker: str, count: int) -> tuple[Asked, ...]:
    # The same each time, so that a failure can be repeated.
    chance = random.Random(count)  # noqa: S311 - nobody has to be unable to guess it
    troubled = set(chance.sample(range(count), count // 10))
    requests = []
    for number in range(count):
        own = f"{marker}{_TROUBLED if number in troubled else _SPARED}{number:04}"
        requests.append((chance.choice(_MANY), own))
        if number in troubled:
            fault = _TROUBLES[chance.choice(_MIXED)](chance.choice((1, _ALWAYS)))
            control.azure.inject(fault, marker=own)
    return _ask_at_once(gateway, requests)


@then("each got its own answer, or a clear error if Azure made trouble")
def _(asked_at_once: Iterable[Asked]) -> None:
    for asked in asked_at_once:
        if asked.outcome.text != asked.marker:
            assert _TROUBLED in asked.marker, f"an error without trouble: {asked}"
            assert_told(asked.outcome)


@then("Azure received each of them, and those without trouble just once")
def _(control: LocalControl, asked_at_once: Iterable[Asked], marker: str) -> None:
    received = _count_received(control, marker)
    assert received.keys() == {asked.marker for asked in asked_at_once}
    often = {own: times for own, times in received.items() if _SPARED in own and times > 1}
    assert not often, f"received more than once: {often}"
