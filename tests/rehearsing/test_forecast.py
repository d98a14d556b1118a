"""What a part says of the whole, and in which words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aigateway.errors import AigatewayError
from aigateway.rehearsing.forecast import find_floor, predict, reckon_need
from aigateway.rehearsing.quota import choose_quota, read_quota
from aigateway.rehearsing.results import AzureQuota, Count, EdgeLimit
from aigateway.rehearsing.roo import Batch
from aigateway.settings.model import Settings


def make_count(batches: int) -> Count:
    return Count(
        folder="/f",
        files=1,
        segments=60 * batches,
        characters=24_000 * batches,
        tokens=6000 * batches,
        batches=batches,
        empty=0,
        unsupported=0,
        too_large=0,
        unreadable=0,
        cut_off=False,
        approximated={},
    )


def end(*, good: int = 0, failed: int = 0, first: float, last: float) -> list[Batch]:
    """So many batches, which ended evenly from `first` to `last`."""
    number = good + failed
    step = (last - first) / max(1, number - 1)
    kinds = [60] * good + [0] * failed
    return [Batch(60, 6000, vectors, first + step * n) for n, vectors in enumerate(kinds)]


def test_all_of_it_measured() -> None:
    found = predict(make_count(10), end(good=10, first=1, last=20), 20, 0)
    assert (found.verdict, found.basis, found.seconds, found.extrapolated_seconds) == (
        "finishes",
        "measured",
        20,
        0,
    )


def test_the_rest_goes_on_as_after_the_first_minute() -> None:
    # A burst of 100 in the first minute, then 20 a minute for two minutes.
    ended = [*end(good=100, first=0, last=59), *end(good=40, first=60, last=179)]
    found = predict(make_count(240), ended, 180, 0)
    assert (found.verdict, found.basis) == ("finishes", "extrapolated")
    assert found.steady_batches_per_minute == 20
    assert found.extrapolated_seconds == 300
    assert found.seconds == 480
    assert (found.steady_from_seconds, found.caution) == (60, "")


def test_a_short_measurement_is_said_to_be_one() -> None:
    found = predict(make_count(100), end(good=50, first=0, last=29), 30, 0)
    assert (found.seconds, found.steady_from_seconds) == (60, 0)
    assert "only 30 s" in found.caution


def test_a_back_off_that_is_long_against_the_measurement_is_said() -> None:
    found = predict(make_count(100), end(good=50, first=0, last=170), 180, 80)
    assert "held everything back for up to 80 s" in found.caution


def test_a_tenth_may_fail_and_not_more() -> None:
    tenth = predict(make_count(10), end(good=9, failed=1, first=0, last=9), 10, 0)
    fifth = predict(make_count(10), end(good=8, failed=2, first=0, last=9), 10, 0)
    assert (tenth.verdict, tenth.failed_share) == ("finishes", 0.1)
    assert (fifth.verdict, fifth.basis, fifth.seconds) == ("aborts", "measured", 10)


def test_enough_has_failed_already_whatever_comes() -> None:
    found = predict(make_count(100), end(good=20, failed=20, first=0, last=179), 180, 0)
    assert (found.verdict, found.basis) == ("aborts", "measured")


def test_failures_that_go_on_come_to_too_many() -> None:
    found = predict(make_count(1000), end(good=30, failed=20, first=0, last=179), 180, 0)
    assert (found.verdict, found.basis) == ("aborts", "extrapolated")
    assert found.failed_share > 0.1


@pytest.mark.parametrize("ended", [[], end(good=5, first=1, last=9)])
def test_where_nothing_moves_nothing_is_known(ended: list[Batch]) -> None:
    found = predict(make_count(100), ended, 180, 300)
    assert (found.verdict, found.seconds) == ("unknown", None)
    assert "no batch ended in the last 120 s" in found.caution


@given(
    st.integers(1, 500),
    st.lists(st.tuples(st.booleans(), st.floats(0, 1)), max_size=500),
    st.floats(0.5, 3600),
)
def test_no_figure_is_out_of_its_bounds(
    batches: int, outcomes: list[tuple[bool, float]], seconds: float
) -> None:
    ended = [Batch(60, 6000, 60 if good else 0, place * seconds) for good, place in outcomes[:batches]]
    found = predict(make_count(batches), ended, seconds, 5)
    assert 0 <= found.failed_share <= 1
    assert found.seconds is None or found.seconds >= seconds
    assert found.verdict != "finishes" or found.failed_share <= 0.1


EDGE = EdgeLimit(client="roo", requests_per_minute=300, burst=50, steady_requests_per_minute=250, replicas=1)


@pytest.mark.parametrize(
    ("batches", "quota", "seconds"),
    [
        pytest.param(49, None, 0, id="within the burst"),
        pytest.param(299, None, 60, id="the edge trickles"),
        pytest.param(49, (1_000_000, 25), 60, id="two minutes' requests of Azure's"),
        pytest.param(49, (60_000, 1000), 240, id="five minutes' tokens"),
    ],
)
def test_no_indexing_is_faster_than_the_limits(
    batches: int, quota: tuple[int, int] | None, seconds: float
) -> None:
    azure = AzureQuota(tokens_per_minute=quota[0], requests_per_minute=quota[1]) if quota else None
    assert find_floor(make_count(batches), EDGE, azure) == seconds


def test_a_burst_does_not_make_the_rest_faster_than_the_limits() -> None:
    found = predict(make_count(100), end(good=50, first=0, last=29), 30, 0, 600)
    assert (found.seconds, found.extrapolated_seconds) == (600, 570)


def test_what_is_needed_to_be_done_in_time() -> None:
    need = reckon_need(make_count(100), 7)
    assert (need.tokens_per_minute, need.requests_per_minute) == (85_715, 15)


@pytest.mark.parametrize(
    ("text", "tokens", "requests"),
    [
        ("350k", 350_000, 2100),
        ("350000/100", 350_000, 100),
        ("1M/6k", 1_000_000, 6000),
        (" 1000 ", 1000, 6),
    ],
)
def test_a_quota(text: str, tokens: int, requests: int) -> None:
    assert read_quota(text) == AzureQuota(tokens_per_minute=tokens, requests_per_minute=requests)


@pytest.mark.parametrize(
    ("declared", "option", "quota"),
    [
        (None, "", None),
        (None, "350k", (350_000, 2100)),
        ({"tokens_per_minute": 120_000}, "", (120_000, 720)),
        ({"tokens_per_minute": 120_000, "requests_per_minute": 100}, "", (120_000, 100)),
        ({"tokens_per_minute": 120_000}, "350k", (350_000, 2100)),
        ({"tokens_per_minute": 120_000}, "none", None),
    ],
)
def test_the_option_comes_before_the_settings(
    declared: dict[str, int] | None, option: str, quota: tuple[int, int] | None
) -> None:
    azure = {"embeddings": {"quota": declared}} if declared else {}
    settings = Settings.model_validate({"environment": "dev", "clients": [{"name": "roo"}], "azure": azure})
    chosen = choose_quota(option, settings)
    assert (chosen and (chosen.tokens_per_minute, chosen.requests_per_minute)) == quota


@pytest.mark.parametrize(
    "text", ["", "0", "k", "-1", "1.5k", "10/0", "0/10", "100", "10/", "/10", "1e6", "٣", "lots"]
)
def test_no_quota(text: str) -> None:
    with pytest.raises(AigatewayError, match="is no quota"):
        read_quota(text)
