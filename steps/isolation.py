"""Gateways beside each other: of another environment, or of another project in this one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

from pytest_bdd import given, then, when

from aigateway.acceptance.target import Target
from aigateway.launching.keys import generate_keys
from aigateway.simulator.control import SimulatorControl
from steps.answers import Outcome, ask_for_answer, assert_openai_error, attempt
from steps.downtime import Spare
from steps.gateway import Edges, Gateway, LocalControl

_OTHER_PROJECT = "another"


@dataclass(frozen=True)
class Neighbour:
    """A gateway, and the Azure behind it."""

    gateway: Gateway
    azure: SimulatorControl


@given("a gateway of another environment", target_fixture="neighbours")
def _(gateway: Gateway, control: LocalControl, spare: Spare) -> list[Neighbour]:
    other = spare.take()
    return [Neighbour(gateway, control.azure), Neighbour(other.gateway, other.control.azure)]


@given("a gateway of another project in this environment", target_fixture="neighbours")
def _(gateway: Gateway, control: LocalControl, edges: Edges, target: Target) -> list[Neighbour]:
    settings = target.settings.model_copy(update={"project": _OTHER_PROJECT})
    # Its edge stands before this project's LiteLLM: only what a client can do with its key is looked at.
    keys = generate_keys(settings).model_copy(update={"master": control.keys.master})
    other = edges.start(settings, keys)
    return [Neighbour(gateway, control.azure), Neighbour(other, control.azure)]


# --- keys


@when("each of the two is asked with a key of the other one", target_fixture="outcomes")
def _(neighbours: list[Neighbour], marker: str) -> list[Outcome]:
    here, there = (neighbour.gateway for neighbour in neighbours)
    strangers = (replace(here, key=there.key), replace(there, key=here.key))
    return [attempt(partial(ask_for_answer, stranger, marker)) for stranger in strangers]


@when("each of the two is asked with a key of its own", target_fixture="outcomes")
def _(neighbours: list[Neighbour], marker: str) -> list[Outcome]:
    return [
        attempt(partial(ask_for_answer, neighbour.gateway, _mark(marker, number)))
        for number, neighbour in enumerate(neighbours)
    ]


def _mark(marker: str, number: int) -> str:
    """The word in what one of the two is asked."""
    return f"{marker}of{number}"


@then("both refuse it with status 401 in OpenAI's error shape")
def _(outcomes: list[Outcome]) -> None:
    assert [outcome.status for outcome in outcomes] == [401, 401]
    for outcome in outcomes:
        assert_openai_error(outcome)


@then("both refuse it with a 4xx in OpenAI's error shape")
def _(outcomes: list[Outcome]) -> None:
    assert [outcome.status // 100 for outcome in outcomes] == [4, 4]
    for outcome in outcomes:
        assert_openai_error(outcome)


@then("neither's Azure received anything of it")
def _(neighbours: list[Neighbour], marker: str) -> None:
    assert [neighbour.azure.requests(marker=marker) for neighbour in neighbours] == [[], []]


@then("both give their answer")
def _(outcomes: list[Outcome], marker: str) -> None:
    assert [outcome.text for outcome in outcomes] == [_mark(marker, 0), _mark(marker, 1)]


@then("each has asked its own Azure alone, with its own key and for its own deployment")
def _(neighbours: list[Neighbour], marker: str) -> None:
    for own, neighbour in enumerate(neighbours):
        for number in range(len(neighbours)):
            received = neighbour.azure.requests(marker=_mark(marker, number))
            asked = [(request.key_ok, request.body["model"]) for request in received]
            deployment = neighbour.gateway.settings.azure.responses.deployment
            assert asked == ([(True, deployment)] if number == own else [])


# --- stored responses


@given("each of the two has stored a response", target_fixture="stored")
def _(neighbours: list[Neighbour], marker: str) -> list[str]:
    return [_store(neighbour.gateway, marker) for neighbour in neighbours]


def _store(gateway: Gateway, marker: str) -> str:
    """The id of a response that was stored."""
    responses = gateway.connect().responses
    prompt = f"Reply with exactly: {marker}"
    return responses.create(model=gateway.settings.azure.responses.model, input=prompt, store=True).id


@when("each is asked for the other one's with a key of its own", target_fixture="outcomes")
def _(neighbours: list[Neighbour], stored: list[str]) -> list[Outcome]:
    here, there = (neighbour.gateway for neighbour in neighbours)
    of_here, of_there = stored
    return [attempt(partial(_read, here, of_there)), attempt(partial(_read, there, of_here))]


def _read(gateway: Gateway, response_id: str) -> str:
    return gateway.connect().responses.retrieve(response_id).output_text
