"""A checkout with evidence in it, as `aigateway accept` would leave it, and gateways to point clients at."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from aigateway.acceptance.findings import EVIDENCE_FILE, locate_run
from aigateway.acceptance.results import TargetName, Verdict
from aigateway.clients.kit import Gateway
from aigateway.promotion.evidence import Evidence, ProvenScenario, count_requirements
from aigateway.promotion.origin import Origin
from aigateway.promotion.release import describe_release
from aigateway.settings.loading import find_root, load_environment
from aigateway.settings.model import Settings
from aigateway.settings.values import EnvironmentName

ROOT = find_root(Path(__file__))
DEPLOYED = "https://pvc-dev-aigateway-ca-san.example.azurecontainerapps.io"
LOCAL = "http://127.0.0.1:4000"


def leave_evidence(
    root: Path,
    target: TargetName,
    environment: EnvironmentName = "dev",
    verdict: Verdict = "passed",
    **changes: Any,
) -> Path:
    """Evidence of a run of one scenario, where the run leaves it; returns its path."""
    settings = load_environment(root, environment)
    proven = ProvenScenario(
        feature="codex", scenario="an answer", requirements=("FR1",), core=True, verdict=verdict, tries=1
    )
    evidence = Evidence(
        environment=environment,
        target=target,
        launcher="process" if target == "local" else None,
        base_url=DEPLOYED if target == "deployed" else "",
        revision="",
        release=describe_release(root, settings),
        plan=None,
        scan=None,
        started_at=datetime(2026, 11, 20, 8, 30, tzinfo=UTC),
        seconds=90,
        origin=Origin(repository="", run_url="", workflow="", actor=""),
        conformant=verdict == "passed",
        profile="core",
        selection="",
        requirements=count_requirements([proven]),
        scenarios=(proven,),
    )
    path = locate_run(root, environment, target) / EVIDENCE_FILE
    evidence.model_copy(update=changes).seal().save(path)
    return path


def change_settings(root: Path, group: str, **values: object) -> Settings:
    """dev's settings with other values in azure.`group`."""
    data = load_environment(root, "dev").model_dump()
    azure = data["azure"][group]
    for name in ("deployment", "base_model"):
        azure.pop(name)
    azure |= values
    return Settings.model_validate(data)


def point_at(base_url: str = DEPLOYED, settings: Settings | None = None) -> Gateway:
    return Gateway(settings or load_environment(ROOT, "dev"), base_url)
