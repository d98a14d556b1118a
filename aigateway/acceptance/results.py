"""What a run of the features found; its JSON form is described by docs/result.schema.json."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from typing import Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field

from aigateway.acceptance.profiles import Profile

#: `passed`, `failed`: of the gateway. `skipped`: not run, for the reason given. `error`: the harness itself went wrong.
Verdict = Literal["passed", "failed", "skipped", "error"]
TargetName = Literal["local", "deployed"]

REQUIREMENT_PREFIXES = ("FR", "NFR", "AC", "G")


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ScenarioResult(_Frozen):
    """One scenario, or one example of a scenario outline."""

    id: str = Field(description="pytest's id of the scenario, as `pytest features` takes it")
    feature: str
    name: str
    scenario: str = Field(
        description="the name as it stands in the feature; an outline's, without its values"
    )
    example: tuple[str, ...] = Field(default=(), description="the values of the outline's row")
    requirements: tuple[str, ...] = Field(description="the requirements of the PRD that it proves")
    profiles: tuple[str, ...] = Field(default=(), description="the clients whose behaviour it is about")
    core: bool = Field(
        description="whether promotion needs it: it can run against this target and is not slow"
    )
    verdict: Verdict
    seconds: float = Field(ge=0)
    reason: str = Field(default="", description="why it was skipped, or what failed, without any key")
    step: str = Field(default="", description="the step that failed")
    tags: tuple[str, ...] = Field(default=(), description="all its tags: where it can run, what it is about")
    tries: int = Field(
        default=1, ge=1, description="how often the harness ran it; passed after more than one is flaky"
    )
    earlier: tuple[str, ...] = Field(default=(), description="why each try before the last one failed")
    tokens: int = Field(default=0, ge=0, description="tokens that a real model would count")

    @property
    def flaky(self) -> bool:
        """Whether it passed, but not at once."""
        return self.verdict == "passed" and self.tries > 1


class DeployedGateway(_Frozen):
    """Which deployed gateway a run was about."""

    base_url: str = Field(description="without /v1")
    revision: str = Field(default="", description="the Container App's; empty where it is not known")
    images: Mapping[str, str] = Field(
        default={}, description="by part, as Terraform says that they run; none where it was not asked"
    )


class RunResult(_Frozen):
    """One run of the features against one gateway."""

    schema_version: Literal[1] = 1
    environment: str
    target: TargetName
    launcher: Literal["process", "container"] | None = Field(
        description="how the gateway ran; none when deployed"
    )
    deployment: DeployedGateway | None = Field(default=None, description="none when local")
    started_at: str = Field(description="ISO 8601, UTC")
    seconds: float = Field(ge=0)
    conformant: bool
    profile: Profile = "core"
    selection: str = Field(default="", description="what `-k` and `-m` chose; a selection never conforms")
    features: str = Field(default="", description="SHA-256 of the features, as they are written")
    tokens: int = Field(default=0, ge=0, description="tokens that it has cost in all")
    token_budget: int | None = Field(default=None, description="tokens that it might cost at most")
    scenarios: tuple[ScenarioResult, ...]

    @property
    def counts(self) -> Counter[Verdict]:
        """How many scenarios came to each verdict."""
        return Counter(scenario.verdict for scenario in self.scenarios)

    @property
    def summary(self) -> str:
        """The verdict in one line."""
        counts = self.counts
        verdict = "conformant" if self.conformant else "NOT conformant"
        labels: dict[Verdict, str] = {"failed": "failed", "skipped": "skipped", "error": "harness errors"}
        others = "".join(f", {counts[name]} {label}" for name, label in labels.items() if counts[name])
        flaky = sum(scenario.flaky for scenario in self.scenarios)
        others += f", {flaky} flaky" if flaky else ""
        others += f", {self.tokens:,} of {self.token_budget:,} tokens" if self.token_budget else ""
        partial = f" (only {self.selection})" if self.selection else ""
        # What promotion does not need counts where it could be tried.
        wanted = sum(scenario.core or scenario.verdict != "skipped" for scenario in self.scenarios)
        return (
            f"{self.environment}: {verdict}, {counts['passed']} of {wanted} scenarios{others}, "
            f"{self.seconds:.0f} s{partial}"
        )


class Judged(Protocol):
    """What of a scenario the verdict on the gateway follows from."""

    @property
    def core(self) -> bool:
        """Whether promotion needs it."""

    @property
    def verdict(self) -> Verdict:
        """How it ended."""


def is_conformant(scenarios: Collection[Judged], selection: str) -> bool:
    """A gateway conforms when every core scenario ran and passed, and no other failed: a skipped one proves nothing."""
    core = [scenario.verdict for scenario in scenarios if scenario.core]
    broken = any(scenario.verdict in {"failed", "error"} for scenario in scenarios)
    return bool(core) and set(core) == {"passed"} and not broken and not selection


def list_requirements(tags: Iterable[str]) -> tuple[str, ...]:
    """The tags that are requirements of the PRD."""
    return tuple(
        sorted(tag for tag in tags if tag.rstrip("0123456789") in REQUIREMENT_PREFIXES and tag[-1].isdigit())
    )
