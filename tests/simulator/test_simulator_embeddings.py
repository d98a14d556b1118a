"""Vectors: their form, their length, and that they find the right file."""

from __future__ import annotations

import math
from pathlib import Path

import openai
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import aigateway.simulator
from aigateway.simulator.embeddings import embed

SOURCES = sorted(Path(aigateway.simulator.__file__).parent.glob("*.py"))
QUESTIONS = {
    "Where are quota tokens and requests per minute counted in a sliding window?": "quota.py",
    "hash identifiers into a unit vector bag of words": "embeddings.py",
    "encrypted reasoning content signature verification": "reasoning.py",
    "which api-version is supported on which path": "versions.py",
    "close the listening socket and refuse connections for a while": "listener.py",
    "server sent events with a sequence number and text deltas": "stream.py",
    "ledger of recorded requests with masked keys": "ledger.py",
    "start a child process and stop it when the parent dies": "server.py",
}


def cosine(one: list[float], other: list[float]) -> float:
    return math.fsum(a * b for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("dimensions", [3072, 1536])
def test_a_question_finds_its_file(azure: openai.AzureOpenAI, dimensions: int) -> None:
    texts = [path.read_text() for path in SOURCES] + list(QUESTIONS)
    answer = azure.embeddings.create(model="embedder", input=texts, dimensions=dimensions)
    vectors = [item.embedding for item in answer.data]
    files, questions = vectors[: len(SOURCES)], vectors[len(SOURCES) :]
    for (question, expected), vector in zip(QUESTIONS.items(), questions, strict=True):
        scores = {path.name: cosine(vector, each) for path, each in zip(SOURCES, files, strict=True)}
        assert max(scores, key=lambda name: scores[name]) == expected, question
        assert scores[expected] > 0.4


def test_the_encodings_agree(azure: openai.AzureOpenAI) -> None:
    by_default = azure.embeddings.create(model="embedder", input="readFile parse_json HTTPServer")
    floats = azure.embeddings.create(
        model="embedder", input="readFile parse_json HTTPServer", encoding_format="float"
    )
    assert by_default.data[0].embedding == pytest.approx(floats.data[0].embedding)
    assert len(floats.data[0].embedding) == 3072
    assert floats.usage.total_tokens == 8


@settings(max_examples=50)
@given(text=st.text(min_size=1), dimensions=st.integers(1, 3072))
def test_every_vector_has_unit_length_and_is_the_same_again(text: str, dimensions: int) -> None:
    vector = embed(text, dimensions)
    assert len(vector) == dimensions
    assert math.fsum(value * value for value in vector) == pytest.approx(1, abs=1e-5)
    assert embed(text, dimensions) == vector


def test_spelling_of_identifiers_does_not_matter() -> None:
    spellings = ["readFiles", "read_file", "READ file", "reading files"]
    assert len({embed(each, 512).tobytes() for each in spellings}) == 1
