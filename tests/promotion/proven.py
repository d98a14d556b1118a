"""A staging's gate that is open: real settings, features and releases of this checkout, evidence as a run leaves it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from aigateway.acceptance.features import WrittenScenario, list_scenarios
from aigateway.digests import hash_bytes, hash_data
from aigateway.promotion.attestation import Attestation
from aigateway.promotion.evidence import Evidence, ProvenScenario, count_requirements
from aigateway.promotion.gate import Judgement, Question, Submission
from aigateway.promotion.images import PARTS, PinnedImage, PinnedImages
from aigateway.promotion.origin import Origin
from aigateway.promotion.release import Release, describe_release
from aigateway.promotion.scanning import ScanOutcome
from aigateway.settings.loading import find_root, load_environment
from aigateway.settings.model import Settings
from aigateway.settings.values import ENVIRONMENTS, EnvironmentName

ROOT = find_root(Path(__file__))
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
COMMIT = "0123456789" * 4
REPOSITORY = "pvc/ai-gateway"
REVISION = "pvc-dev-aigateway-ca-san--0000007"

#: Verifies nothing but what it is told: content by content, as GitHub does by SHA-256.
Vouched = set[bytes]


@cache
def scenarios() -> tuple[WrittenScenario, ...]:
    return list_scenarios(ROOT)


@cache
def settings_of(name: EnvironmentName) -> Settings:
    return load_environment(ROOT, name)


@cache
def release_of(name: EnvironmentName) -> Release:
    """What this checkout would deploy, as if it were committed and pinned."""
    release = describe_release(ROOT, settings_of(name))
    pinned = {
        part: PinnedImage.of(image.repository, image.tag, hash_bytes(part.encode()))
        for part in PARTS
        for image in (release.images.of(part),)
    }
    return release.model_copy(update={"commit": COMMIT, "dirty": False, "images": PinnedImages(**pinned)})


@cache
def evidence_of(name: EnvironmentName) -> Evidence:
    """The evidence of an environment in which everything passed, an hour ago."""
    proven = tuple(
        ProvenScenario(
            feature=one.feature,
            scenario=one.key.scenario,
            example=one.key.example,
            requirements=one.requirements,
            core=not one.slow and "deployed" in one.tags,
            verdict="passed" if "deployed" in one.tags else "skipped",
            tries=1,
        )
        for one in scenarios()
        if not one.slow
    )
    return Evidence(
        environment=name,
        target="deployed",
        launcher=None,
        base_url="https://gateway.test",
        revision=REVISION,
        release=release_of(name),
        plan=hash_bytes(b"plan"),
        scan=ScanOutcome(passed=True, plan=hash_bytes(b"plan"), digest=hash_bytes(b"scan")),
        started_at=NOW - timedelta(hours=1),
        seconds=90.5,
        origin=Origin(
            repository=REPOSITORY,
            run_url=f"https://github.com/{REPOSITORY}/actions/runs/7/attempts/1",
            workflow=f"{REPOSITORY}/.github/workflows/deploy.yml@refs/heads/main",
            actor="somebody",
        ),
        conformant=True,
        profile="core",
        selection="",
        requirements=count_requirements(proven),
        scenarios=proven,
    ).seal()


def content_of(name: EnvironmentName) -> bytes:
    return evidence_of(name).write_text().encode()


def ask(
    *contents: bytes, environment: EnvironmentName = "staging", vouched: Vouched | None = None, **changes: Any
) -> Question:
    """The question with these files; GitHub vouches for `vouched`, and is not asked where that is None."""
    before = (*ENVIRONMENTS[: ENVIRONMENTS.index(environment)], environment)

    def attest(content: bytes) -> Attestation | None:
        if vouched is None:
            return None
        return Attestation(content in vouched, "" if content in vouched else "no attestations found")

    question = Question(
        environment=environment,
        submissions=tuple(
            Submission(f"{number}.json", content, attest(content)) for number, content in enumerate(contents)
        ),
        settings={name: settings_of(name) for name in before},
        releases={name: release_of(name) for name in before},
        rendered=release_of(environment).configs,
        scenarios=scenarios(),
        repository=REPOSITORY,
        now=NOW,
    )
    return replace(question, **changes)


def list_refused(judgement: Judgement) -> set[str]:
    """The rules that do not hold."""
    return {finding.rule.name for finding in judgement.findings if finding.outcome == "refused"}


def reseal(change: Callable[[dict[str, Any]], Any], name: EnvironmentName = "dev") -> bytes:
    """Evidence that somebody changed who knows how its digest is made."""
    data = json.loads(content_of(name))
    change(data)
    return seal_again(data)


def seal_again(data: dict[str, Any]) -> bytes:
    data["digest"] = hash_data({key: value for key, value in data.items() if key != "digest"})
    return (json.dumps(data, indent=2, ensure_ascii=False) + "\n").encode()
