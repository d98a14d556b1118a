"""What docs/deploy.md says of replacing Azure's key and LiteLLM's master key, done to the real gateway.

A rotation makes a new revision beside the old one: two stacks in front of one Azure, which takes both its keys.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace

import httpx
import pytest
from conftest import ROOT
from rich.console import Console

from aigateway.launching.choice import choose_launcher
from aigateway.launching.keys import GatewayKeys, generate_keys
from aigateway.launching.stack import Stack, describe_simulator, run_stack
from aigateway.rendering.renderer import render_environment
from aigateway.simulator.control import SimulatorControl
from aigateway.simulator.server import Addresses
from aigateway.simulator.server import start as start_simulator

_SECONDS = 60


@dataclass(frozen=True)
class Rotation:
    """The old revision and the new one, both of which serve."""

    old: Stack
    new: Stack
    azure: SimulatorControl


@pytest.fixture(scope="module")
def rotation() -> Iterator[Rotation]:
    rendering = render_environment(ROOT, "dev")
    settings = rendering.settings
    launcher = choose_launcher("process", settings, Console(quiet=True))
    before = generate_keys(settings)
    fresh = generate_keys(settings)
    after = before.model_copy(update={"azure": fresh.azure, "master": fresh.master})
    config = replace(describe_simulator(settings, before.azure), second_api_key=after.azure)
    with ExitStack() as undo:
        azure = undo.enter_context(start_simulator(config, host=launcher.host_address))
        simulator = Addresses(azure.url, azure.control_url)
        old, new = (
            undo.enter_context(run_stack(ROOT, rendering, launcher, keys=keys, simulator=simulator))
            for keys in (before, after)
        )
        for stack in (old, new):
            stack.wait_until_ready()
        yield Rotation(old, new, azure.control)


def _ask(stack: Stack, **fields: object) -> httpx.Response:
    """As a client whose key stays what it was."""
    settings = stack.rendering.settings
    return httpx.post(
        f"{stack.base_url}/v1/responses",
        headers={"Authorization": f"Bearer {stack.keys.of(settings.clients[0])}"},
        json={"model": settings.azure.responses.model, "input": "Hello.", **fields},
        timeout=_SECONDS,
        trust_env=False,
    )


def _ask_litellm(stack: Stack, keys: GatewayKeys) -> int:
    host, port = stack.litellm.reference.find_address()
    return httpx.get(
        f"http://{host}:{port}/v1/models",
        headers={"Authorization": f"Bearer {keys.master}"},
        timeout=_SECONDS,
        trust_env=False,
    ).status_code


def test_both_revisions_serve_and_one_goes_on_where_the_other_left_off(rotation: Rotation) -> None:
    first = _ask(rotation.old, store=True)
    assert first.status_code == 200
    following = _ask(rotation.new, previous_response_id=first.json()["id"])
    assert following.status_code == 200
    assert {request.key_ok for request in rotation.azure.requests()} == {True}


def test_each_revision_takes_its_own_master_key_alone(rotation: Rotation) -> None:
    old, new = rotation.old, rotation.new
    assert [_ask_litellm(stack, stack.keys) for stack in (old, new)] == [200, 200]
    # Any other key would be a user's, and there is no database to look for one.
    assert [_ask_litellm(old, new.keys), _ask_litellm(new, old.keys)] == [400, 400]


def test_the_new_revision_does_without_the_key_that_azure_replaces_at_the_end(rotation: Rotation) -> None:
    rotation.azure.retire_key()
    assert _ask(rotation.new).status_code == 200
    # What who regenerates the key too early does to the requests of the old revision.
    assert _ask(rotation.old).status_code == 401
