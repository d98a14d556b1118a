"""How GitHub is asked who made a file, with programs that stand in for gh."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from aigateway.errors import AigatewayError
from aigateway.promotion.attestation import Attestation, run_command, verify_attestation
from aigateway.promotion.origin import Origin, find_repository, read_origin

COMMIT = "ab" * 20


def install(folder: Path, script: str) -> None:
    program = folder / "gh"
    program.write_text(f"#!{sys.executable} -S\nimport sys\n{script}\n")
    program.chmod(0o755)


def test_the_whole_identity_is_asked_for() -> None:
    asked: list[str] = []

    def run(command: Sequence[str]) -> tuple[int, str]:
        asked.extend(command)
        assert Path(command[3]).read_bytes() == b"evidence"
        return 0, ""

    assert verify_attestation(b"evidence", "pvc/gate", COMMIT, run) == Attestation(True)
    assert [*asked[:3], *asked[4:]] == [
        "gh",
        "attestation",
        "verify",
        "--repo=pvc/gate",
        "--signer-workflow=pvc/gate/.github/workflows/environment.yml",
        "--source-ref=refs/heads/main",
        f"--source-digest={COMMIT}",
    ]
    assert not Path(asked[3]).exists()


@pytest.mark.parametrize(
    ("script", "said"),
    [
        (
            "sys.exit('Error: no attestations found')",
            "gh attestation verify says: Error: no attestations found",
        ),
        ("sys.exit(4)", "gh attestation verify says: nothing (exit code 4)"),
        ("sys.exit('x' * 9000)", "x" * 300),
        ("sys.exit(open(sys.argv[3]).read() + ' at ' + sys.argv[3])", "says: evidence at the file"),
    ],
)
def test_whatever_is_no_yes_is_a_no(
    script: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, script)
    monkeypatch.setenv("PATH", str(tmp_path))
    found = verify_attestation(b"evidence", "pvc/gate", COMMIT, run_command)
    assert not found.verified
    assert said in found.said
    assert len(found.said) < 500


def test_a_gh_that_says_yes_is_believed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, "sys.exit(0 if open(sys.argv[3]).read() == 'evidence' else 1)")
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    assert verify_attestation(b"evidence", "pvc/gate", COMMIT, run_command).verified
    assert not verify_attestation(b"other", "pvc/gate", COMMIT, run_command).verified


def test_without_gh_or_commit_nothing_is_attested(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    found = verify_attestation(b"evidence", "pvc/gate", COMMIT, run_command)
    assert found == Attestation(False, "gh, GitHub's command line, is not installed")
    install(tmp_path, "")
    (tmp_path / "gh").chmod(0o644)
    assert "cannot be run" in verify_attestation(b"evidence", "pvc/gate", COMMIT, run_command).said
    assert "no Git checkout" in verify_attestation(b"evidence", "pvc/gate", "", run_command).said


# --- who runs this

JOB = {
    "GITHUB_ACTIONS": "true",
    "GITHUB_REPOSITORY": "pvc/gate",
    "GITHUB_SERVER_URL": "https://github.com",
    "GITHUB_RUN_ID": "7",
    "GITHUB_RUN_ATTEMPT": "2",
    "GITHUB_WORKFLOW_REF": "pvc/gate/.github/workflows/deploy.yml@refs/heads/main",
    "GITHUB_ACTOR": "somebody",
    "GITHUB_TOKEN": "ghs_secret",
}


def test_a_job_is_named_by_its_run() -> None:
    origin = read_origin(JOB)
    assert origin.run_url == "https://github.com/pvc/gate/actions/runs/7/attempts/2"
    assert (origin.repository, origin.actor) == ("pvc/gate", "somebody")
    assert "ghs_secret" not in origin.model_dump_json()
    assert read_origin({}) == Origin()


@pytest.mark.parametrize(
    "remote",
    ["https://github.com/pvc/gate", "https://github.com/pvc/gate.git", "git@github.com:pvc/gate.git",
     "ssh://git@github.com/pvc/gate.git", "https://x@github.com/pvc/gate/"],
)  # fmt: skip
def test_the_repository_is_gits_origin(remote: str, tmp_path: Path) -> None:
    (tmp_path / ".git" / "objects").mkdir(parents=True)
    (tmp_path / ".git" / "refs").mkdir()
    (tmp_path / ".git" / "HEAD").write_text("ref: refs/heads/main\n")
    (tmp_path / ".git" / "config").write_text(f'[remote "origin"]\n\turl = {remote}\n')
    assert find_repository(tmp_path, {}) == "pvc/gate"
    assert find_repository(tmp_path, JOB | {"GITHUB_REPOSITORY": "own/fork"}) == "own/fork"
    assert find_repository(tmp_path, JOB, "given/one") == "given/one"


def test_a_repository_that_nobody_knows_is_asked_for(tmp_path: Path) -> None:
    with pytest.raises(AigatewayError, match="is not known; give it with --repository OWNER/NAME"):
        find_repository(tmp_path, {})
    with pytest.raises(AigatewayError, match="'--owner=x' is no repository"):
        find_repository(tmp_path, {}, "--owner=x")
