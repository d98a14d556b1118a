"""Ways in which Azure, or an upgrade of what stands before it, could answer wrongly without an error.

Unlike a fault, a defect is no answer that a gateway has to cope with: it is there to see that the scenarios notice.
"""

from __future__ import annotations

import base64
import copy
from array import array
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from aigateway.simulator.store import Json

Events = list[Json]
Written = str | list[float]


def _keep(value: Any) -> Any:
    return value


@dataclass(frozen=True)
class Defect:
    """What becomes of a request before it is read, of an answer, of a stored one that is read back, of a stream."""

    request: Callable[[Any], Any] = _keep
    answer: Callable[[Json], Json] = _keep
    stored: Callable[[Json], Json] = _keep
    events: Callable[[Events], Events] = _keep
    held_back: bool = False
    """Whether a stream is sent when all of it is there."""
    confused: bool = False
    """Whether a response that there is not is found all the same: somebody else's."""


# --- what Azure understands


def _forget_conversation(body: Any) -> Any:
    return {**body, "previous_response_id": None} if isinstance(body, dict) else body


def _ignore_tool_results(body: Any) -> Any:
    if not isinstance(body, dict) or not isinstance(body.get("input"), list):
        return body
    return {**body, "input": [_without_output(item) for item in body["input"]]}


def _without_output(item: Any) -> Any:
    blank = isinstance(item, dict) and item.get("type") in {"function_call_output", "custom_tool_call_output"}
    return {**item, "output": ""} if blank else item


# --- answers


def _repeat_an_old_answer(answer: Json) -> Json:
    """Everybody's answer is one that was given before."""
    changed = copy.deepcopy(answer)
    for item in changed.get("output", ()):
        for part in item.get("content") or ():
            part["text"] = "as I said before"
    return changed


def _lose_usage(answer: Json) -> Json:
    return {**answer, "usage": {**(answer.get("usage") or {}), "total_tokens": 0}}


def _open_reasoning(answer: Json) -> Json:
    if "output" not in answer:
        return answer
    items = [{k: v for k, v in item.items() if k != "encrypted_content"} for item in answer["output"]]
    return {**answer, "output": items}


def _empty_output(answer: Json) -> Json:
    return {**answer, "output": []}


# --- vectors


def _rewrite_vectors(rewrite: Callable[[Written], Written]) -> Callable[[Json], Json]:
    """A change of each vector, as it is written in an answer."""

    def alter(answer: Json) -> Json:
        if answer["object"] != "list":
            return answer
        items = [{**item, "embedding": rewrite(item["embedding"])} for item in answer["data"]]
        return {**answer, "data": items}

    return alter


def _change_numbers(change: Callable[[array[float]], array[float]]) -> Callable[[Json], Json]:
    """A change of each vector's numbers; it is written as before."""

    def rewrite(written: Written) -> Written:
        changed = change(_read(written))
        return changed.tolist() if isinstance(written, list) else _write_base64(changed)

    return _rewrite_vectors(rewrite)


def _read(written: Written) -> array[float]:
    if isinstance(written, list):
        return array("f", written)
    vector = array("f")
    vector.frombytes(base64.b64decode(written))
    return vector


def _write_base64(vector: array[float]) -> str:
    return base64.b64encode(vector.tobytes()).decode()


def _reverse_vectors(answer: Json) -> Json:
    """Each vector stands at another's index."""
    if answer["object"] != "list":
        return answer
    vectors = [item["embedding"] for item in reversed(answer["data"])]
    items = [{**item, "embedding": vector} for item, vector in zip(answer["data"], vectors, strict=True)]
    return {**answer, "data": items}


# --- streams


def _join_pieces(events: Events) -> Events:
    """Everything arrives at once, in one piece."""
    joined: Events = []
    for is_piece, group in groupby(events, key=lambda event: event["type"].endswith(".delta")):
        found = list(group)
        joined += [{**found[0], "delta": "".join(event["delta"] for event in found)}] if is_piece else found
    return joined


def _reverse_numbers(events: Events) -> Events:
    return [{**event, "sequence_number": len(events) - number} for number, event in enumerate(events)]


def _drop_end(events: Events) -> Events:
    return events[:-1]


def _say_complete_at_once(events: Events) -> Events:
    """A stream begins by saying that it is complete, and never says that it failed."""
    response = {**events[-1]["response"], "status": "completed", "error": None}
    going_on = [event for event in events if event["type"] != "response.failed"]
    numbered = enumerate([{"type": "response.completed", "response": response}, *going_on])
    return [{**event, "sequence_number": number} for number, event in numbered]


def _blur_errors(events: Events) -> Events:
    """A stream that fails does not say why."""
    vague = {"code": "server_error", "message": "Something went wrong."}
    return [
        {**event, "response": {**event["response"], "error": vague}}
        if event["type"] == "response.failed"
        else event
        for event in events
    ]


#: By the name that the catalogue of sabotages uses.
DEFECTS: Mapping[str, Defect] = {
    "old-answers": Defect(answer=_repeat_an_old_answer),
    "usage-lost": Defect(answer=_lose_usage),
    "conversation-forgotten": Defect(request=_forget_conversation),
    "tool-results-ignored": Defect(request=_ignore_tool_results),
    "reasoning-not-encrypted": Defect(answer=_open_reasoning),
    "stored-answers-empty": Defect(stored=_empty_output),
    "vectors-reversed": Defect(answer=_reverse_vectors),
    "vectors-scaled": Defect(answer=_change_numbers(lambda vector: array("f", (2 * x for x in vector)))),
    "vectors-shortened": Defect(answer=_change_numbers(lambda vector: vector[:256])),
    "vectors-alike": Defect(
        answer=_change_numbers(lambda vector: array("f", [1.0, *[0.0] * (len(vector) - 1)]))
    ),
    "vectors-always-floats": Defect(answer=_rewrite_vectors(lambda written: _read(written).tolist())),
    "vectors-always-base64": Defect(answer=_rewrite_vectors(lambda written: _write_base64(_read(written)))),
    "stream-in-one-piece": Defect(events=_join_pieces),
    "stream-numbers-falling": Defect(events=_reverse_numbers),
    "stream-end-dropped": Defect(events=_drop_end),
    "stream-complete-at-once": Defect(events=_say_complete_at_once),
    "stream-errors-vague": Defect(events=_blur_errors),
    "stream-held-back": Defect(held_back=True),
    "others-responses-found": Defect(confused=True),
}
