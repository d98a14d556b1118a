"""What one simulated Azure OpenAI resource is: its keys, its two deployments, its quota.

It travels to the child process as JSON over a pipe, never in `argv`, because it holds the keys.
"""

from __future__ import annotations

from pydantic import Field, TypeAdapter
from pydantic.dataclasses import dataclass


@dataclass(frozen=True)
class Quota:
    """A token and request budget for each deployment, over a sliding window (Azure: 60 seconds)."""

    requests_per_minute: int | None = Field(default=None, ge=0)
    tokens_per_minute: int | None = Field(default=None, ge=0)
    window_seconds: float = Field(default=60.0, gt=0)


@dataclass(frozen=True)
class SimulatorConfig:
    """One resource with one responses and one embeddings deployment."""

    api_key: str = Field(min_length=1, repr=False)
    #: Azure's other key, which is as valid, so that one can be replaced while the other is in use; empty: none.
    second_api_key: str = Field(default="", repr=False)
    responses_deployment: str = "gpt-5.3-codex"
    responses_model: str = "gpt-5.3-codex"
    embeddings_deployment: str = "text-embedding-3-large"
    embeddings_model: str = "text-embedding-3-large"
    embeddings_dimensions: int = Field(default=3072, ge=1)
    quota: Quota | None = None
    region: str = "South Africa North"


CONFIG_JSON: TypeAdapter[SimulatorConfig] = TypeAdapter(SimulatorConfig)
QUOTA_JSON: TypeAdapter[Quota | None] = TypeAdapter(Quota | None)
