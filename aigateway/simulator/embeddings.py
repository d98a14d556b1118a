"""Embeddings: the request's limits, and vectors that mean something.

A vector is a hashed bag of words of unit length: identifiers are split (camelCase, snake_case), words are
lower-cased and lightly stemmed, and how often a word occurs counts less the more often it does. So the
nearest neighbour of a question over real source files is the file that speaks of it. One more component is
the same in every vector: it leaves the order alone and lifts related texts above the score of 0.4 under
which codebase indexers drop a result, as real embeddings, which never are orthogonal, lie above it.
"""

from __future__ import annotations

import base64
import math
import re
import sys
import zlib
from array import array
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from aigateway.simulator import refusals
from aigateway.simulator.request import tokens_of
from aigateway.simulator.store import Json

# learn.microsoft.com/azure/foundry/openai/how-to/embeddings and openai's API reference
MOST_ITEMS = 2048
MOST_ITEM_TOKENS = 8192
MOST_REQUEST_TOKENS = 300_000
PARAMETERS = frozenset({"input", "model", "encoding_format", "dimensions", "user", "input_type"})
_FORMATS = ["float", "base64"]

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_COMMON_WORDS = """
a about all an and any are args as assert at bool by can class cls const def dict do does else
except false for from function get has have how if import in init int into is it its kwargs let list
new none not null of on or our raise return self set static str string that the their them then
there this to true tuple type types use used var was we what when where which while who why will
with you your
"""
_COMMON = frozenset(_COMMON_WORDS.split())
_COMMON_SHARE = 0.6
_OWN_SHARE = math.sqrt(1 - _COMMON_SHARE**2)
_SUFFIXES = ("ings", "ing", "ies", "ed", "es", "s")


@dataclass(frozen=True)
class EmbeddingsRequest:
    """Texts to embed, each with its number of tokens."""

    texts: tuple[str, ...]
    tokens: int
    dimensions: int
    base64: bool


def read_embeddings_request(body: Any, native_dimensions: int) -> EmbeddingsRequest:
    """Check a request as the service does; raises the `Refusal` that it would answer."""
    if not isinstance(body, dict):
        raise refusals.unparsable_body()
    for name in body:
        if name not in PARAMETERS:
            raise refusals.unknown_parameter(name)
    encoding = body.get("encoding_format") or "float"
    if encoding not in _FORMATS:
        raise refusals.invalid_value("encoding_format", str(encoding), _FORMATS)
    texts, tokens = _read_input(body)
    return EmbeddingsRequest(texts, tokens, _read_dimensions(body, native_dimensions), encoding == "base64")


def build_embeddings(request: EmbeddingsRequest, model: str) -> Json:
    """The list of vectors in the order of the texts."""
    data = [
        {
            "object": "embedding",
            "index": index,
            "embedding": _encoded(embed(text, request.dimensions), as_base64=request.base64),
        }
        for index, text in enumerate(request.texts)
    ]
    spent = {"prompt_tokens": request.tokens, "total_tokens": request.tokens}
    return {"object": "list", "data": data, "model": model, "usage": spent}


def embed(text: str, dimensions: int) -> array[float]:
    """The unit vector of a text. With fewer dimensions the words share them; the length stays one."""
    weights: dict[int, float] = {}
    # A text without a word that says anything is like nothing but itself.
    for word, times in (Counter(_features(text)) or {text: 1}).items():
        place, sign = _place(word)
        # Component 0 is the common one.
        place = 1 + place % (dimensions - 1) if dimensions > 1 else 0
        weights[place] = weights.get(place, 0.0) + sign * math.sqrt(times)
    length = math.sqrt(sum(weight * weight for weight in weights.values()))
    vector = array("f", bytes(4 * dimensions))
    own_share, common_share = (_OWN_SHARE, _COMMON_SHARE) if dimensions > 1 and length else (0.0, 1.0)
    for place, weight in weights.items():
        vector[place] = weight * own_share / (length or 1.0)
    vector[0] = common_share
    return vector


def _features(text: str) -> Iterable[str]:
    for word in _WORD.findall(text):
        stem = _stem(word)
        if stem:
            yield stem


@lru_cache(maxsize=65_536)
def _stem(word: str) -> str:
    """The word without its ending; empty for a word that says nothing."""
    word = word.lower()
    if len(word) < 2 or word in _COMMON:
        return ""
    for suffix in _SUFFIXES:
        if word.endswith(suffix) and len(word) - len(suffix) >= 3 and not word.endswith("ss"):
            word = word[: -len(suffix)] + ("y" if suffix == "ies" else "")
            break
    return word[:-1] if word.endswith("e") and len(word) > 3 else word


@lru_cache(maxsize=65_536)
def _place(word: str) -> tuple[int, int]:
    """Where a word's hash puts it, and with which sign."""
    digest = zlib.crc32(word.encode())
    return digest >> 1, 1 if digest & 1 else -1


def _encoded(vector: array[float], *, as_base64: bool) -> str | list[float]:
    if not as_base64:
        return vector.tolist()
    if sys.byteorder == "big":  # clients read little-endian float32
        vector.byteswap()
    return base64.b64encode(vector.tobytes()).decode("ascii")


def _read_dimensions(body: Json, native: int) -> int:
    dimensions = body.get("dimensions")
    if dimensions is None:
        return native
    if not isinstance(dimensions, int) or isinstance(dimensions, bool):
        raise refusals.invalid_type("dimensions", "an integer", dimensions)
    if dimensions < 1:
        raise refusals.integer_below_minimum("dimensions", 1, dimensions)
    if dimensions > native:
        raise refusals.invalid_dimensions(native, dimensions)
    return dimensions


def _read_input(body: Json) -> tuple[tuple[str, ...], int]:
    """The texts, token arrays spelled out as words, and the number of tokens of all."""
    if body.get("input") is None:
        raise refusals.missing_parameter("input")
    items = [_read_item(item) for item in _items_of(body["input"])]
    if not 1 <= len(items) <= MOST_ITEMS:
        raise refusals.invalid_embedding_input()
    for _, tokens in items:
        if tokens > MOST_ITEM_TOKENS:
            raise refusals.embedding_item_too_long(MOST_ITEM_TOKENS, tokens)
    total = sum(tokens for _, tokens in items)
    if total > MOST_REQUEST_TOKENS:
        raise refusals.embedding_request_too_large(MOST_REQUEST_TOKENS, total)
    return tuple(text for text, _ in items), total


def _items_of(given: Any) -> list[Any]:
    if isinstance(given, str):
        return [given]
    if not isinstance(given, list):
        raise refusals.invalid_embedding_input()
    return [given] if given and _is_token(given[0]) else given


def _read_item(item: Any) -> tuple[str, int]:
    if isinstance(item, str) and item:
        return item, tokens_of(item)
    if isinstance(item, list) and item and all(_is_token(token) for token in item):
        return " ".join(str(token) for token in item), len(item)
    raise refusals.invalid_embedding_input()


def _is_token(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
