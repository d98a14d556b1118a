"""One issue for each environment that is not what it should be, for as long as it is not."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from aigateway.acceptance.results import RunResult
from aigateway.delivery.changes import Change, Changes
from aigateway.delivery.drift import Drift, read_tried, tell
from aigateway.errors import AigatewayError

#: Keeps issues in a file; searches as GitHub does, by words, so that it finds too much.
GH = """
import json, os, pathlib, sys
file = pathlib.Path(os.environ["ISSUES"])
issues = json.loads(file.read_text())
words = sys.argv[1:]
def option(name):
    return words[words.index(name) + 1]
assert option("--repo") == "pvc/gateway"
if words[1] == "list":
    print(json.dumps([{"number": int(n), "title": one["title"]} for n, one in issues.items() if one["open"]]))
elif words[1] == "create":
    issues[str(len(issues) + 1)] = {"title": option("--title"), "body": sys.stdin.read(), "open": True}
elif words[1] == "edit":
    issues[words[2]]["body"] = sys.stdin.read()
elif words[1] == "close":
    issues[words[2]]["open"] = False
file.write_text(json.dumps(issues))
"""
NOTHING = Changes((), ())
SOMETHING = Changes((Change("azurerm_container_app.gateway", "update"),), ())


@pytest.fixture
def issues(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], dict[str, Any]]:
    file = tmp_path / "issues.json"
    file.write_text("{}")
    program = tmp_path / "gh"
    program.write_text(f"#!{sys.executable} -S\n{GH}")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("ISSUES", str(file))

    def read() -> dict[str, Any]:
        found: dict[str, Any] = json.loads(file.read_text())
        return found

    return read


def result(*, conformant: bool) -> RunResult:
    return RunResult(
        environment="dev",
        target="deployed",
        launcher=None,
        started_at="2026-11-01T00:00:00+00:00",
        seconds=1,
        conformant=conformant,
        profile="core",
        features="0",
        tokens=0,
        scenarios=(),
    )


def test_it_is_opened_brought_up_to_date_and_closed(issues: Callable[[], dict[str, Any]]) -> None:
    assert "no issue" in tell(Drift("dev", NOTHING, None), "pvc/gateway")
    assert issues() == {}
    tell(Drift("dev", SOMETHING, None, "https://page"), "pvc/gateway")
    tell(Drift("staging", SOMETHING, None), "pvc/gateway")
    assert [one["title"] for one in issues().values()] == [
        "dev is not what main says",
        "staging is not what main says",
    ]
    assert "https://page" in issues()["1"]["body"]
    tell(Drift("dev", NOTHING, result(conformant=False)), "pvc/gateway")
    assert "NOT conformant" in issues()["1"]["body"]
    assert "azurerm_container_app" not in issues()["1"]["body"]
    tell(Drift("dev", NOTHING, result(conformant=True)), "pvc/gateway")
    assert [one["open"] for one in issues().values()] == [False, True]


@pytest.mark.parametrize(
    ("changes", "tried", "found"),
    [
        (NOTHING, None, False),
        (NOTHING, True, False),
        (NOTHING, False, True),
        (SOMETHING, True, True),
        (SOMETHING, None, True),
    ],
)
def test_what_drift_is(changes: Changes, tried: bool | None, found: bool) -> None:
    tried_result = None if tried is None else result(conformant=tried)
    assert Drift("dev", changes, tried_result).found is found


def test_a_gateway_that_could_not_be_tried_at_all_has_an_issue_too(
    issues: Callable[[], dict[str, Any]], tmp_path: Path
) -> None:
    result_of_none, why = read_tried(tmp_path / "result.json")
    assert result_of_none is None
    down = Drift("dev", NOTHING, None, untried=why)
    assert down.found
    assert "could not be tried" in down.summary
    tell(down, "pvc/gateway")
    assert "## Not tried: `aigateway accept` left no " in issues()["1"]["body"]
    assert read_tried(None) == (None, "")


def test_what_is_no_result_is_refused(tmp_path: Path) -> None:
    (tmp_path / "result.json").write_text("{}")
    with pytest.raises(AigatewayError, match=r"is no result\.json"):
        read_tried(tmp_path / "result.json")
    with pytest.raises(AigatewayError, match="cannot be read"):
        read_tried(tmp_path)
