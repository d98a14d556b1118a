"""Who gets in: keys, headers, routes, and what the access log says of them."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from pytest_bdd import given, parsers, then, when

from aigateway.acceptance.target import Target
from aigateway.launching.keys import SLOTS, GatewayKeys
from aigateway.settings.model import Client, Settings
from aigateway.settings.values import KeySlot
from steps.access_log import wait_for_lines
from steps.answers import Outcome, describe, probe_health
from steps.gateway import Edges, Gateway, LocalControl, connect_http
from steps.wire import request


def _post(gateway: Gateway, headers: dict[str, str], marker: str, path: str = "/v1/responses") -> Outcome:
    model = "embeddings" if path == "/v1/embeddings" else "responses"
    body = {"model": getattr(gateway.settings.azure, model).model, "input": f"Reply with exactly: {marker}"}
    answer = connect_http().post(f"{gateway.base_url}{path}", json=body, headers=headers)
    return describe(answer)


def describe_credential(name: str, gateway: Gateway, target: Target) -> dict[str, str]:
    """The headers of a credential, by the name that the features use."""
    if target.stack:
        keys = target.stack.keys
        secret_of_this_run = {
            "LiteLLM's master key": keys.master,
            "the Azure key": keys.azure,
            "a key of a retired slot": _find_retired_key(gateway.settings, keys),
        }
        if name in secret_of_this_run:
            return {"Authorization": f"Bearer {secret_of_this_run[name]}"}
    return {
        "no key": {},
        "an empty key": {"Authorization": "Bearer", "x-gateway-key": ""},
        "a wrong key": {"Authorization": f"Bearer sk-{secrets.token_urlsafe(32)}"},
        "a valid key in another header": {"api-key": gateway.key, "x-api-key": gateway.key},
        "a valid key in the gateway's own header and a token in Authorization": {
            "Authorization": f"Bearer {secrets.token_urlsafe(256)}",
            "x-gateway-key": gateway.key,
        },
    }[name]


def _find_retired_key(settings: Settings, keys: GatewayKeys) -> str:
    """A key that exists, of a slot that its client's settings do not list any more."""
    return next(keys.of(client, "b") for client in settings.clients if "b" not in client.keys)


@when(parsers.parse("somebody asks with a valid key as {header}"), target_fixture="outcome")
def _(gateway: Gateway, marker: str, header: str) -> Outcome:
    name, _, form = header.partition(": ")
    return _post(gateway, {name: form.replace("KEY", gateway.key)}, marker)


@when(parsers.parse("somebody asks for embeddings with {credential}"), target_fixture="outcome")
def _(gateway: Gateway, target: Target, marker: str, credential: str) -> Outcome:
    return _post(gateway, describe_credential(credential, gateway, target), marker, "/v1/embeddings")


@when(parsers.re(r"somebody asks with (?!a valid key as)(?P<credential>.+)"), target_fixture="outcome")
def _(gateway: Gateway, target: Target, marker: str, credential: str) -> Outcome:
    return _post(gateway, describe_credential(credential, gateway, target), marker)


# --- routes


_UPGRADE = (
    ("Connection", "Upgrade"),
    ("Upgrade", "websocket"),
    ("Sec-WebSocket-Version", "13"),
    ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
)


@when("a client with a valid key asks for a WebSocket", target_fixture="outcome")
def _(gateway: Gateway) -> Outcome:
    return _ask_for_websocket(gateway, "/v1/responses")


@when(parsers.parse("a client with a valid key asks for a WebSocket at {path}"), target_fixture="outcome")
def _(gateway: Gateway, path: str) -> Outcome:
    return _ask_for_websocket(gateway, path)


def _ask_for_websocket(gateway: Gateway, path: str) -> Outcome:
    return request(gateway, "GET", path, [("Authorization", f"Bearer {gateway.key}"), *_UPGRADE])


@when(parsers.parse("a stranger asks for a WebSocket at {path}"), target_fixture="outcome")
def _(gateway: Gateway, path: str) -> Outcome:
    return request(gateway, "GET", path, _UPGRADE)


@when("a probe asks whether the gateway is healthy", target_fixture="outcome")
def _(gateway: Gateway) -> Outcome:
    return probe_health(gateway)


# --- clients and the access log


@dataclass(frozen=True)
class Asked:
    """A request of a known client, and the id that the gateway gave it."""

    client: str | None
    outcome: Outcome


@when("each client asks with each of its valid keys", target_fixture="asked")
def _(gateway: Gateway, control: LocalControl, marker: str) -> list[Asked]:
    return [
        Asked(client.name, _ask_as(gateway, control, client, slot, marker))
        for client in gateway.settings.clients
        for slot in client.keys
    ]


@when("a client asks and claims to be another", target_fixture="asked")
def _(gateway: Gateway, marker: str) -> list[Asked]:
    me, another = gateway.settings.clients[:2]
    claim = {"Authorization": f"Bearer {gateway.key}", "x-gateway-client": another.name}
    return [Asked(me.name, _post(gateway, claim, marker))]


def _ask_as(gateway: Gateway, control: LocalControl, client: Client, slot: KeySlot, marker: str) -> Outcome:
    return _post(gateway, {"Authorization": f"Bearer {control.keys.of(client, slot)}"}, marker)


@then("every request is served")
def _(asked: list[Asked]) -> None:
    assert [one.outcome.status for one in asked] == [200] * len(asked)


@when("a stranger without a key claims to be a client", target_fixture="asked")
def _(gateway: Gateway, marker: str) -> list[Asked]:
    claim = {"x-gateway-client": gateway.settings.clients[0].name}
    return [Asked(None, _post(gateway, claim, marker))]


@then("every request is refused")
def _(asked: list[Asked]) -> None:
    assert [one.outcome.status for one in asked] == [401] * len(asked)


@then("the access log names no client")
@then("the access log names the client of each request")
@then("the access log names the client whose key it was")
def _(gateway: Gateway, asked: list[Asked]) -> None:
    edge = gateway.edge
    assert edge is not None
    clients = {one.outcome.headers["x-request-id"]: one.client for one in asked}
    lines = wait_for_lines(edge, clients)
    assert {request_id: line.client for request_id, line in lines.items()} == clients


# --- rotation


@dataclass(frozen=True)
class Rotation:
    """What each key of one client got at each stage of a rotation: `statuses[stage][slot]`."""

    statuses: dict[str, dict[KeySlot, int]]


@given(parsers.parse('a client with the keys "{keys}"'), target_fixture="stages")
def _(keys: str) -> list[str]:
    return [keys]


@when(parsers.parse('its keys are changed to "{during}", and then to "{after}"'), target_fixture="rotation")
def _(
    edges: Edges,
    target: Target,
    control: LocalControl,
    marker: str,
    stages: list[str],
    during: str,
    after: str,
) -> Rotation:
    before = stages[0]
    statuses: dict[str, dict[KeySlot, int]] = {}
    for stage, keys in (("before", before), ("during", during), ("after", after)):
        client = target.settings.clients[0].model_copy(update={"keys": tuple(keys.split(" and "))})
        others = target.settings.clients[1:]
        edge = edges.start(target.settings.model_copy(update={"clients": (client, *others)}))
        statuses[stage] = {slot: _ask_as(edge, control, client, slot, marker).status for slot in SLOTS}
    return Rotation(statuses)


@then('key "a" works before and during the change, and is refused after it')
def _(rotation: Rotation) -> None:
    assert {stage: keys["a"] for stage, keys in rotation.statuses.items()} == {
        "before": 200,
        "during": 200,
        "after": 401,
    }


@then('key "b" is refused before the change, and works during and after it')
def _(rotation: Rotation) -> None:
    assert {stage: keys["b"] for stage, keys in rotation.statuses.items()} == {
        "before": 401,
        "during": 200,
        "after": 200,
    }
