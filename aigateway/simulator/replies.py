"""What the model is to answer next, as scripted by a scenario; without a script `model` decides."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pydantic import TypeAdapter
from pydantic.dataclasses import dataclass


@dataclass(frozen=True)
class ToolCall:
    """A call of one of the request's tools; `arguments` is raw input for a custom tool, an object for a
    function."""

    name: str
    arguments: dict[str, Any] | str


@dataclass(frozen=True)
class Reply:
    """One answer: text, or tool calls, or both (text first)."""

    text: str | None = None
    calls: tuple[ToolCall, ...] = ()


REPLY_JSON: TypeAdapter[Reply] = TypeAdapter(Reply)


class ReplyQueue:
    """Scripted answers, given in order, each once, to requests that carry its marker (or to any)."""

    def __init__(self) -> None:
        self._waiting: list[tuple[str | None, Reply]] = []

    def add(self, reply: Reply, marker: str | None) -> None:
        self._waiting.append((marker, reply))

    def take(self, marked: Callable[[str], bool]) -> Reply | None:
        for place, (marker, reply) in enumerate(self._waiting):
            if marker is None or marked(marker):
                del self._waiting[place]
                return reply
        return None

    def clear(self, marker: str | None) -> None:
        self._waiting = [] if marker is None else [pair for pair in self._waiting if pair[0] != marker]
