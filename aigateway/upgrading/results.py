"""What `aigateway upgrade` found; its JSON form is described by docs/upgrade.schema.json."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from aigateway.acceptance.profiles import Profile
from aigateway.acceptance.results import Verdict
from aigateway.launching.app_routes import AppRoute
from aigateway.upgrading.signature import Signature

#: How a scenario ended: its verdict, or that one of the runs has none of it.
End = Verdict | Literal["not run"]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ScenarioChange(_Frozen):
    """A scenario that did not end alike, or for another reason."""

    feature: str
    name: str
    core: bool
    present: End
    candidate: End
    present_reason: str = ""
    candidate_reason: str = ""


class SabotageChange(_Frozen):
    """A sabotage that was noticed with one of them only."""

    sabotage: str
    present: bool = Field(description="whether it was noticed")
    candidate: bool = Field(description="whether it was noticed")
    candidate_problem: str = Field(default="", description="what was not noticed, or not tried")


class Slowed(_Frozen):
    """A scenario that took much longer with the candidate; seconds."""

    feature: str
    name: str
    present: float
    candidate: float


class PackageChange(_Frozen):
    """A package of the runtime that has another version; empty where it is not there."""

    package: str
    present: str
    candidate: str


class RouteChanges(_Frozen):
    """How the routes of LiteLLM's app differ, of which the gateway serves a few."""

    present: int = Field(description="how many there are; 0 where that could not be found out")
    candidate: int
    added: tuple[AppRoute, ...] = ()
    removed: tuple[AppRoute, ...] = ()
    problem: str = Field(default="", description="why they could not be compared")


class Side(_Frozen):
    """How one of the two fared."""

    version: str
    conformant: bool
    summary: str = Field(description="of `aigateway accept`")
    seconds: float = Field(ge=0)
    counts: dict[Verdict, int]
    proven: bool | None = Field(default=None, description="none where nothing was sabotaged")
    proof: str = Field(default="", description="of `aigateway prove`")


class UpgradeResult(_Frozen):
    """Two versions of LiteLLM beside one another."""

    schema_version: Literal[1] = 1
    environment: str
    profile: Profile
    selection: str = Field(default="", description="what `-k` chose; a selection never conforms")
    started_at: str = Field(description="ISO 8601, UTC")
    seconds: float = Field(ge=0, description="of all of it, installing included")
    present: Side
    candidate: Side
    objections: tuple[str, ...] = Field(description="why the candidate does not conform")
    signature: Signature
    scenarios: tuple[ScenarioChange, ...]
    sabotages: tuple[SabotageChange, ...]
    slowed: tuple[Slowed, ...]
    packages: tuple[PackageChange, ...]
    routes: RouteChanges
    files: tuple[str, ...] = Field(description="what has to change in the checkout")
    written: bool = Field(description="whether it was")

    @property
    def conformant(self) -> bool:
        """Whether the candidate can take the place of the present one."""
        return not self.objections

    @property
    def summary(self) -> str:
        """The verdict in one line."""
        verdict = "conforms" if self.conformant else "does NOT conform"
        changed = (
            f"{len(self.scenarios)} scenarios ended otherwise"
            if self.scenarios
            else "no scenario ended otherwise"
        )
        return (
            f"{self.environment}: LiteLLM {self.candidate.version} {verdict}; {changed} than with "
            f"{self.present.version}, {self.seconds:.0f} s"
        )
