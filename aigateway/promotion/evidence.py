"""evidence.json: what was proven, of what, where, when and by whom; docs/evidence.schema.json describes it.

Its digest tells that nothing in it was changed by accident, or by somebody who does not know of it. That nobody wrote
it anew is for its attestation to say.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from aigateway.acceptance.profiles import Profile
from aigateway.acceptance.results import ScenarioResult, TargetName, Verdict
from aigateway.digests import hash_data
from aigateway.errors import AigatewayError
from aigateway.files import write_atomically
from aigateway.promotion.origin import Origin
from aigateway.promotion.release import Release
from aigateway.promotion.scanning import ScanOutcome
from aigateway.settings.values import Digest, EnvironmentName


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ProvenScenario(_Frozen):
    """How one scenario, or one row of an outline, ended."""

    feature: str
    scenario: str = Field(description="the name as it stands in the feature")
    example: tuple[str, ...] = Field(default=(), description="the values of the outline's row")
    requirements: tuple[str, ...] = Field(description="the requirements of the PRD that it proves")
    core: bool = Field(description="whether promotion needs it")
    verdict: Verdict
    tries: int = Field(ge=1, description="how often it was run; passed after more than one is flaky")

    @classmethod
    def of(cls, result: ScenarioResult) -> Self:
        """What of a result is evidence: no message, which could hold what a client sent."""
        return cls(**{name: getattr(result, name) for name in cls.model_fields})

    def __str__(self) -> str:
        row = f" [{' | '.join(self.example)}]" if self.example else ""
        return f"{self.feature}: {self.scenario}{row}"


class Evidence(_Frozen):
    """One run of the features against one gateway, and what that gateway was."""

    schema_version: Literal[1] = 1
    environment: EnvironmentName
    target: TargetName
    launcher: Literal["process", "container"] | None = Field(
        description="how a local gateway ran; none when deployed"
    )
    base_url: str = Field(
        description="where a deployed gateway answers; empty for a local one, which is gone"
    )
    revision: str = Field(description="the Container App's revision; empty where it is not known")
    release: Release
    plan: Digest | None = Field(description="of Terraform's plan that was applied; none where there was none")
    scan: ScanOutcome | None = Field(
        description="of this checkout and plan; none where the last scan was of something else, or there was none"
    )
    started_at: AwareDatetime
    seconds: float = Field(ge=0)
    origin: Origin
    conformant: bool
    profile: Profile
    selection: str = Field(description="what `-k` and `-m` chose; a selection never conforms")
    requirements: Mapping[str, Mapping[Verdict, int]] = Field(
        description="for each requirement, how many of its scenarios came to each verdict"
    )
    scenarios: tuple[ProvenScenario, ...]
    digest: Digest | Literal[""] = Field(
        default="", description="SHA-256 of all the rest as canonical JSON: keys sorted, no space, ASCII"
    )

    def compute_digest(self) -> str:
        """What `digest` has to be."""
        return hash_data(self.model_dump(mode="json", exclude={"digest"}))

    def seal(self) -> Self:
        """The same with its digest."""
        return self.model_copy(update={"digest": self.compute_digest()})

    def write_text(self) -> str:
        """The only text that a file of this evidence may have."""
        return self.model_dump_json(indent=2) + "\n"

    def save(self, path: Path) -> None:
        """Write the file."""
        write_atomically(path, self.write_text())


def read_evidence(path: Path) -> Evidence:
    """The evidence in a file. Raises AigatewayError when there is none, or it was changed by accident."""
    try:
        evidence = Evidence.model_validate_json(path.read_bytes())
    except OSError as error:
        raise AigatewayError(f"{path}: cannot be read: {error.strerror}") from error
    except ValidationError as error:
        raise AigatewayError(
            f"{path}: is no evidence that this version's `aigateway accept` has written"
        ) from error
    if evidence.digest != evidence.compute_digest():
        raise AigatewayError(f"{path}: its digest is not that of what it says: something was changed")
    return evidence


def count_requirements(scenarios: Iterable[ProvenScenario]) -> dict[str, dict[Verdict, int]]:
    """For each requirement, sorted, how many of its scenarios came to each verdict."""
    counts: dict[str, dict[Verdict, int]] = {}
    for one in scenarios:
        for requirement in one.requirements:
            verdicts = counts.setdefault(requirement, {})
            verdicts[one.verdict] = verdicts.get(one.verdict, 0) + 1
    return {name: dict(sorted(counts[name].items())) for name in sorted(counts)}
