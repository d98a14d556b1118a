"""How a run of the features becomes evidence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from aigateway.acceptance.results import RunResult
from aigateway.digests import hash_file
from aigateway.errors import AigatewayError
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
    #: Why the last scan is none of what is tried, and what to do; empty where it is, or there was none.
    unscanned: str = ""


def observe(
    root: Path, settings: Settings, plan: Path | None, scan: Path | None, origin: Origin
) -> Circumstances:
    """Take down what a run is going to prove; without `scan`, the environment's last one counts, if it is of that.

    Raises AigatewayError when a file cannot be read, or is something else.
    """
    environment = settings.environment
    planned = hash_file(plan) if plan else None
    found = scan or locate_results(root, environment) / RESULT_FILE
    outcome, unscanned = None, ""
    if scan or found.exists():
        try:
            outcome = read_scan(found, root, environment, plan, planned)
        except AigatewayError as error:
            # The last one was not asked for: what is tried is not scanned, and can be tried all the same.
            if scan:
                raise
            unscanned = str(error)
    return Circumstances(
        root, settings, describe_release(root, settings), planned, outcome, origin, unscanned
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
