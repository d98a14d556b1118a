"""What the gateway takes: how much it does at once, and in how much memory."""

from __future__ import annotations

import asyncio

from pytest_bdd import parsers, then, when

from aigateway.simulator.faults import SlowFirstByte
from aigateway.simulator.ledger import RecordedRequest
from steps.gateway import Gateway, LocalControl
from steps.load import Flood, count_at_once, flood

# Until LiteLLM has handed on the last of many, Azure still works on the first: so long for each, and some more.
_SECONDS_EACH = 0.05
_SECONDS_MORE = 1.5


@when(
    "as many requests come at once as a replica should take, and Azure takes its time", target_fixture="flood"
)
def _(gateway: Gateway, control: LocalControl, marker: str) -> Flood:
    count = gateway.settings.scale.concurrent_requests
    slow = SlowFirstByte(seconds=count * _SECONDS_EACH + _SECONDS_MORE, times=count)
    control.azure.inject(slow, marker=marker)
    # From all clients: a single one may be allowed less.
    return asyncio.run(flood(gateway.split_by_client(), "an answer", marker, count))


@then("Azure worked on all of them at once")
def _(received: list[RecordedRequest], gateway: Gateway) -> None:
    places = gateway.find_share(gateway.settings.endpoint_limit("responses")).parallel
    assert count_at_once(received) == gateway.settings.scale.concurrent_requests, (
        f"a replica has {places} places"
    )


@then(parsers.parse("{part} has never held more memory than its container has"))
def _(gateway: Gateway, control: LocalControl, part: str) -> None:
    scale = gateway.settings.scale
    assert gateway.edge
    parts = {"LiteLLM": (control.stack.litellm, scale.litellm), "Envoy": (gateway.edge, scale.envoy)}
    reference, size = parts[part]
    held = reference.read_peak_memory_bytes() / 1024**3
    assert held <= size.memory_gib, f"{part} held {held:.2f} GiB of {size.memory_gib:g}"
