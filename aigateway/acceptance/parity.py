"""`aigateway parity`: where two runs differ, one against a local gateway and one against a deployed one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from rich.markup import escape
from rich.table import Table

from aigateway.acceptance.profiles import belongs
from aigateway.acceptance.results import RunResult, ScenarioResult, TargetName
from aigateway.errors import AigatewayError

#: `run`: the runs themselves cannot be compared as they stand. `verdict`: both ran it, and it ended differently.
#: `missing`: only one ran it. `flaky`: it passed in both, but not at once.
Kind = Literal["run", "verdict", "missing", "flaky"]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Difference(_Frozen):
    """One thing that is not the same in both."""

    kind: Kind
    matters: bool = Field(description="whether one of the gateways may be otherwise than the other")
    feature: str = ""
    scenario: str = Field(
        default="", description="the scenario's name; empty where it is about the whole run"
    )
    local: str = Field(description="how it is in the local run")
    deployed: str = Field(description="how it is in the deployed run")
    reason: str = Field(default="", description="why, as far as the runs say")


class Parity(_Frozen):
    """How a deployed gateway compares with a local one; `same` counts the scenarios that ended alike."""

    environment: str
    same: int
    differences: tuple[Difference, ...]

    @property
    def holds(self) -> bool:
        """Whether there was something to compare, and nothing that differs matters."""
        return self.same > 0 and not any(difference.matters for difference in self.differences)

    @property
    def summary(self) -> str:
        """The verdict in one line."""
        mattering = sum(difference.matters for difference in self.differences)
        others = len(self.differences) - mattering
        verdict = "local and deployed agree" if self.holds else "local and deployed DIFFER"
        return (
            f"{self.environment}: {verdict}: {self.same} scenarios ended alike, "
            f"{mattering} differences matter, {others} do not"
        )


def read_run(path: Path, target: TargetName) -> RunResult:
    """The result of a run against `target`, as `aigateway accept` wrote it.

    Raises AigatewayError when it cannot be read, or is something else.
    """
    try:
        result = RunResult.model_validate_json(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise AigatewayError(f"{path}: cannot be read: {error.strerror}") from error
    except (ValidationError, UnicodeDecodeError) as error:
        raise AigatewayError(f"{path}: is no result.json of this version's `aigateway accept`") from error
    if result.target != target:
        raise AigatewayError(
            f"{path}: is of a {result.target} gateway; give the local run first and the deployed one second"
        )
    return result


def compare(local: RunResult, deployed: RunResult) -> Parity:
    """Compare two runs, scenario by scenario."""
    ours, theirs = _index(local), _index(deployed)
    differences = list(_compare_runs(local, deployed))
    same = 0
    for key in dict.fromkeys((*ours, *theirs)):
        pair = _Pair(local, deployed, ours.get(key), theirs.get(key))
        difference = pair.find_difference()
        if difference:
            differences.append(difference)
        same += pair.ran_in_both and not difference
    return Parity(environment=deployed.environment, same=same, differences=tuple(differences))


def _index(result: RunResult) -> Mapping[tuple[str, ...], ScenarioResult]:
    return {(one.feature, one.scenario, *one.example): one for one in result.scenarios}


def _compare_runs(local: RunResult, deployed: RunResult) -> Iterator[Difference]:
    """What can make all else mean less."""
    for name, matters, reason in (
        ("environment", True, "their settings may differ"),
        ("features", True, "the same name may stand for another text"),
        ("selection", True, "what was not chosen is not compared"),
        ("profile", False, "one has scenarios that the other has not"),
    ):
        one, other = getattr(local, name), getattr(deployed, name)
        if one != other:
            yield Difference(
                kind="run",
                matters=matters,
                local=f"{name} {one[:40] or 'all'}",
                deployed=f"{name} {other[:40] or 'all'}",
                reason=reason,
            )


@dataclass(frozen=True)
class _Pair:
    """One scenario in both runs; none where a run has it not."""

    local_run: RunResult
    deployed_run: RunResult
    local: ScenarioResult | None
    deployed: ScenarioResult | None

    @property
    def ran_in_both(self) -> bool:
        return _ran(self.local) and _ran(self.deployed)

    def find_difference(self) -> Difference | None:
        if self.local and self.deployed and self.ran_in_both:
            return self._compare_ends(self.local, self.deployed)
        if self.local and _ran(self.local):
            return self._excuse(self.local, self.deployed_run, self.deployed)
        if self.deployed and _ran(self.deployed):
            return self._excuse(self.deployed, self.local_run, self.local)
        return None

    def _compare_ends(self, local: ScenarioResult, deployed: ScenarioResult) -> Difference | None:
        reason = "; ".join(filter(None, (_shorten(local), _shorten(deployed))))
        if local.verdict != deployed.verdict:
            return self._describe(local, "verdict", reason, matters=True)
        if local.flaky or deployed.flaky:
            return self._describe(local, "flaky", reason, matters=False)
        return None

    def _excuse(self, ran: ScenarioResult, other: RunResult, skipped: ScenarioResult | None) -> Difference:
        """It does not matter that the other run has it not, where that could not be otherwise."""
        if skipped:
            return self._describe(ran, "missing", skipped.reason, matters=other.target in ran.tags)
        if not belongs(ran.tags, other.profile):
            return self._describe(ran, "missing", f"no part of the profile {other.profile}", matters=False)
        return self._describe(ran, "missing", f"the {other.target} run does not have it", matters=True)

    def _describe(self, known: ScenarioResult, kind: Kind, reason: str, *, matters: bool) -> Difference:
        return Difference(
            kind=kind,
            matters=matters,
            feature=known.feature,
            scenario=known.name,
            local=_describe_end(self.local),
            deployed=_describe_end(self.deployed),
            reason=reason,
        )


def _ran(scenario: ScenarioResult | None) -> bool:
    return scenario is not None and scenario.verdict != "skipped"


def _describe_end(scenario: ScenarioResult | None) -> str:
    if scenario is None:
        return "not in it"
    return f"{scenario.verdict}, flaky" if scenario.flaky else scenario.verdict


def _shorten(scenario: ScenarioResult) -> str:
    """Why it did not pass, or not at once."""
    reasons = (*scenario.earlier, scenario.reason)
    return "; ".join(reason.partition("\n")[0][:200] for reason in reasons if reason)


def tabulate_parity(parity: Parity) -> Table:
    """A table with a row for each difference; those that matter come first."""
    table = Table("Scenario", "Local", "Deployed", "Why", box=None)
    for one in sorted(parity.differences, key=lambda difference: not difference.matters):
        name = f"{one.feature}: {one.scenario}" if one.scenario else "the run"
        cells = (escape(text) for text in (name, one.local, one.deployed, one.reason))
        table.add_row(*cells, style="bold red" if one.matters else "dim")
    return table
