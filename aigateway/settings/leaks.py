"""Finds what looks like a secret in text that is committed, and masks it in text that is printed."""

from __future__ import annotations

import re
from collections.abc import Iterator

MASK = "[not shown]"

_SHORTEST = 32
_LONGEST_WORD = 20

# An image's digest is as long and as random as a key, and no secret.
_DIGEST = r"sha256:[0-9a-f]{64}(?![0-9A-Za-z])"
_LONG = re.compile(rf"(?P<digest>{_DIGEST})|[A-Za-z0-9+/=_-]{{{_SHORTEST},}}")
_PREFIXED = re.compile(r"(?<![A-Za-z0-9])sk-[A-Za-z0-9_-]{4,}")


def find_secret_lines(text: str) -> Iterator[int]:
    """Lines, from 1, that hold what looks like a secret; comments count, since they are committed too."""
    for number, line in enumerate(text.splitlines(), start=1):
        if mask(line) != line:
            yield number


def mask(text: str) -> str:
    """The text with everything that looks like a secret replaced."""
    text = _PREFIXED.sub(lambda match: MASK if _is_key(match[0]) else match[0], text)
    return _LONG.sub(lambda match: match[0] if match["digest"] or not _is_random(match[0]) else MASK, text)


def _is_key(token: str) -> bool:
    return len(token) >= _LONGEST_WORD or _has_digit(token)


def _is_random(token: str) -> bool:
    # Long names of deployments and resources are lower-case words with hyphens; keys are not.
    longest_run = max(map(len, re.split(r"[^A-Za-z0-9]+", token)))
    mixes_case = token not in (token.lower(), token.upper())
    return _has_digit(token) and (mixes_case or longest_run >= _LONGEST_WORD)


def _has_digit(token: str) -> bool:
    return any(character.isdigit() for character in token)
