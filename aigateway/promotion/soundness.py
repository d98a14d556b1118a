"""Which scenarios are known to pass with nothing sabotaged, so that `aigateway prove` need not run them first."""

from __future__ import annotations

from pathlib import Path

from aigateway.acceptance.features import ScenarioKey
from aigateway.acceptance.findings import EVIDENCE_FILE, locate_run
from aigateway.errors import AigatewayError
from aigateway.launching.parts import LauncherName
from aigateway.promotion.evidence import read_evidence
from aigateway.promotion.release import describe_release
from aigateway.settings.model import Settings


def find_sound(root: Path, settings: Settings, launcher: LauncherName) -> frozenset[ScenarioKey]:
    """The scenarios that the last local run has passed at once, if it was of this very commit, and by `launcher`.

    None where anything is in no commit: the code that the scenarios and the simulated Azure are made of may differ.
    """
    release = describe_release(root, settings)
    if release.dirty:
        return frozenset()
    try:
        evidence = read_evidence(locate_run(root, settings.environment, "local") / EVIDENCE_FILE)
    except AigatewayError:
        return frozenset()
    if (evidence.environment, evidence.launcher, evidence.release) != (
        settings.environment,
        launcher,
        release,
    ):
        return frozenset()
    return frozenset(
        ScenarioKey(one.scenario, one.example)
        for one in evidence.scenarios
        if one.verdict == "passed" and one.tries == 1
    )
