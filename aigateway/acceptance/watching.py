"""Watches every client of the gateway: what its requests cost is metered, and what it sends and gets is recorded."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from aigateway.acceptance.metering import METER
from aigateway.acceptance.recording import RECORDER

Hooks = Mapping[str, list[Callable[..., Any]]]


def _join(*every: Hooks) -> dict[str, list[Callable[..., Any]]]:
    return {event: [hook for hooks in every for hook in hooks[event]] for event in ("request", "response")}


# The meter comes first: what it does not let through was not sent.

#: The event hooks of every client of httpx's or OpenAI's.
HOOKS = _join(METER.hooks, RECORDER.hooks)

#: Those of the asynchronous ones.
ASYNC_HOOKS = _join(METER.async_hooks, RECORDER.async_hooks)
