"""What `aigateway prove` found; its JSON form is described by docs/proof.schema.json."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from aigateway.acceptance.profiles import Profile
from aigateway.launching.parts import LauncherName


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SabotageResult(_Frozen):
    """How one sabotage ended."""

    sabotage: str
    how: str = Field(description="how it could come about")
    noticed_by: tuple[str, ...] = Field(description="the scenarios that turned red, as they had to")
    failed_steps: Mapping[str, str] = Field(
        default={},
        description="by scenario that turned red: at which step, which shows one that noticed something else",
    )
    unnoticed_by: tuple[str, ...] = Field(
        default=(), description="those that did not, each with what happened instead"
    )
    problem: str = Field(default="", description="why it could not be tried")
    seconds: float = Field(ge=0)

    @property
    def killed(self) -> bool:
        """Whether every scenario that had to notice did."""
        return not self.unnoticed_by and not self.problem


class ProofResult(_Frozen):
    """One run of the sabotages against the scenarios that have to notice them."""

    schema_version: Literal[1] = 1
    environment: str
    launcher: LauncherName
    profile: Profile
    selection: str = Field(
        default="", description="what `-k` and `--shard` chose; a selection proves nothing as a whole"
    )
    started_at: str = Field(description="ISO 8601, UTC")
    seconds: float = Field(ge=0)
    sabotages: tuple[SabotageResult, ...]
    unproven: tuple[str, ...] = Field(description="scenarios that no sabotage turns red")

    @property
    def killed(self) -> int:
        """How many sabotages were noticed."""
        return sum(result.killed for result in self.sabotages)

    @property
    def proven(self) -> bool:
        """Whether every sabotage was noticed, and every scenario notices one."""
        return bool(self.sabotages) and self.killed == len(self.sabotages) and not self.unproven

    @property
    def summary(self) -> str:
        """The verdict in one line."""
        rate = 100 * self.killed / max(len(self.sabotages), 1)
        unproven = f", {len(self.unproven)} scenarios that no sabotage turns red" if self.unproven else ""
        partial = f" (only {self.selection})" if self.selection else ""
        return (
            f"{self.environment}: {self.killed} of {len(self.sabotages)} sabotages noticed ({rate:.0f} %)"
            f"{unproven}, {self.seconds:.0f} s{partial}"
        )
