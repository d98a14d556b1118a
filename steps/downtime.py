"""A gateway or an Azure that goes down: for a while, or for good."""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial

import httpx
import pytest
from pytest_bdd import given, parsers, then, when

from aigateway.acceptance.target import Target
from aigateway.launching.edits import Edit
from aigateway.launching.keys import generate_keys
from aigateway.settings.loading import list_environments, load_environment
from aigateway.settings.model import Azure
from aigateway.simulator.faults import Refused, SilentStream
from aigateway.waiting import wait_until
from steps.access_log import Line
from steps.answers import BUSY_SECONDS, OPERATIONS, Outcome, attempt, probe_health, sum_waits
from steps.gateway import PATIENCE_SECONDS, Edges, Gateway, LocalControl, OwnStack, Stacks
from steps.load import limit
from steps.places import write_ample_limit
from steps.trouble import Asked, ask_for_everything, assert_told

#: How long the spare gateway waits for Azure; its edge waits ten seconds longer.
_LITTLE_PATIENCE = {"responses_seconds": 4, "embeddings_seconds": 4, "stream_idle_seconds": 4}

_FIRST_PIECE_EVENTS = 5

# So many that no request waits for one: what is measured is the back-off alone.
_PLACES_WITHOUT_LITELLM = 20

_ADDRESS = """\
        cluster_name: responses
        endpoints:
          - lb_endpoints:
              - endpoint:
                  address:
                    socket_address:
                      address: 127.0.0.1
                      port_value: """

# Where answers are asked for, nobody listens; the edge's own health is still asked for where LiteLLM is.
_ELSEWHERE = Edit(file="envoy.yaml", find=f"{_ADDRESS}${{LITELLM_PORT}}\n", put=f"{_ADDRESS}1\n")

# What a busy machine may keep the edge waiting, beside its back-off.
_EDGE_BUSY_SECONDS = 2.0

# The edge ends so much before the platform would kill it.
_LAST_SECONDS = 5

# What the end of a part may take; the launchers kill it after ten seconds.
_END_SECONDS = 6

_GO_ON_ASKING = ("an answer", "a streamed answer", "a streamed chat completion", "embeddings")

# What the simulated Azure may take to listen again.
_REOPENING_SECONDS = 0.5


class Spare:
    """A gateway and an Azure that scenarios may spoil, the same one for all of a process: it starts slowly.

    It is another environment's, with keys of its own, so that it also shows what the two have to do with each other;
    and deployments are not called there as their models are, so that one name cannot stand where the other belongs.
    """

    def __init__(self, stacks: Stacks, target: Target) -> None:
        self._stacks = stacks
        settings = load_environment(target.root, _find_other(target))
        timeouts = settings.timeouts.model_copy(update=_LITTLE_PATIENCE)
        self._settings = settings.model_copy(update={"timeouts": timeouts, "azure": _rename(settings.azure)})
        self._keys = generate_keys(settings)
        self._own: OwnStack | None = None

    def take(self) -> OwnStack:
        """The gateway, started anew where a scenario has stopped it."""
        if self._own is None or not self._is_running(self._own):
            self._own = self._stacks.start(self._settings, keys=self._keys)
            self._own.stack.wait_until_ready()
            # LiteLLM loads a good deal with its first requests, for longer than its patience where others work too.
            ask_for_everything(self._own.gateway, "first")
        return self._own

    @staticmethod
    def _is_running(own: OwnStack) -> bool:
        return own.stack.litellm.is_running() and own.stack.edge.is_running()


def _rename(azure: Azure) -> Azure:
    """The same models in deployments of other names."""
    renamed = {
        "responses": azure.responses.model_copy(update={"deployment": f"{azure.responses.model}-here"}),
        "embeddings": azure.embeddings.model_copy(update={"deployment": f"{azure.embeddings.model}-here"}),
    }
    return azure.model_copy(update=renamed)


def _find_other(target: Target) -> str:
    return next(name for name in list_environments(target.root) if name != target.settings.environment)


@pytest.fixture(scope="session")
def spare(target: Target) -> Iterator[Spare]:
    """Ends with the process's last scenario."""
    if target.stack is None:
        raise LookupError("only a local run can start a gateway; tag the scenario @local alone")
    with ExitStack() as undo:
        yield Spare(Stacks(target.stack, undo), target)


@given("an Azure that this scenario may stop", target_fixture="control")
def _(spare: Spare) -> LocalControl:
    return spare.take().control


@given("in front of it a gateway with little patience", target_fixture="gateway")
def _(spare: Spare) -> Gateway:
    return spare.take().gateway


@given(parsers.parse("assistants that wait for {minutes:d} minutes"), target_fixture="gateway")
def _(gateway: Gateway, minutes: int) -> Gateway:
    return replace(gateway, patience_seconds=minutes * 60)


@then("none waited longer than the gateway's patience")
def _(asked_at_once: Iterable[Asked], gateway: Gateway) -> None:
    timeouts = gateway.settings.timeouts
    for asked in asked_at_once:
        embeddings = asked.operation == "embeddings"
        patience = timeouts.embeddings_seconds if embeddings else timeouts.responses_seconds
        assert asked.outcome.seconds <= patience + BUSY_SECONDS, asked


# --- Azure


@dataclass(frozen=True)
class Timed:
    """A request, and when it was sent and over, in seconds of the monotonic clock."""

    sent: float
    over: float
    outcome: Outcome

    @property
    def served(self) -> bool:
        """Whether it got its answer."""
        return self.outcome.status == 200 and not self.outcome.broken


@dataclass(frozen=True)
class Outage:
    """What assistants got who went on asking while Azure was down, and for a while after `end`.

    Until it was `told` to come back, it served nobody.
    """

    told: float
    end: float
    asked: Sequence[Timed]


@when(
    parsers.parse("Azure refuses all connections for {seconds:d} seconds, and assistants go on asking"),
    target_fixture="outage",
)
def _(gateway: Gateway, control: LocalControl, marker: str, seconds: int) -> Outage:
    asked: list[Timed] = []
    enough = threading.Event()

    def go_on_asking(operation: str) -> None:
        while not enough.is_set():
            sent = time.monotonic()
            outcome = attempt(partial(OPERATIONS[operation], gateway, marker))
            asked.append(Timed(sent, time.monotonic(), outcome))

    control.azure.inject(Refused(seconds + PATIENCE_SECONDS))
    soonest_end = time.monotonic() + seconds
    with ThreadPoolExecutor(len(_GO_ON_ASKING)) as pool:
        try:
            assistants = [pool.submit(go_on_asking, operation) for operation in _GO_ON_ASKING]
            # On a busy machine nobody may have got far yet.
            _wait_while(lambda: time.monotonic() < soonest_end or all(one.served for one in asked), seconds)
            # It heard that at some time between the two, which can be far from one another on a busy machine.
            told = time.monotonic()
            control.azure.inject(Refused(_REOPENING_SECONDS))
            end = time.monotonic() + _REOPENING_SECONDS
            _wait_while(lambda: not _list_after(end, asked))
        finally:
            enough.set()
    for assistant in assistants:
        assistant.result()
    return Outage(told, end, asked)


def _wait_while(condition: Callable[[], bool], seconds: float = 0.0) -> None:
    wait_until(lambda: not condition(), seconds=seconds + PATIENCE_SECONDS / 2)


def _list_after(end: float, asked: Iterable[Timed]) -> list[Timed]:
    """Those that were sent when Azure had had the time to come back."""
    return [one for one in asked if one.sent >= end + _REOPENING_SECONDS]


@then("whoever asked meanwhile was told so, or served when Azure was back")
def _(outage: Outage) -> None:
    meanwhile = [one for one in outage.asked if one.sent < outage.end]
    failed = [one.outcome for one in meanwhile if not one.served]
    assert failed, "nobody noticed that Azure was down"
    for outcome in failed:
        assert_told(outcome)
    assert all(one.over >= outage.told for one in meanwhile if one.served)


@then("whoever asked after it was served")
def _(outage: Outage) -> None:
    after = _list_after(outage.end, outage.asked)
    assert after
    for one in after:
        assert one.served, one


# --- LiteLLM


@given("an edge that cannot reach LiteLLM", target_fixture="gateway")
def _(edges: Edges, target: Target) -> Gateway:
    settings = limit(target.settings, write_ample_limit(_PLACES_WITHOUT_LITELLM))
    return edges.start(settings, edits=[_ELSEWHERE])


@then("each was tried as often as the settings allow")
def _(flood_lines: list[Line], gateway: Gateway) -> None:
    assert {line.attempts for line in flood_lines} == {gateway.settings.retries.attempts}


@then("on average it waited for half of the settings' back-off")
def _(flood_lines: list[Line], gateway: Gateway) -> None:
    # Between nothing and the whole of each back-off, Envoy waits for any time as likely as for another (its
    # JitteredExponentialBackOffStrategy): the bounds are far from what 20 requests come to by chance.
    longest = sum_waits(gateway)
    average = statistics.mean(line.duration_ms for line in flood_lines) / 1000
    assert longest / 4 <= average <= longest + _EDGE_BUSY_SECONDS, (
        f"{average:.2f} s on average, of back-offs that are {longest:g} s together"
    )


# --- the gateway itself


@dataclass(frozen=True)
class Stopped:
    """What became of an answer in the middle of which the gateway was told to stop.

    The edge ended `seconds` after it was told. How long LiteLLM takes when nothing is open is Python's affair.
    """

    answer: Outcome
    seconds: float
    refused_others: bool


@given(parsers.parse("a gateway with a grace period of {seconds:d} seconds"), target_fixture="gateway")
def _(edges: Edges, target: Target, seconds: int) -> Gateway:
    scale = target.settings.scale.model_copy(update={"termination_grace_seconds": _LAST_SECONDS + seconds})
    return edges.start(target.settings.model_copy(update={"scale": scale}))


@when(
    parsers.re(
        r"the edge is told to stop in the middle of (?P<operation>.+), "
        r"which takes (?P<seconds>\d+) seconds? more"
    ),
    converters={"seconds": int},
    target_fixture="stopped",
)
def _(
    gateway: Gateway, control: LocalControl, edges: Edges, marker: str, operation: str, seconds: int
) -> Stopped:
    control.azure.inject(SilentStream(_FIRST_PIECE_EVENTS, seconds), marker=marker)
    return _stop_during(gateway, control, marker, operation, edges.stop)


@when(
    parsers.re(
        r"both its parts are told to stop in the middle of (?P<operation>.+), "
        r"which takes (?P<seconds>\d+) seconds? more"
    ),
    converters={"seconds": int},
    target_fixture="stopped",
)
def _(
    gateway: Gateway, control: LocalControl, spare: Spare, marker: str, operation: str, seconds: int
) -> Stopped:
    control.azure.inject(SilentStream(_FIRST_PIECE_EVENTS, seconds), marker=marker)
    stack = spare.take().stack
    return _stop_during(gateway, control, marker, operation, stack.edge.stop, stack.litellm.stop)


def _stop_during(
    gateway: Gateway,
    control: LocalControl,
    marker: str,
    operation: str,
    stop_edge: Callable[[], None],
    stop_litellm: Callable[[], None] = lambda: None,
) -> Stopped:
    with ThreadPoolExecutor() as pool:
        answer = pool.submit(attempt, lambda: OPERATIONS[operation](gateway, marker))
        begun = wait_until(
            lambda: any(request.status for request in control.azure.requests(marker=marker)),
            seconds=PATIENCE_SECONDS,
        )
        assert begun, "Azure was not asked"
        told = time.monotonic()
        edge, litellm = pool.submit(stop_edge), pool.submit(stop_litellm)
        refused = wait_until(lambda: not _lets_in(gateway), seconds=BUSY_SECONDS) and not answer.done()
        edge.result()
        seconds = time.monotonic() - told
        litellm.result()
        return Stopped(answer.result(), seconds, refused)


def _lets_in(gateway: Gateway) -> bool:
    try:
        return probe_health(gateway).status == 200
    except httpx.TransportError:
        return False


@then("the assistant gets its whole answer")
def _(stopped: Stopped, marker: str) -> None:
    assert not stopped.answer.broken, stopped.answer.broken
    assert stopped.answer.text == marker


@then("the assistant is told that its answer broke off")
def _(stopped: Stopped) -> None:
    assert stopped.answer.broken, f"it got {stopped.answer}"


@then("nobody else was let in meanwhile")
def _(stopped: Stopped) -> None:
    assert stopped.refused_others


@then(
    parsers.re(r"the edge has ended (?P<seconds>\d+) seconds? after it was told, or soon after that"),
    converters={"seconds": int},
)
def _(stopped: Stopped, seconds: int) -> None:
    # The script counts in whole seconds.
    assert seconds - 1 <= stopped.seconds <= seconds + _END_SECONDS
