"""What counts as a difference between two runs, and what is chance."""

from __future__ import annotations

import pytest
from trying import make_proof, make_run, make_scenario

from aigateway.acceptance.results import ScenarioResult
from aigateway.launching.app_routes import AppRoute
from aigateway.upgrading.differences import (
    compare_packages,
    compare_routes,
    compare_sabotages,
    compare_scenarios,
    find_slowed,
)


def compare(*pair: ScenarioResult) -> list[tuple[str, str]]:
    one, other = pair
    return [
        (change.present, change.candidate) for change in compare_scenarios(make_run(one), make_run(other))
    ]


def test_what_ended_alike_is_no_difference() -> None:
    assert compare(make_scenario("a"), make_scenario("a", seconds=2.0)) == []


def test_what_passed_at_the_second_try_ended_alike() -> None:
    assert compare(make_scenario("a"), make_scenario("a", tries=2, earlier=("late",))) == []


def test_another_verdict() -> None:
    failed = make_scenario("a", "failed", reason="status 500\nand more", step="Then it answers")
    (change,) = compare_scenarios(make_run(make_scenario("a")), make_run(failed))
    assert (change.present, change.candidate, change.candidate_reason) == ("passed", "failed", "status 500")
    assert compare(failed, make_scenario("a")) == [("failed", "passed")]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("status 400 in place of 200", "status 500 in place of 200"),
        ("no model", "no deployment"),
    ],
)
def test_another_reason(one: str, other: str) -> None:
    found = compare(make_scenario("a", "failed", reason=one), make_scenario("a", "failed", reason=other))
    assert found == [("failed", "failed")]


def test_another_step_is_another_reason() -> None:
    pair = [make_scenario("a", "failed", reason="no", step=step) for step in ("When asked", "Then answered")]
    assert compare(*pair) == [("failed", "failed")]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("http://127.0.0.1:41233 does not answer", "http://127.0.0.1:38001 does not answer"),
        ("took 12.3 s", "took 14.1 s"),
        ("took 12 s", "took 140 s"),
        ("marker 3f9a17c2d0e4", "marker 71bc02d3aa90"),
    ],
)
def test_what_chance_brings_is_no_other_reason(one: str, other: str) -> None:
    assert compare(make_scenario("a", "failed", reason=one), make_scenario("a", "failed", reason=other)) == []


def test_one_that_only_one_of_them_has() -> None:
    a, b = make_scenario("a"), make_scenario("b")
    changes = list(compare_scenarios(make_run(a), make_run(b)))
    assert [(one.name, one.present, one.candidate) for one in changes] == [
        ("a", "passed", "not run"),
        ("b", "not run", "passed"),
    ]


def test_examples_of_an_outline_are_told_apart() -> None:
    rows = [make_scenario(f"a[{row}]", scenario="a", example=(row,)) for row in ("x", "y")]
    worse = make_scenario("a[y]", "failed", scenario="a", example=("y",))
    assert [one.name for one in compare_scenarios(make_run(*rows), make_run(rows[0], worse))] == ["a[y]"]


def test_sabotages_that_only_one_of_them_notices() -> None:
    before = make_proof(same=True, lost=True, won=False)
    changes = list(compare_sabotages(before, make_proof(same=True, lost=False, won=True)))
    assert [(one.sabotage, one.present, one.candidate) for one in changes] == [
        ("lost", True, False),
        ("won", False, True),
    ]
    assert changes[0].candidate_problem == "a scenario: passed"


def test_much_slower_is_half_again_as_long_and_more_than_a_second() -> None:
    times = {"steady": (10, 14), "short": (0.1, 1.0), "slow": (2, 3.5), "worst": (2, 9), "quicker": (9, 2)}
    before = make_run(*(make_scenario(name, seconds=one) for name, (one, _) in times.items()))
    after = make_run(*(make_scenario(name, seconds=other) for name, (_, other) in times.items()))
    assert [one.name for one in find_slowed(before, after)] == ["worst", "slow"]


def test_one_that_failed_is_not_called_slow() -> None:
    assert find_slowed(make_run(make_scenario("a")), make_run(make_scenario("a", "failed", seconds=60))) == ()


def test_packages() -> None:
    changes = compare_packages({"a": "1", "b": "1", "gone": "1"}, {"a": "1", "b": "2", "new": "3"})
    assert [(one.package, one.present, one.candidate) for one in changes] == [
        ("b", "1", "2"),
        ("gone", "1", ""),
        ("new", "", "3"),
    ]


def test_routes() -> None:
    get, post, put = (AppRoute("/a", method) for method in ("GET", "POST", "PUT"))
    found = compare_routes([get, post], [post, put])
    assert (found.present, found.candidate, found.added, found.removed) == (2, 2, (put,), (get,))
