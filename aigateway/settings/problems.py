"""What is wrong with a setting: a message of ours and the keys that it concerns."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches

from pydantic_core import PydanticCustomError

Key = tuple[str | int, ...]
"""Where a setting stands: `("clients", 0, "name")`."""

OWN_RULE = "own_rule"
"""The type of the pydantic errors that carry problems of ours."""


@dataclass(frozen=True)
class Problem:
    """One thing to put right.

    `keys` are the settings concerned: the first one is named, and the first one that stands in the file gives
    the line. They are relative to the model that found the problem.
    """

    message: str
    keys: tuple[Key, ...] = ((),)


def refuse(*problems: Problem | str) -> PydanticCustomError:
    """The error for a pydantic validator to raise; the loader takes the problems out again."""
    found = tuple(Problem(item) if isinstance(item, str) else item for item in problems)
    text = "; ".join(item.message for item in found)
    return PydanticCustomError(OWN_RULE, "{text}", {"text": text, "problems": found})


def suggest(word: str, known: Iterable[str]) -> str:
    """`; did you mean 'x'?` for the nearest known word, else nothing."""
    words = list(known)
    lowered = word.lower()
    nearest = get_close_matches(lowered, words, n=1, cutoff=0.6) or [
        candidate
        for candidate in words
        if min(len(candidate), len(lowered)) > 1
        and (candidate.startswith(lowered) or lowered.startswith(candidate))
    ]
    return f"; did you mean '{nearest[0]}'?" if nearest else ""


def write_key(key: Key) -> str:
    """A key as a person writes it: `clients[0].name`."""
    text = ""
    for part in key:
        text += f"[{part}]" if isinstance(part, int) else f".{part}"
    return text.removeprefix(".")
