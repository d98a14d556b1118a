"""What a rehearsal found; its JSON form is described by docs/rehearsal.schema.json."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

#: What Roo's indexing would come to. `refused`: its first request already fails, so it does not begin; `unknown`: too
#: little was seen to say.
Verdict = Literal["finishes", "aborts", "refused", "unknown"]

#: Why the sending ended: everything had been sent, the time was up, or somebody stopped it.
End = Literal["done", "time", "stopped"]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Count(_Frozen):
    """What Roo would send of a folder."""

    folder: str
    files: int = Field(description="that are read and cut into segments")
    segments: int
    characters: int
    tokens: int = Field(description="estimated as Roo does, four characters to a token")
    batches: int = Field(description="requests, if none had to be sent again")
    empty: int = Field(description="files of a known kind that give no segment")
    unsupported: int = Field(description="files of a kind that Roo does not index")
    too_large: int = Field(description="files over 1 MB")
    unreadable: int = Field(description="files that could not be read")
    cut_off: bool = Field(description="whether there are more than the 50,000 files that Roo looks at")
    approximated: dict[str, int] = Field(
        description="by ending: files that Roo cuts by a grammar, and this by lines"
    )


class AzureQuota(_Frozen):
    """The quota of the simulated deployment; it counts over any 60 seconds."""

    tokens_per_minute: int
    requests_per_minute: int


class EdgeLimit(_Frozen):
    """What one replica of the gateway lets through of the client."""

    client: str
    requests_per_minute: int
    burst: int
    steady_requests_per_minute: int = Field(description="what is left of it when the burst is used up")
    replicas: int = Field(description="most replicas of the environment; one of them was tried")


class Measured(_Frozen):
    """What was really sent, through a real gateway, and what came back."""

    seconds: float = Field(ge=0)
    end: End
    batches: int = Field(description="that ended, with vectors or given up")
    failed_batches: int
    segments: int = Field(description="of the batches that ended")
    failed_segments: int
    tokens: int = Field(description="of the segments that got their vectors")
    requests: int = Field(description="that the client sent, those of OpenAI's package included")
    refused: int = Field(description="429 that the client saw")
    refused_by_edge: int = Field(
        description="429 that the edge answered by itself; Azure knows nothing of them"
    )
    passed_on: int = Field(description="429 of Azure's that the client saw")
    azure_requests: int = Field(
        description="that the simulated Azure received, the gateway's own retries included"
    )
    azure_refused: int = Field(description="429 that the simulated Azure answered")
    other_errors: dict[str, int] = Field(description="by status: what else the client saw")
    unanswered: int = Field(
        description="requests that got no answer, those included that were under way at the end"
    )
    median_answer_seconds: float | None = Field(description="of the requests that got vectors")
    longest_back_off_seconds: float = Field(description="the longest wait that Roo laid on all its requests")
    problem: str = Field(default="", description="why the last batch that was given up failed")


class Forecast(_Frozen):
    """What follows for the whole folder."""

    verdict: Verdict
    basis: Literal["measured", "extrapolated"]
    seconds: float | None = Field(description="from start to end; none where it cannot be said")
    extrapolated_seconds: float = Field(default=0, description="the share of it that was not measured")
    steady_batches_per_minute: float | None = Field(
        default=None, description="what the rest was reckoned with"
    )
    steady_from_seconds: float = Field(default=0, description="since when that rate was measured")
    failed_share: float = Field(default=0, description="of all segments; above 0.1 Roo gives up")
    caution: str = Field(default="", description="why to trust it less")


class Need(_Frozen):
    """What would be needed to be done in a given time, if nothing had to be sent twice."""

    minutes: float
    tokens_per_minute: int
    requests_per_minute: int


class Rehearsal(_Frozen):
    """One rehearsal; `measured` and `forecast` are missing where it was only counted, or stopped before it sent."""

    schema_version: Literal[1] = 1
    environment: str
    started_at: str = Field(description="ISO 8601, UTC")
    count: Count
    limit: EdgeLimit
    need: Need
    quota: AzureQuota | None = Field(default=None, description="none: the simulated Azure had no limit")
    measured: Measured | None = None
    forecast: Forecast | None = None

    @property
    def good(self) -> bool:
        """Whether the indexing would come to its end."""
        return self.forecast is not None and self.forecast.verdict == "finishes"
