"""The responses that the service keeps (`store: true`), their items, and whose they are.

A stored response is reached by its id alone, so the store remembers the raw bodies that led to it: that is
how a marker finds the GET, the DELETE and the next turn of its own conversation, also after the response was
deleted.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import Any

Json = dict[str, Any]

_KEPT = 2_000


@dataclass(frozen=True)
class StoredResponse:
    """A response as answered, and the items (of all turns before it too) that it was answered from."""

    body: Json
    input_items: tuple[Json, ...]

    @property
    def conversation(self) -> tuple[Json, ...]:
        return (*self.input_items, *self.body["output"])


class ResponseStore:
    """Keeps the newest responses."""

    def __init__(self) -> None:
        self._responses: OrderedDict[str, StoredResponse] = OrderedDict()
        self._trails: OrderedDict[str, tuple[str, ...]] = OrderedDict()
        self._items: OrderedDict[str, Json] = OrderedDict()
        self._queued: set[str] = set()

    def put(self, stored: StoredResponse) -> None:
        self._responses[stored.body["id"]] = stored
        for item in (*stored.input_items, *stored.body["output"]):
            self._items[item["id"]] = item
        _trim(self._responses, _KEPT)
        _trim(self._items, 10 * _KEPT)

    def get(self, response_id: str) -> StoredResponse | None:
        return self._responses.get(response_id)

    def newest(self) -> StoredResponse | None:
        return next(reversed(self._responses.values()), None)

    def hold(self, response_id: str) -> None:
        """Treat a response as a background one that is still queued."""
        self._queued.add(response_id)

    def release(self, response_id: str) -> None:
        """The background response is finished."""
        self._queued.discard(response_id)

    def cancel(self, response_id: str) -> Json | None:
        """Cancel a queued response; gives its new body, None when it is not queued."""
        if response_id not in self._queued:
            return None
        self._queued.discard(response_id)
        stored = self._responses[response_id]
        body = stored.body | {"status": "cancelled", "output": [], "usage": None, "completed_at": None}
        self._responses[response_id] = replace(stored, body=body)
        return body

    def delete(self, response_id: str) -> bool:
        self._queued.discard(response_id)
        return self._responses.pop(response_id, None) is not None

    def item(self, item_id: str) -> Json | None:
        return self._items.get(item_id)

    def remember_trail(self, response_id: str, trail: tuple[str, ...]) -> None:
        self._trails[response_id] = trail
        _trim(self._trails, _KEPT)

    def trail(self, response_id: str) -> tuple[str, ...]:
        """The raw bodies that led to a response, its own first; empty when it is unknown."""
        return self._trails.get(response_id, ())

    def clear(self) -> None:
        self._responses.clear()
        self._trails.clear()
        self._items.clear()
        self._queued.clear()


def _trim(kept: OrderedDict[str, Any], limit: int) -> None:
    while len(kept) > limit:
        kept.popitem(last=False)
