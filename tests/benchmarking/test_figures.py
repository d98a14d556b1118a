"""The statistics, which are pure."""

from __future__ import annotations

from statistics import quantiles

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aigateway.benchmarking import figures

NUMBERS = st.floats(min_value=-1e6, max_value=1e6)


@given(st.lists(NUMBERS, min_size=2, max_size=50), st.integers(1, 99))
def test_a_percentile_is_the_standard_librarys_inclusive_one(values: list[float], percent: int) -> None:
    expected = quantiles(values, n=100, method="inclusive")[percent - 1]
    assert figures.find_percentile(values, percent) == pytest.approx(expected, abs=1e-6)


def test_the_ends_are_the_least_and_the_greatest() -> None:
    assert [figures.find_percentile([3, 1, 2], percent) for percent in (0, 100)] == [1, 3]
    assert figures.find_percentile([7], 99) == 7


def test_of_nothing_there_is_no_percentile() -> None:
    with pytest.raises(ValueError, match="no values"):
        figures.find_percentile([], 50)


def test_a_figure_has_the_range_of_its_rounds() -> None:
    figure = figures.summarize([10, 30, 20], n=600)
    assert (figure.value, figure.low, figure.high, figure.n) == (20, 10, 30, 600)


def test_a_percentile_is_of_all_values_and_its_range_of_the_rounds() -> None:
    figure = figures.summarize_percentile([[1, 1, 1], [9]], 50)
    assert (figure.value, figure.low, figure.high, figure.n) == (1, 1, 9, 4)


def test_what_is_compared_is_compared_within_a_round() -> None:
    # In the second round the machine was ten times as slow: for both.
    assert figures.divide([10, 1], [5, 0.5]).model_dump() == {"value": 2, "low": 2, "high": 2, "n": 2}
    assert figures.subtract([30, 50], [10, 20]).value == 25


def test_rounds_that_do_not_match_are_not_compared() -> None:
    with pytest.raises(ValueError, match="shorter"):
        figures.subtract([1, 2], [1])


def test_nothing_is_divided_by_0() -> None:
    with pytest.raises(ValueError, match="divided by 0"):
        figures.divide([1], [0])


@given(st.lists(st.integers(0, 1000), min_size=2, max_size=30, unique=True), NUMBERS, st.integers(-100, 100))
def test_the_slope_of_a_line_is_found(places: list[int], start: float, slope: int) -> None:
    points = [(place, start + slope * place) for place in places]
    assert figures.find_slope(points) == pytest.approx(slope, abs=1e-3)


def test_one_jump_is_no_leak() -> None:
    points = [(place, 100 + (50 if place == 5 else 0)) for place in range(10)]
    assert figures.find_slope(points) == 0


def test_a_slope_takes_two_points() -> None:
    with pytest.raises(ValueError, match="two points"):
        figures.find_slope([(1, 1), (1, 2)])
