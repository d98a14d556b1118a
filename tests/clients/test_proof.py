"""Which run vouches for a gateway, and what is said where none does."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from pointing import DEPLOYED, LOCAL, ROOT, leave_evidence

from aigateway.acceptance.results import TargetName
from aigateway.clients.proof import Proof, find_proof
from aigateway.errors import AigatewayError
from aigateway.settings.loading import load_environment


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout of its own, with nothing tried in it."""
    for folder in ("templates", "infra", "features"):
        shutil.copytree(
            ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns(".terraform*", "__pycache__")
        )
    return tmp_path


def find(root: Path, base_url: str = "") -> Proof:
    return find_proof(root, load_environment(root, "dev"), base_url)


def refuse(root: Path, base_url: str = "") -> str:
    with pytest.raises(AigatewayError) as caught:
        find(root, base_url)
    return str(caught.value)


def test_the_deployed_run_gives_the_address(checkout: Path) -> None:
    leave_evidence(checkout, "deployed")
    proof = find(checkout)
    assert (proof.base_url, proof.target) == (DEPLOYED, "deployed")


def test_an_address_may_be_given_as_clients_write_it(checkout: Path) -> None:
    leave_evidence(checkout, "deployed")
    assert find(checkout, f"{DEPLOYED}/v1/").base_url == DEPLOYED


@pytest.mark.parametrize("address", [LOCAL, f"{LOCAL}/v1", "http://localhost:4000"])
def test_the_local_run_vouches_for_this_machine(checkout: Path, address: str) -> None:
    leave_evidence(checkout, "local")
    proof = find(checkout, address)
    assert (proof.base_url, proof.target) == (address.removesuffix("/v1"), "local")


def test_the_local_run_vouches_for_no_other_machine(checkout: Path) -> None:
    leave_evidence(checkout, "local")
    said = refuse(checkout, "https://gateway.test")
    assert (
        "run: aigateway accept dev --target deployed --base-url https://gateway.test; or, where GitHub"
        in said
    )
    assert said.endswith("gh run download RUN --name evidence-dev --dir build/accept/dev-deployed")


def test_the_deployed_run_does_not_vouch_for_this_machine(checkout: Path) -> None:
    leave_evidence(checkout, "deployed")
    assert refuse(checkout, LOCAL).endswith("run: aigateway accept dev")


def test_who_tried_a_local_gateway_only_is_told_of_base_url(checkout: Path) -> None:
    assert "--base-url" not in refuse(checkout)
    leave_evidence(checkout, "local")
    said = refuse(checkout)
    assert "run: aigateway accept dev --target deployed; or, where GitHub Actions deployed it" in said
    assert "; or give --base-url" in said


def test_the_deployed_run_vouches_for_no_other_address(checkout: Path) -> None:
    leave_evidence(checkout, "deployed")
    said = refuse(checkout, "https://other.test")
    assert f"is of the gateway at {DEPLOYED}, and says nothing of https://other.test" in said


@pytest.mark.parametrize(("target", "address"), [("deployed", ""), ("local", LOCAL)])
@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"verdict": "failed"}, r"does not conform (1 scenarios failed)"),
        ({"verdict": "skipped"}, "does not conform"),
        # Whoever writes that it conforms is not believed.
        ({"verdict": "failed", "conformant": True}, "does not conform"),
        ({"selection": "-k codex"}, "of some scenarios only (-k codex)"),
        ({"profile": "codex"}, "of the profile codex"),
        ({"environment": "staging"}, "is of staging's"),
    ],
    ids=lambda value: "-".join(map(str, value.values())) if isinstance(value, dict) else "",
)
def test_a_run_that_does_not_count(
    checkout: Path, target: TargetName, address: str, changes: dict[str, Any], expected: str
) -> None:
    environment = changes.pop("environment", "dev")
    path = leave_evidence(checkout, target, environment, **changes)
    if environment != "dev":
        path.parent.rename(path.parent.with_name(path.parent.name.replace(environment, "dev")))
    changes["environment"] = environment
    said = refuse(checkout, address)
    assert expected in said
    assert "build/accept/dev" in said
    assert "run: aigateway accept dev" in said


@pytest.mark.parametrize(("target", "address"), [("deployed", ""), ("local", LOCAL)])
def test_a_run_of_other_files_is_stale(checkout: Path, target: TargetName, address: str) -> None:
    leave_evidence(checkout, target)
    path = checkout / "infra/env/dev/envoy.yaml"
    path.write_text(path.read_text() + "# changed\n")
    said = refuse(checkout, address)
    assert "is stale: envoy.yaml changed since 2026-11-20 08:30 UTC" in said
    assert ("deploy that" in said) == (target == "deployed")


def test_evidence_that_was_changed_is_refused(checkout: Path) -> None:
    path = leave_evidence(checkout, "deployed", verdict="failed")
    path.write_text(path.read_text().replace('"failed"', '"passed"'))
    assert "its digest is not that of what it says" in refuse(checkout)


def test_what_is_no_evidence_is_refused(checkout: Path) -> None:
    leave_evidence(checkout, "deployed").write_text("{}")
    said = refuse(checkout)
    assert "is no evidence" in said
    assert said.endswith("; run: aigateway accept dev --target deployed")


@pytest.mark.parametrize("address", ["http://gateway.test", "gateway", "https://user@gateway.test"])
def test_an_address_that_is_none(checkout: Path, address: str) -> None:
    leave_evidence(checkout, "deployed")
    assert "base URL" in refuse(checkout, address)
