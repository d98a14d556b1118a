"""Codebase indexing as Roo does it: segments, batches, vectors, and the search that they are for."""

from __future__ import annotations

import base64
import math
import operator
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import pytest
from pytest_bdd import given, parsers, then, when

from aigateway.acceptance.target import Target
from aigateway.rehearsing.roo import BATCH_SEGMENTS, BATCHES_AT_ONCE, gather_batches
from steps.gateway import Gateway, connect_http

# What Roo sends: batches of 60 segments of 50 to 1000 characters, 10 batches at once, base64, never `dimensions`.
_SEGMENT_CHARACTERS = 1000

# Real vectors of the same text differ in the last digits from call to call.
_SAME = 1e-3

Item = TypeVar("Item")

if TYPE_CHECKING:
    Vector = array[float]
else:
    Vector = array  # subscriptable only from Python 3.12


@dataclass(frozen=True)
class Embedded:
    """An answer of /v1/embeddings: the vectors, and whether they came as floats or as base64."""

    vectors: tuple[Vector, ...]
    form: str


@dataclass(frozen=True)
class Index:
    """A searchable codebase: each segment's file and vector."""

    files: tuple[str, ...]
    vectors: tuple[Vector, ...]

    def find(self, question: Vector) -> str:
        """The file of the segment that lies nearest."""
        scores = [_similarity(question, vector) for vector in self.vectors]
        return self.files[scores.index(max(scores))]


def embed(
    gateway: Gateway,
    segments: Sequence[str],
    form: str | None = "base64",
    headers: Mapping[str, str] | None = None,
) -> Embedded:
    """Ask for a vector of each segment, as a client that is not OpenAI's own does: just what it means to send."""
    body: dict[str, object] = {"input": list(segments), "model": gateway.settings.azure.embeddings.model}
    if form:
        body["encoding_format"] = form
    answer = connect_http().post(
        f"{gateway.base_url}/v1/embeddings",
        json=body,
        headers={"Authorization": f"Bearer {gateway.key}", **(headers or {})},
    )
    embedded = read_embedded(answer.raise_for_status().json())
    assert len(embedded.vectors) == len(segments)
    return embedded


def read_embedded(answer: Mapping[str, Any]) -> Embedded:
    """The vectors of an answer, which must stand in the order of what was asked for."""
    items = answer["data"]
    assert [item["index"] for item in items] == list(range(len(items)))
    raw = [item["embedding"] for item in items]
    return Embedded(
        tuple(_read_vector(value) for value in raw), "base64" if isinstance(raw[0], str) else "floats"
    )


def _read_vector(value: str | list[float]) -> Vector:
    if isinstance(value, str):
        vector = array("f")
        vector.frombytes(base64.b64decode(value, validate=True))
        return vector
    return array("f", value)


@pytest.fixture
def segments(marker: str) -> list[str]:
    """A batch of segments, each about something else."""
    return [
        f"// {marker}\nfunction step{number}() {{ return {number}; }}" for number in range(BATCH_SEGMENTS)
    ]


_FORMS = {"floats": "float", "base64": "base64", "no particular form": None}


@when(parsers.parse("the indexer asks for one vector as {form}"), target_fixture="embedded")
def _(gateway: Gateway, segments: list[str], form: str) -> Embedded:
    return embed(gateway, segments[:1], _FORMS[form])


@then(
    parsers.parse("it gets one vector of the configured dimensions and unit length, as {form}"),
)
def _(embedded: Embedded, gateway: Gateway, form: str) -> None:
    (vector,) = embedded.vectors
    assert embedded.form == form
    assert len(vector) == gateway.settings.azure.embeddings.dimensions
    assert math.hypot(*vector) == pytest.approx(1, abs=1e-3)


@when(parsers.parse("the indexer sends a batch of {count:d} segments as Roo does"), target_fixture="batches")
def _(gateway: Gateway, segments: list[str], count: int) -> list[Embedded]:
    return [embed(gateway, segments[:count])]


@when(
    parsers.parse("the indexer sends {batches:d} batches of {count:d} segments at once as Roo does"),
    target_fixture="batches",
)
def _(gateway: Gateway, segments: list[str], batches: int, count: int) -> list[Embedded]:
    # Each begins with another segment, so that an answer that belongs to another batch is noticed.
    return _embed_at_once(gateway, [_turn(segments[:count], by=number) for number in range(batches)])


@then(parsers.parse("it gets {count:d} vectors, in the order of the segments"))
@then(parsers.parse("it gets {count:d} vectors for each batch, in the order of the segments"))
def _(gateway: Gateway, segments: list[str], batches: list[Embedded], count: int) -> None:
    assert [len(batch.vectors) for batch in batches] == [count] * len(batches)
    first = batches[0].vectors
    for number, batch in enumerate(batches):
        for expected, vector in zip(_turn(first, by=number), batch.vectors, strict=True):
            assert _similarity(expected, vector) == pytest.approx(1, abs=_SAME)
    for place in (0, count - 1):
        (alone,) = embed(gateway, segments[place : place + 1]).vectors
        assert _similarity(alone, first[place]) == pytest.approx(1, abs=_SAME)
    assert _similarity(first[0], first[-1]) < 1 - _SAME, "different segments have the same vector"


def _turn(items: Sequence[Item], *, by: int) -> list[Item]:
    """The items in a circle, beginning with another one."""
    return [*items[by:], *items[:by]]


@given("the index of this project's own source code", target_fixture="index")
def _(gateway: Gateway, target: Target) -> Index:
    return _index_folder(gateway, target.root)


@when(parsers.parse('the developer searches it for "{question}"'), target_fixture="found")
def _(gateway: Gateway, index: Index, question: str) -> str:
    return index.find(embed(gateway, [question]).vectors[0])


@then(parsers.parse("the best match is in {file}"))
def _(found: str, file: str) -> None:
    assert found == file


@cache
def _index_folder(gateway: Gateway, root: Path) -> Index:
    """Index the package's source files; once for all scenarios of a process that search it."""
    pairs = list(_cut_folder(root))
    texts = [text for _, text in pairs]
    answers = _embed_at_once(gateway, gather_batches(texts))
    vectors = tuple(vector for answer in answers for vector in answer.vectors)
    assert len(vectors) == len(pairs), "the index did not complete"
    return Index(tuple(file for file, _ in pairs), vectors)


def _cut_folder(root: Path) -> Iterator[tuple[str, str]]:
    for path in sorted((root / "aigateway").rglob("*.py")):
        for segment in _cut_text(path.read_text(encoding="utf-8").splitlines(keepends=True)):
            yield path.relative_to(root).as_posix(), segment


def _cut_text(lines: Iterable[str]) -> Iterator[str]:
    segment = ""
    for line in lines:
        if segment and len(segment) + len(line) > _SEGMENT_CHARACTERS:
            yield segment
            segment = ""
        segment += line
    if segment.strip():
        yield segment


def _embed_at_once(gateway: Gateway, batches: Sequence[Sequence[str]]) -> list[Embedded]:
    with ThreadPoolExecutor(BATCHES_AT_ONCE) as pool:
        return list(pool.map(lambda batch: embed(gateway, batch), batches))


def _similarity(one: Vector, other: Vector) -> float:
    return float(sum(map(operator.mul, one, other)))
