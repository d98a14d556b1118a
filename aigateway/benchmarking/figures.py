"""From what was measured to figures: pure functions of numbers.

A run goes round by round through everything that is compared. What is compared was measured within seconds of each
other, so differences and ratios are taken within a round, and a figure is the median of its rounds with the least and
the greatest of them as its spread: a machine that gets busy in one round moves both sides of it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations
from statistics import median

from pydantic import BaseModel, ConfigDict, Field


class Figure(BaseModel):
    """A figure and its spread over the rounds; `n` counts what it was made of."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    value: float
    low: float = Field(description="of the rounds, the least")
    high: float = Field(description="of the rounds, the greatest")
    n: int = Field(ge=1, description="so many single measurements are behind it")


def find_percentile(values: Sequence[float], percent: float) -> float:
    """The `percent` percentile of `values`, by linear interpolation between ranks, as numpy's default.

    Raises ValueError where there are no values.
    """
    if not values:
        raise ValueError("of no values there is no percentile")
    ordered = sorted(values)
    rank = (len(ordered) - 1) * percent / 100
    lower = math.floor(rank)
    upper = math.ceil(rank)
    return ordered[lower] + (ordered[upper] - ordered[lower]) * (rank - lower)


def summarize(rounds: Sequence[float], n: int | None = None) -> Figure:
    """The median of one number from each round, and their range; `n` measurements are behind them."""
    return Figure(value=median(rounds), low=min(rounds), high=max(rounds), n=n or len(rounds))


def summarize_percentile(rounds: Sequence[Sequence[float]], percent: float) -> Figure:
    """A percentile of all rounds' values together; the range is that of the single rounds' percentiles."""
    every = [value for values in rounds for value in values]
    single = [find_percentile(values, percent) for values in rounds if values]
    return Figure(value=find_percentile(every, percent), low=min(single), high=max(single), n=len(every))


def subtract(ones: Sequence[float], others: Sequence[float]) -> Figure:
    """How much more each of `ones` is than that of the same round in `others`."""
    return summarize([one - other for one, other in zip(ones, others, strict=True)])


def divide(ones: Sequence[float], others: Sequence[float]) -> Figure:
    """How many times that of the same round in `others` each of `ones` is. Raises ValueError where one is 0."""
    if not all(others):
        raise ValueError("nothing can be divided by 0")
    return summarize([one / other for one, other in zip(ones, others, strict=True)])


def find_slope(points: Sequence[tuple[float, float]]) -> float:
    """How much the second coordinate grows by each of the first: the median of all pairs' slopes (Theil, Sen).

    A single jump, as when a buffer doubles, does not tilt it as it would a least-squares line. Raises ValueError for
    fewer than two different first coordinates.
    """
    slopes = [(y2 - y1) / (x2 - x1) for (x1, y1), (x2, y2) in combinations(points, 2) if x1 != x2]
    if not slopes:
        raise ValueError("a slope takes two points")
    return median(slopes)
