"""`aigateway upgrade` as a whole, with runs that find what a test wants: what is told, written, and left alone."""

from __future__ import annotations

import io
import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console
from trying import (
    GATEWAY,
    OTHER,
    PRESENT,
    TFVARS,
    FakeMachine,
    make_checkout,
    make_proof,
    make_run,
    make_scenario,
    read_all,
)

from aigateway import cli
from aigateway.acceptance.results import RunResult
from aigateway.errors import AigatewayError, LaunchError
from aigateway.launching.app_routes import AppRoute
from aigateway.reporting.job_page import STEP_SUMMARY
from aigateway.upgrading import run as running
from aigateway.upgrading.checkouts import LOCK, MODEL, WANTED
from aigateway.upgrading.results import UpgradeResult
from aigateway.upgrading.run import upgrade

BAD = make_run(make_scenario("a", "failed", reason="status 500"))


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeMachine:
    (tmp_path / "programs").mkdir()
    (tmp_path / "temporary").mkdir()
    root = make_checkout(tmp_path)
    # There is no cosign; git is still needed.
    (tmp_path / "programs" / "git").symlink_to("/usr/bin/git")
    monkeypatch.setenv("PATH", str(tmp_path / "programs"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    monkeypatch.delenv(STEP_SUMMARY, raising=False)
    return FakeMachine(root)


def compare(machine: FakeMachine, **others: object) -> UpgradeResult:
    result = upgrade(machine.order(**others), Console(quiet=True), machine.tools)
    assert result is not None
    return result


def fail(machine: FakeMachine, **others: object) -> str:
    """The message of an upgrade that could not be tried, which has to leave the checkout and no rest."""
    before = read_all(machine.root)
    with pytest.raises(AigatewayError) as caught:
        compare(machine, **others)
    assert read_all(machine.root) == before
    assert not any(copy.parent.exists() for copy in machine.copies)
    return str(caught.value)


def read_page(machine: FakeMachine) -> str:
    return (machine.root / "build" / "upgrade" / OTHER / "summary.md").read_text()


def test_one_that_conforms_changes_nothing_unless_it_is_asked_to(machine: FakeMachine) -> None:
    before = read_all(machine.root)
    result = compare(machine)
    assert result.conformant
    assert not result.written
    assert read_all(machine.root) == before
    assert list(result.files) == [str(WANTED), str(LOCK), str(MODEL), str(TFVARS)]
    assert [(one.package, one.candidate) for one in result.packages] == [
        ("litellm", OTHER),
        ("openai", "2.1.0"),
    ]


def test_both_are_tried_with_the_same_and_the_candidate_is_rendered_and_tried_by_the_rules(
    machine: FakeMachine,
) -> None:
    compare(machine, environment="dev", profile="codex", keyword="stream")
    assert machine.calls == [
        (OTHER, "render"),
        (OTHER, "lint"),
        (OTHER, "docs"),
        (PRESENT, "accept", "dev", "codex", "stream"),
        (OTHER, "accept", "dev", "codex", "stream"),
    ]


def test_one_that_conforms_is_written(machine: FakeMachine) -> None:
    before = read_all(machine.root)
    result = compare(machine, write=True)
    assert result.written
    changed = {name for name, content in read_all(machine.root).items() if before[name] != content}
    assert changed == set(result.files)
    assert f"litellm[proxy]=={OTHER}" in (machine.root / WANTED).read_text()
    assert f"What was changed in the checkout\n\n- `{WANTED}`" in read_page(machine)


def test_one_that_does_not_conform_is_never_written(machine: FakeMachine) -> None:
    machine.runs[OTHER] = BAD
    before = read_all(machine.root)
    result = compare(machine, write=True)
    assert not result.conformant
    assert not result.written
    assert read_all(machine.root) == before
    assert [(one.present, one.candidate) for one in result.scenarios] == [("passed", "failed")]


def test_that_the_present_one_does_not_conform_is_no_objection_to_the_candidate(machine: FakeMachine) -> None:
    machine.runs[PRESENT] = BAD
    result = compare(machine)
    assert result.conformant
    assert not result.present.conformant


@pytest.mark.parametrize("others", [{"profile": "codex"}, {"keyword": "stream"}])
def test_a_part_of_the_scenarios_is_not_enough_to_write(
    machine: FakeMachine, others: dict[str, object]
) -> None:
    assert "--write takes what conforms" in fail(machine, write=True, **others)
    assert machine.calls == []


def test_the_present_one_again_is_nothing_to_compare(machine: FakeMachine) -> None:
    assert upgrade(machine.order(version=PRESENT), Console(quiet=True), machine.tools) is None
    assert machine.calls == []


def test_what_it_leaves(machine: FakeMachine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = tmp_path / "page.md"
    monkeypatch.setenv(STEP_SUMMARY, str(page))
    result = compare(machine)
    folder = machine.root / "build" / "upgrade" / OTHER
    assert UpgradeResult.model_validate_json((folder / "result.json").read_bytes()) == result
    assert page.read_text() == read_page(machine)
    for side, version in (("present", PRESENT), ("candidate", OTHER)):
        (report,) = (folder / side / "accept" / "dev").iterdir()
        assert (report.name, report.read_text()) == ("report.html", version)
    assert not any(copy.parent.exists() for copy in machine.copies)


def test_what_an_earlier_one_left_does_not_pass_for_this_ones(machine: FakeMachine) -> None:
    compare(machine)
    machine.lock_error = "No solution found"
    fail(machine)
    folder = machine.root / "build" / "upgrade" / OTHER
    assert [path.name for path in folder.iterdir()] == ["summary.md"]


def test_packages_that_do_not_fit_together(machine: FakeMachine) -> None:
    machine.lock_error = "No solution found"
    message = fail(machine)
    assert message == f"the packages of LiteLLM {OTHER} could not be locked: No solution found"
    assert "could not be tried\n\n    the packages" in read_page(machine)
    assert machine.calls == []


@pytest.mark.parametrize("version", [PRESENT, OTHER])
def test_a_run_that_did_not_come_to_its_end(machine: FakeMachine, version: str) -> None:
    machine.runs[version] = AigatewayError("litellm died")
    assert fail(machine, write=True) == f"LiteLLM {version} could not be tried: litellm died"
    assert "litellm died" in read_page(machine)


def test_ctrl_c_leaves_no_rest(machine: FakeMachine) -> None:
    before = read_all(machine.root)
    machine.runs[OTHER] = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        compare(machine, write=True)
    assert read_all(machine.root) == before
    assert not any(copy.parent.exists() for copy in machine.copies)


def test_a_checkout_that_is_changed_meanwhile_is_not_written_over(machine: FakeMachine) -> None:
    def edit() -> None:
        (machine.root / LOCK).write_text("another's work")

    machine.while_trying = edit
    with pytest.raises(AigatewayError, match="changed while the candidate was tried"):
        compare(machine, write=True)
    assert (machine.root / LOCK).read_text() == "another's work"
    # What was found stands all the same.
    assert "What has to change" in read_page(machine)


def test_sabotages_are_compared_where_that_is_asked_for(machine: FakeMachine) -> None:
    worse = make_proof(one=True, two=False)
    machine.proofs = {PRESENT: make_proof(one=True, two=True), OTHER: worse}
    result = compare(machine, prove=True)
    assert [one.sabotage for one in result.sabotages] == ["two"]
    assert result.objections == (worse.summary,)
    assert "Sabotages that were noticed with one of them only" in read_page(machine)


def test_a_signature_that_nobody_checked_is_told_and_can_be_asked_for(machine: FakeMachine) -> None:
    result = compare(machine)
    assert result.conformant
    assert "was NOT CHECKED: cosign is not installed" in read_page(machine)
    machine.calls.clear()
    assert "--require-signature wants it checked" in fail(machine, require_signature=True)
    assert machine.calls == []


def test_a_signature_that_is_not_theirs_is_an_objection(machine: FakeMachine, tmp_path: Path) -> None:
    cosign = tmp_path / "programs" / "cosign"
    cosign.write_text("#!/bin/sh\necho 'Error: no signatures found' >&2; exit 1\n")
    cosign.chmod(0o755)
    tools = replace(machine.tools, resolve=lambda _image: f"sha256:{'0a' * 32}")
    result = upgrade(machine.order(write=True), Console(quiet=True), tools)
    assert result is not None
    assert result.signature.state == "refused"
    assert not result.conformant
    assert not result.written


def test_routes_are_compared_and_no_reason_to_throw_the_rest_away(machine: FakeMachine) -> None:
    machine.routes = {PRESENT: [AppRoute("/a|b", "GET")], OTHER: [AppRoute("/c", "POST")]}
    page = (compare(machine), read_page(machine))[1]
    assert "1 → 1: 1 added, 1 removed" in page
    assert "Added: `POST /c`" in page
    machine.routes[OTHER] = LaunchError("no such module")
    assert compare(machine).conformant
    assert "could not be compared: no such module" in read_page(machine)


def test_a_reason_cannot_break_out_of_its_table(machine: FakeMachine) -> None:
    hostile = "`| </td> | x\n| y"
    machine.runs[OTHER] = make_run(make_scenario("a | b", "failed", reason=hostile), make_scenario("a"))
    compare(machine)
    (row,) = [line for line in read_page(machine).splitlines() if "a \\| b" in line]
    assert row.replace("\\|", "").count("|") == 4


def test_pins_of_the_image_before_are_told(machine: FakeMachine) -> None:
    (machine.root / ".gitignore").write_text("build/\nimages.auto.tfvars.json\n")
    (machine.root / GATEWAY.with_name("images.auto.tfvars.json")).write_text("{}")
    said = io.StringIO()
    upgrade(machine.order(write=True), Console(file=said, soft_wrap=True), machine.tools)
    assert "has the digest of the image before; run: aigateway pin dev" in said.getvalue()


@pytest.mark.parametrize(
    ("run", "code"), [(make_run(make_scenario("a")), 0), (BAD, 1), (AigatewayError("died"), 2)]
)
def test_the_exit_code(
    machine: FakeMachine,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    run: RunResult | AigatewayError,
    code: int,
) -> None:
    machine.runs[OTHER] = run
    monkeypatch.setattr(running, "Tools", lambda: machine.tools)
    monkeypatch.setattr(sys, "argv", ["aigateway", "upgrade", OTHER])
    monkeypatch.chdir(machine.root)
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == code
    said = capsys.readouterr()
    assert ("error: " in said.err) == (code == 2)
    assert (f"LiteLLM {OTHER}" in said.out) == (code != 2)
    if code != 2:
        result = json.loads((machine.root / "build" / "upgrade" / OTHER / "result.json").read_text())
        assert bool(result["objections"]) == bool(code)
