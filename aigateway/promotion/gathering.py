"""How a run of the features becomes evidence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from aigateway.acceptance.results import RunResult
from aigateway.errors import AigatewayError
from aigateway.promotion.digests import hash_file
from aigateway.promotion.evidence import Evidence, ProvenScenario, count_requirements
from aigateway.promotion.images import PARTS, PinnedImage, PinnedImages
from aigateway.promotion.origin import Origin
from aigateway.promotion.release import Release, describe_release
from aigateway.promotion.scanning import ScanOutcome, read_scan
from aigateway.scanning.results import RESULT_FILE, locate_results
from aigateway.settings.model import Settings


@dataclass(frozen=True)
class Circumstances:
    """What is known before a run, and has to hold after it: of what, with which plan and scan, by whom."""

    root: Path
    settings: Settings
    release: Release
    plan: str | None
    scan: ScanOutcome | None
    origin: Origin


def observe(
    root: Path, settings: Settings, plan: Path | None, scan: Path | None, origin: Origin
) -> Circumstances:
    """Take down what a run is going to prove; without `scan`, the environment's last one, if there is one.

    Raises AigatewayError when a file cannot be read, or is something else.
    """
    environment = settings.environment
    found = scan or locate_results(root, environment) / RESULT_FILE
    return Circumstances(
        root,
        settings,
        describe_release(root, settings),
        hash_file(plan) if plan else None,
        read_scan(found, environment) if scan or found.exists() else None,
        origin,
    )


def gather(before: Circumstances, result: RunResult) -> Evidence:
    """The evidence of a run that has come to its end, sealed.

    Raises AigatewayError when the checkout is not what it was: then nobody knows what was proven.
    """
    if describe_release(before.root, before.settings) != before.release:
        raise AigatewayError(
            "the checkout was changed while the scenarios ran, so nothing says what they prove"
        )
    scenarios = tuple(ProvenScenario.of(one) for one in result.scenarios)
    deployed = result.deployment
    release = before.release
    if deployed and deployed.images:
        release = release.model_copy(update={"images": _read_images(deployed.images)})
    evidence = Evidence.model_validate(
        {
            "environment": result.environment,
            "target": result.target,
            "launcher": result.launcher,
            "base_url": deployed.base_url if deployed else "",
            "revision": deployed.revision if deployed else "",
            "release": release,
            "plan": before.plan,
            "scan": before.scan,
            "started_at": result.started_at,
            "seconds": result.seconds,
            "origin": before.origin,
            "conformant": result.conformant,
            "profile": result.profile,
            "selection": result.selection,
            "requirements": count_requirements(scenarios),
            "scenarios": scenarios,
        }
    )
    return evidence.seal()


def _read_images(references: Mapping[str, str]) -> PinnedImages:
    """What Terraform says that it runs, rather than what the settings would have."""
    if set(references) != set(PARTS):
        raise AigatewayError(
            f"Terraform's output images has {', '.join(references)}; must have litellm and envoy"
        )
    return PinnedImages(**{part: PinnedImage.read(references[part]) for part in PARTS})
