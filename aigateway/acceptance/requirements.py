"""Each requirement of the PRD: which scenarios prove it, where they run, and which sabotages turn them red."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from aigateway.acceptance.features import ScenarioKey, WrittenScenario


@dataclass(frozen=True)
class Requirement:
    """One line of docs/prd.md; `otherwise` says what proves it, or a part of it, where no scenario does."""

    id: str
    statement: str
    otherwise: str = ""


REQUIREMENTS = (
    Requirement("G1", "One stable OpenAI-compatible base URL for each environment"),
    Requirement("G2", "POST /v1/responses and /v1/embeddings go to Azure"),
    Requirement("G3", "Several environments and several downstream projects"),
    Requirement(
        "G4",
        "Infrastructure managed with Terraform",
        "the tests in `tests/terraform` plan each environment and compare what it would run with what was proven here",
    ),
    Requirement(
        "G5",
        "Delivery by GitHub Actions with OIDC",
        "`tests/acceptance/test_deploy_workflow.py` walks through `deploy.yml` with stand-ins for Azure and Terraform; "
        "`scripts/check` has zizmor and actionlint read the workflows",
    ),
    Requirement("G6", "Get it working first; hardening follows", "a principle: there is nothing to check"),
    Requirement("FR1", "OpenAI-compatible surface: POST /v1/responses, POST /v1/embeddings"),
    Requirement("FR2", "Azure routing with configured api-version, model and deployment"),
    Requirement("FR3", "A client sends a shared secret; without it nothing is served"),
    Requirement(
        "FR4",
        "Azure's keys come from the Key Vault as environment variables",
        "`tests/terraform` sees that what is planned refers to the vault's secrets, and has the same variables as here",
    ),
    Requirement(
        "FR5", "Rate limit against indexing storms; transient failures retried with bounded back-off"
    ),
    Requirement("FR6", "Each environment has its own URL and secrets"),
    Requirement("NFR1", "Reliability: 99 %, not flaky"),
    Requirement(
        "NFR2", "Security: no secrets in the repository, authentication enforced, no prompts in logs"
    ),
    Requirement(
        "NFR3",
        "Observability: counts, latency, 4xx, 5xx, 429, upstream failures; one log of all in Log Analytics",
        "`tests/terraform` sees that the logs go to the workspace, and that its queries read what the edge writes; the "
        "scenarios of the central log run each night, in `drift.yml` (`accept --target deployed --profile full`)",
    ),
    Requirement(
        "NFR4",
        "Cost: scale to zero or near it, bounded concurrency",
        "`tests/terraform` compares the scale rule and the least number of replicas with the settings",
    ),
    Requirement("AC1", "Roo and Qoder code with the configured model"),
    Requirement("AC2", "Codebase indexing completes"),
    Requirement("AC3", "Environments are reproducible via Terraform and Actions", "as G4 and G5"),
    Requirement(
        "AC4",
        "No secrets committed",
        "`scripts/check` looks for keys in every commit (`aigateway history`), and `aigateway scan` in the files",
    ),
)

_INTRODUCTION = """# Requirements

<!-- Generated from the features and the sabotages by `aigateway docs`. -->

What each line of the [PRD](prd.md) is proven by. *Where*: `local`, the gateway on this machine with a simulated
Azure; `deployed`, a gateway in Azure, as a black box; `slow`, not part of the core that promotion needs. A number
behind a name counts the examples of an outline. *Sabotage*: what `aigateway prove` breaks so that the scenario turns
red. How each ended when it last ran is in `build/accept/ENV/report.html` and `build/prove/ENV/proof.json`.
"""


def render_requirements(
    scenarios: Sequence[WrittenScenario], sabotages: Mapping[str, Iterable[ScenarioKey]]
) -> str:
    """The page; `sabotages` are titles, each with the scenarios that it turns red."""
    titles: dict[str, list[str]] = defaultdict(list)
    for title, keys in sabotages.items():
        for name in dict.fromkeys(key.scenario for key in keys):
            titles[name].append(title)
    sections = (_render_requirement(requirement, scenarios, titles) for requirement in REQUIREMENTS)
    return "\n".join((_INTRODUCTION, *sections))


def _render_requirement(
    requirement: Requirement, scenarios: Sequence[WrittenScenario], titles: Mapping[str, list[str]]
) -> str:
    lines = [f"## {requirement.id}: {requirement.statement}", ""]
    proving = [scenario for scenario in scenarios if requirement.id in scenario.requirements]
    if proving:
        lines += [
            "| Feature | Scenario | Where | Sabotage |",
            "|---|---|---|---|",
            *_render_rows(proving, titles),
        ]
        lines += ["", f"Beside them: {requirement.otherwise}."] if requirement.otherwise else []
    else:
        lines.append(f"No scenario: {requirement.otherwise}.")
    return "\n".join([*lines, ""])


def _render_rows(proving: Sequence[WrittenScenario], titles: Mapping[str, list[str]]) -> Iterator[str]:
    groups: dict[tuple[str, str, str], int] = defaultdict(int)
    for scenario in proving:
        groups[scenario.feature, scenario.key.scenario, _list_places(scenario)] += 1
    for (feature, name, places), count in groups.items():
        number = f" ({count})" if count > 1 else ""
        shown = "; ".join(titles.get(name, ["**none**"]))
        yield f"| {_escape(feature)} | {_escape(name)}{number} | {places} | {_escape(shown)} |"


def _list_places(scenario: WrittenScenario) -> str:
    return ", ".join(tag for tag in ("local", "deployed", "slow") if tag in scenario.tags)


def _escape(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")
