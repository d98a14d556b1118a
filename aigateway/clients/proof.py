"""Which run of the features vouches for the gateway that clients are going to be pointed at.

A gateway on this machine is vouched for by the environment's local run: it runs the same rendered files. Any other
one by the run against that very address. Either has to be the last run, conform, and be of the files that are rendered
now.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from aigateway.acceptance.findings import EVIDENCE_FILE, locate_run
from aigateway.acceptance.results import TargetName, is_conformant
from aigateway.deployed.deployment import is_this_machine, read_base_url
from aigateway.errors import AigatewayError
from aigateway.promotion.evidence import Evidence, read_evidence
from aigateway.promotion.release import hash_configs
from aigateway.settings.model import Settings


@dataclass(frozen=True)
class Proof:
    """A run that vouches for the gateway at `base_url`, which is without /v1."""

    base_url: str
    target: TargetName
    started_at: datetime


def find_proof(root: Path, settings: Settings, base_url: str = "") -> Proof:
    """The run that vouches for the gateway at `base_url`; without one, for where the deployed one was tried.

    Raises AigatewayError, which says what to run, when no run does.
    """
    address = read_base_url(base_url) if base_url else ""
    target: TargetName = "local" if address and is_this_machine(address) else "deployed"
    path = locate_run(root, settings.environment, target) / EVIDENCE_FILE
    command = _describe_run(settings, target, address)
    local = "" if base_url else _suggest_local(root, settings)
    if not path.is_file():
        raise AigatewayError(
            f"{path.relative_to(root)}: is not there, so nothing says that {settings.environment}'s {target} gateway "
            f"conforms; run: {command}{_suggest_download(path.parent, root, settings) if target == 'deployed' else ''}"
            f"{local}"
        )
    try:
        evidence = read_evidence(path)
    except AigatewayError as error:
        raise AigatewayError(f"{error}; run: {command}{local}") from error
    complaint = _find_complaint(root, settings, evidence, target)
    if complaint:
        raise AigatewayError(f"{path.relative_to(root)}: {complaint}; run: {command}{local}")
    if target == "deployed" and address and address != evidence.base_url:
        raise AigatewayError(
            f"{path.relative_to(root)}: is of the gateway at {evidence.base_url}, and says nothing of {address}; "
            f"run: {command}"
        )
    return Proof(address or evidence.base_url, target, evidence.started_at)


def _find_complaint(root: Path, settings: Settings, evidence: Evidence, target: TargetName) -> str:
    """Why a run does not count; empty where it does."""
    if (evidence.environment, evidence.target) != (settings.environment, target):
        return f"is of {evidence.environment}'s {evidence.target} gateway, not of {settings.environment}'s {target} one"
    if evidence.selection:
        return f"the last run was of some scenarios only ({evidence.selection}), which proves nothing of the others"
    if evidence.profile not in {"core", "full"}:
        return f"the last run was of the profile {evidence.profile}, which leaves most of the core out"
    if not (evidence.conformant and is_conformant(evidence.scenarios, evidence.selection)):
        failed = sum(one.verdict in {"failed", "error"} for one in evidence.scenarios)
        return f"the gateway does not conform ({failed} scenarios failed); see report.html beside it and mend that"
    if target == "deployed" and not evidence.base_url:
        return "does not say which address was tried"
    return _find_stale(root, settings, evidence)


def _find_stale(root: Path, settings: Settings, evidence: Evidence) -> str:
    present = hash_configs(root, settings)
    tried = evidence.release.configs
    changed = [name for name in sorted({*present, *tried}) if present.get(name) != tried.get(name)]
    if not changed:
        return ""
    first = "deploy that, then " if evidence.target == "deployed" else ""
    return f"is stale: {', '.join(changed)} changed since {evidence.started_at:%Y-%m-%d %H:%M} UTC; {first}try it again"


def _describe_run(settings: Settings, target: TargetName, address: str) -> str:
    command = f"aigateway accept {settings.environment}"
    if target == "local":
        return command
    return f"{command} --target deployed" + (f" --base-url {address}" if address else "")


def _suggest_download(folder: Path, root: Path, settings: Settings) -> str:
    """What a run of GitHub's that deployed the gateway has left: .github/workflows/environment.yml."""
    return (
        f"; or, where GitHub Actions deployed it, take what that run tried: gh run download RUN "
        f"--name evidence-{settings.environment} --dir {folder.relative_to(root)}"
    )


def _suggest_local(root: Path, settings: Settings) -> str:
    """What somebody may have meant who has tried a local gateway only."""
    if not (locate_run(root, settings.environment, "local") / EVIDENCE_FILE).is_file():
        return ""
    return "; or give --base-url, which `aigateway up` prints, for a gateway on this machine"
