"""Requests that nobody thought of: made from docs/openapi.yaml, then spoilt in a place or two.

hypothesis makes them, finds the smallest that fails, and repeats a run by its seed: `--hypothesis-seed=N`.
"""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import yaml
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from pytest_bdd import parsers, then, when

from aigateway.acceptance.profiles import SLOW
from aigateway.acceptance.target import Target
from steps.answers import Outcome, assert_openai_error
from steps.gateway import Gateway
from steps.malformed import describe_endpoints, post

Json = Any
Schema = Mapping[str, Any]

_SHORT = 12
_SEED = 1

#: Any JSON at all; what is larger is the matter of other scenarios.
_ANYTHING: SearchStrategy[Json] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=_SHORT),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=_SHORT), inner, max_size=3),
    max_leaves=6,
)


class Document:
    """The OpenAPI description, as a source of requests."""

    def __init__(self, path: Path) -> None:
        self._data = yaml.safe_load(path.read_text(encoding="utf-8"))

    def make_bodies(self, path: str) -> SearchStrategy[Json]:
        """Bodies that the description allows."""
        content = self._data["paths"][path]["post"]["requestBody"]["content"]
        return self._make(content["application/json"]["schema"])

    def _make(self, schema: Schema) -> SearchStrategy[Json]:
        if "$ref" in schema:
            return self._make(self._find(schema["$ref"]))
        if "const" in schema:
            return st.just(schema["const"])
        if "enum" in schema:
            return st.sampled_from(schema["enum"])
        if "anyOf" in schema:
            return st.one_of([self._make(one) for one in schema["anyOf"]])
        types = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
        return st.one_of([self._make_type(one, schema) for one in types])

    def _find(self, reference: str) -> Schema:
        found: Any = self._data
        for part in reference.removeprefix("#/").split("/"):
            found = found[part]
        return found  # type: ignore[no-any-return] # as the document has it

    def _make_type(self, name: str, schema: Schema) -> SearchStrategy[Json]:
        least, most = schema.get("minimum"), schema.get("maximum")
        makers: Mapping[str, Callable[[], SearchStrategy[Json]]] = {
            "null": st.none,
            "boolean": st.booleans,
            "integer": lambda: st.integers(least, most),
            "number": lambda: st.floats(least, most, allow_nan=False, allow_infinity=False),
            "string": lambda: self._make_text(schema),
            "array": lambda: st.lists(
                self._make(schema["items"]),
                min_size=schema.get("minItems", 0),
                max_size=min(3, schema.get("maxItems", 3)),
            ),
            "object": lambda: self._make_object(schema),
        }
        return makers[name]()

    def _make_text(self, schema: Schema) -> SearchStrategy[str]:
        if "pattern" in schema:
            return st.from_regex(schema["pattern"].replace("$", r"\Z"))
        return st.text(min_size=schema.get("minLength", 0), max_size=_SHORT)

    def _make_object(self, schema: Schema) -> SearchStrategy[dict[str, Json]]:
        if "properties" not in schema:
            names = st.text(min_size=1, max_size=_SHORT)
            return st.dictionaries(names, self._make(schema["additionalProperties"]), max_size=2)
        made = {name: self._make(one) for name, one in schema["properties"].items()}
        required = set(schema.get("required", ()))
        return st.fixed_dictionaries(
            {name: made[name] for name in made if name in required},
            optional={name: made[name] for name in made if name not in required},
        )


@cache
def _read_document(root: Path) -> Document:
    return Document(root / "docs" / "openapi.yaml")


def _list_places(value: Json, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where in `value` something stands: the keys and indexes that lead there."""
    yield place
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in inner:
        yield from _list_places(one, (*place, key))


@st.composite
def _spoil(draw: st.DrawFn, bodies: SearchStrategy[Json]) -> Json:
    """A body in which up to two things are something else, are missing, or are too much."""
    body = draw(bodies)
    for _ in range(draw(st.integers(0, 2))):
        place = draw(st.sampled_from(list(_list_places(body))))
        body = _change(draw, body, place)
    return body


def _change(draw: st.DrawFn, body: Json, place: tuple[Any, ...]) -> Json:
    if not place:
        return draw(_ANYTHING) if draw(st.integers(0, 9)) == 0 else body
    changed = copy.deepcopy(body)
    parent = changed
    for key in place[:-1]:
        parent = parent[key]
    match draw(st.sampled_from(("replace", "remove", "add"))):
        case "replace":
            parent[place[-1]] = draw(_ANYTHING)
        case "remove":
            del parent[place[-1]]
        case _ if isinstance(parent, dict):
            parent[draw(st.text(max_size=_SHORT))] = draw(_ANYTHING)
        case _:
            parent.append(draw(_ANYTHING))
    return changed


# --- sending them


class MadeUp:
    """So many requests for an endpoint, which are made up when they are sent."""

    def __init__(self, endpoint: str, count: int) -> None:
        self.endpoint = endpoint
        self.count = count


@when(parsers.parse("{count:d} requests to {endpoint} are made up"), target_fixture="made_up")
def _(count: int, endpoint: str) -> MadeUp:
    return MadeUp(endpoint, count)


@then("each is answered in OpenAI's shape, and none with a failure of the gateway's")
def _(gateway: Gateway, target: Target, marker: str, made_up: MadeUp, request: pytest.FixtureRequest) -> None:
    endpoint = describe_endpoints(gateway, marker)[made_up.endpoint]
    good = _read_document(target.root).make_bodies(endpoint.path)
    bodies = _spoil(good.map(lambda body: {**body, "model": endpoint.good["model"]}))
    seed = _choose_seed(request)

    @hypothesis.seed(seed)
    @hypothesis.settings(
        max_examples=made_up.count,
        deadline=None,
        database=None,
        report_multiple_bugs=False,
        suppress_health_check=list(hypothesis.HealthCheck),
        phases=[hypothesis.Phase.generate, hypothesis.Phase.shrink],
    )
    @hypothesis.given(bodies)
    def check(body: Json) -> None:
        sent = {**body, "user": marker} if isinstance(body, dict) else body
        _assert_understandable(post(gateway, endpoint.path, json.dumps(sent).encode()))

    try:
        check()
    except hypothesis.errors.Flaky as error:
        raise AssertionError(f"not each time the same ({_describe_replay(seed)}): {error!r}") from error
    except AssertionError as error:
        error.add_note(_describe_replay(seed))
        raise


def _choose_seed(request: pytest.FixtureRequest) -> int:
    """Another one in each run where there is time to look around; the core asks the same each time."""
    given = request.config.getoption("--hypothesis-seed")
    if given not in (None, "random"):
        return int(given)
    return random.getrandbits(32) if request.node.get_closest_marker(SLOW) else _SEED


def _describe_replay(seed: int) -> str:
    return f"to see it again, add --hypothesis-seed={seed}"


def _assert_understandable(outcome: Outcome) -> None:
    """An answer or a refusal in OpenAI's shape; nothing that a client would take for a failure of the gateway."""
    if outcome.status == 200:
        text = outcome.text
        events = [line.removeprefix("data: ") for line in text.splitlines() if line.startswith("data: ")]
        assert (events and events[-1] == "[DONE]") or (
            isinstance(outcome.body, dict) and "object" in outcome.body
        ), f"neither an answer nor a whole stream: {text:.300}"
        return
    assert 400 <= outcome.status < 500, f"status {outcome.status}: {outcome.text:.300}"
    assert_openai_error(outcome)
