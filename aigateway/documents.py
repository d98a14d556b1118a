"""The pages of docs/ that are generated, so that they cannot go stale unnoticed."""

from __future__ import annotations

import json
from pathlib import Path

from pydantic import BaseModel

from aigateway.acceptance.features import list_scenarios
from aigateway.acceptance.requirements import render_requirements
from aigateway.acceptance.results import RunResult
from aigateway.benchmarking import document
from aigateway.benchmarking.results import BenchResult
from aigateway.clients.page import render_clients_page
from aigateway.costs import load_prices, render_costs
from aigateway.doctor.page import render_page
from aigateway.doctor.results import Diagnosis
from aigateway.files import write_atomically
from aigateway.promotion.evidence import Evidence
from aigateway.proving.catalogue import load_sabotages
from aigateway.proving.results import ProofResult
from aigateway.rehearsing.results import Rehearsal
from aigateway.rendering import access_log
from aigateway.rules import render_rules_reference
from aigateway.settings.loading import list_environments, load_environment
from aigateway.settings.reference import render_reference
from aigateway.upgrading.results import UpgradeResult


def _render_documents(root: Path) -> dict[str, str]:
    scenarios = list_scenarios(root)
    turned_red = {sabotage.title: sabotage.turns_red for sabotage in load_sabotages(root, scenarios)}
    environments = [load_environment(root, name) for name in list_environments(root)]
    return {
        "docs/clients.md": render_clients_page(root),
        "docs/cost.md": render_costs(load_prices(root), environments),
        "docs/settings.md": render_reference(),
        "docs/rules.md": render_rules_reference(),
        str(access_log.PATH): access_log.render_access_log(),
        "docs/requirements.md": render_requirements(scenarios, turned_red),
        "docs/doctor.md": render_page(),
        "docs/doctor.schema.json": _render_schema(Diagnosis),
        "docs/result.schema.json": _render_schema(RunResult),
        "docs/proof.schema.json": _render_schema(ProofResult),
        "docs/evidence.schema.json": _render_schema(Evidence),
        "docs/upgrade.schema.json": _render_schema(UpgradeResult),
        "docs/rehearsal.schema.json": _render_schema(Rehearsal),
        "docs/bench.schema.json": _render_schema(BenchResult),
        str(document.PAGE): document.render_performance(document.load_results(root)),
    }


def _render_schema(model: type[BaseModel]) -> str:
    return json.dumps(model.model_json_schema(), indent=2) + "\n"


def find_stale_documents(root: Path) -> list[str]:
    """The generated pages that are not what would be generated now."""
    return list(_find_stale(root))


def write_documents(root: Path) -> list[str]:
    """Write the pages that are stale; returns their names."""
    stale = _find_stale(root)
    for name, text in stale.items():
        write_atomically(root / name, text)
    return list(stale)


def _find_stale(root: Path) -> dict[str, str]:
    """The text that each stale page would have now."""
    return {
        name: text
        for name, text in _render_documents(root).items()
        if not (root / name).is_file() or (root / name).read_text(encoding="utf-8") != text
    }
